// Which keys somebody watches, and whether anything has been written to them since (WATCH).
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "crdt/cell_key.h"
#include "crdt/entry.h"
#include "server/replica/tables.h"

namespace starling::replica {

// Counts writes to watched keys, wherever they come from: this node's clients or other nodes.
// Runs on: core strand.
class Watches {
 public:
  using Stamp = std::uint64_t;

  // Each call is undone by one `unwatch`.
  [[nodiscard]] Stamp watch(const ObjectKey& key);
  void unwatch(const ObjectKey& key);
  // Only of a key that is watched.
  [[nodiscard]] bool changed(const ObjectKey& key, Stamp since) const;

  [[nodiscard]] bool watches(const ObjectKey& key) const {
    return !keys_.empty() && keys_.contains(key);
  }
  void wrote(const Op& op);

 private:
  struct Watched {
    std::size_t watchers = 0;
    Stamp stamp = 0;
  };
  std::unordered_map<ObjectKey, Watched, ObjectKeyHash> keys_;
};

}  // namespace starling::replica
