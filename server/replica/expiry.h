// Takes away keys whose time is over (semantics.md, "who expires").
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "crdt/cell_key.h"
#include "server/replica/effects.h"
#include "server/replica/group.h"

namespace starling::replica {

// Readers hide an expired key at once and by themselves; what remains is to free its space, by an
// entry like any other. One node is to write it: the key's first in rank among the live ones. The
// others wait a little longer, the longer the later their rank, and find nothing left to do.
// Each step does a bounded piece of work. Runs on: core strand.
class Expiry {
 public:
  // How many live nodes come before this one for a key.
  using Rank = std::function<std::uint64_t(const ObjectKey&)>;

  // Writes at most one entry. `expiry_ms`: what expiry goes by.
  [[nodiscard]] StoreResult<void> step(Group& group, const Rank& rank, Now now,
                                       std::int64_t expiry_ms);
  // Monotonic: when the next step is worth its while.
  [[nodiscard]] std::uint64_t due_us() const { return due_us_; }
  [[nodiscard]] std::uint64_t expired() const { return expired_; }

 private:
  void schedule(const Tables& tables, Now now, std::int64_t expiry_ms);

  std::multimap<std::uint64_t, ObjectKey> turns_;  // by when it is this node's turn, monotonic us
  std::uint64_t due_us_ = 0;
  std::uint64_t expired_ = 0;
};

}  // namespace starling::replica
