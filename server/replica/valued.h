// A register and the increments over it, read and written as one value: a string, a hash field, a
// member of a sorted set.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "crdt/sorted_set.h"
#include "crdt/string.h"
#include "server/replica/object.h"

namespace starling::replica {

// What the two cells held when this was made, and how to change them. Make a new one to see the
// change. Whoever writes a field or member has called Object::create before.
// Runs on: core strand, within one step.
class Valued {
 public:
  static Valued string(const Object& object) {
    return {object, CellKind::string_register, CellKind::string_totals, {}};
  }
  static Valued field(const Object& object, std::string_view name) {
    return {object, CellKind::hash_field, CellKind::hash_totals, name};
  }
  static Valued member(const Object& object, std::string_view name) {
    return {object, CellKind::scored_member, CellKind::scored_totals, name};
  }

  [[nodiscard]] bool exists() const { return !base_.empty() || increments_.exists(); }
  [[nodiscard]] StringView view() const { return {base_, increments_}; }
  [[nodiscard]] std::optional<std::string> text() const { return view().text(); }
  [[nodiscard]] std::optional<double> score() const {
    return ScoreView(base_, increments_).score();
  }

  // Replaces the register and takes away the increments that are seen.
  void assign(std::string bytes);
  // The same for a string, of which nothing need be known; not after an `add` in the same command.
  static void assign_string(const Object& object, std::string bytes);
  // Of a string that nobody has incremented, as nearly all; otherwise null. As when the object was
  // looked at; good until the next read.
  [[nodiscard]] static const std::string* plain_text(const Object& object);
  void add(const Total& delta) { tx_.increment(increments_key_, delta); }
  void erase();

 private:
  Valued(const Object& object, CellKind base, CellKind increments, std::string_view name);

  Transaction& tx_;
  CellKey base_key_;
  CellKey increments_key_;
  bool counted_;
  DottedCell base_;
  OriginTotals increments_;
};

}  // namespace starling::replica
