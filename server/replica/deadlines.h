// When keys expire, in the order of time (R4.1: derived, local, never replicated).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/cell_key.h"
#include "server/replica/garbage.h"
#include "server/replica/linear_hash_map.h"
#include "server/replica/object_key_hash.h"

namespace starling::replica {

// The deadlines that no row of the state tells of yet, one for each key. Hints: whoever takes one
// looks at the key before anything is done to it.
class Deadlines {
 public:
  // nullopt: it does not expire.
  void set(const ObjectKey& object, std::optional<std::int64_t> unix_ms);
  // Takes over what is known there and not here.
  void add_older(const Deadlines& older);
  // Keeps those up to this time, which are looked at; the others are not.
  void drop_after(std::int64_t unix_ms, Garbage& garbage);
  [[nodiscard]] std::optional<std::int64_t> first() const;
  // Up to `count` keys whose time has come; they are forgotten here.
  void take_due(std::int64_t now_ms, std::size_t count, std::vector<ObjectKey>& due);
  [[nodiscard]] std::size_t size() const { return at_.size(); }

 private:
  std::set<std::pair<std::int64_t, ObjectKey>> by_time_;
  LinearHashMap<ObjectKey, std::int64_t, ObjectKeyHash> at_;
};

// The index of the state: a row for each key with a deadline. Requires unix_ms >= 0 or clamps to
// it.
[[nodiscard]] std::string deadline_row(std::int64_t unix_ms, const ObjectKey& object);
[[nodiscard]] std::string deadline_rows_from(std::int64_t unix_ms);
[[nodiscard]] std::string deadline_rows_end();
struct DeadlineRow {
  std::int64_t unix_ms = 0;
  ObjectKey object;
};
[[nodiscard]] std::optional<DeadlineRow> decode_deadline_row(std::string_view row);

}  // namespace starling::replica
