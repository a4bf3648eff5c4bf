// What readers see under a key, decided from its cells.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "crdt/cell.h"
#include "crdt/cell_key.h"
#include "crdt/hybrid_clock.h"
#include "server/replica/tables.h"

namespace starling::replica {

// What tells of the making of an object: its header, or else the oldest part of its first cell.
struct Creation {
  ObjectType type = ObjectType::none;
  Hlc hlc = 0;  // 0 where cells keep no time
  Dot dot;
};

// Meets the cells of one object in the order of names, and asks for no more of them than it needs:
// one of each kind. The rules are those of Object, which loads a key to work on it; this one only
// looks.
class ShownFinder {
 public:
  [[nodiscard]] Tables::Walk see(const CellName& name, const CellValue& value);

  // The type that readers see at this time; none if there is nothing, or its time is over.
  [[nodiscard]] ObjectType type(std::int64_t now_ms) const;
  // All that lie under the key, expired or not, the visible one first.
  [[nodiscard]] std::vector<Creation> types() const;
  // Unix ms; nullopt: it stays.
  [[nodiscard]] std::optional<std::int64_t> deadline() const { return deadline_; }

 private:
  static constexpr std::size_t type_count = static_cast<std::size_t>(ObjectType::sorted_set) + 1;
  std::array<std::optional<Creation>, type_count> noted_;  // by headers
  std::array<std::optional<Creation>, type_count>
      oldest_;  // of the first cell that shows something
  std::optional<std::int64_t> deadline_;
};

// Something is there apart from attributes, expired or not: then the key is counted.
class ExistsFinder {
 public:
  [[nodiscard]] Tables::Walk see(const CellName& name, const CellValue& value) {
    exists_ = exists_ || (is_value(name.kind()) && is_present(value));
    return exists_ ? Tables::Walk::stop : Tables::Walk::on;
  }
  [[nodiscard]] bool exists() const { return exists_; }

 private:
  bool exists_ = false;
};

}  // namespace starling::replica
