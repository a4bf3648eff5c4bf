// How many elements a set, fields a hash, members a sorted set has, without walking them (R4.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/cell.h"
#include "crdt/cell_key.h"

namespace starling::replica {

// Whether something is visible in a layer or below it.
enum class Presence : std::uint8_t { unknown, absent, present };

[[nodiscard]] inline Presence presence(bool visible) {
  return visible ? Presence::present : Presence::absent;
}
[[nodiscard]] inline Presence presence_of(const CellValue& value) {
  return presence(is_present(value));
}
// A partial cell shows what it was assigned, whatever its base turns out to be.
[[nodiscard]] Presence presence_of(const CellDelta& delta);

// The items of one object. Derived from its cells, local, never replicated. As a difference, every
// number may be negative.
struct Counts {
  std::int64_t elements = 0;       // of the set
  std::int64_t fields = 0;         // of the hash: those with a register, with totals, or with both
  std::int64_t field_totals = 0;   // fields with totals: left when a kill takes the registers
  std::int64_t members = 0;        // of the sorted set, as fields
  std::int64_t member_totals = 0;  // and as field_totals

  [[nodiscard]] bool zero() const { return *this == Counts{}; }
  // Of one type of object.
  [[nodiscard]] std::int64_t of(ObjectType type) const;
  // What is left when every register is killed: totals are reset by name, their items live on
  // until then.
  [[nodiscard]] Counts without_registers() const;
  Counts& operator+=(const Counts& other);
  Counts& operator-=(const Counts& other);
  friend bool operator==(const Counts&, const Counts&) = default;
};

// A key exists while it has a cell of such a kind that shows something.
[[nodiscard]] inline bool is_value(CellKind kind) {
  return kind != CellKind::header && kind != CellKind::deadline;
}
// Elements, fields and members are counted; all other kinds have one cell per object.
[[nodiscard]] inline bool is_counted(CellKind kind) { return is_element(kind); }
// Fields and members have two halves: a register and totals.
[[nodiscard]] inline bool has_twin(CellKind kind) {
  return is_counted(kind) && kind != CellKind::set_element;
}
// The register's kind, for either half.
[[nodiscard]] CellKind item_kind(CellKind kind);
// The other half of a field or member: its totals or its register.
[[nodiscard]] CellKind twin_of(CellKind kind);
[[nodiscard]] CellName twin_of(const CellName& name);

// One element, field or member, as two halves: the register (or the element itself) and the totals.
struct Item {
  CellKind kind = CellKind::set_element;  // as item_kind
  Presence base_was = Presence::absent;
  Presence base_now = Presence::absent;
  Presence totals_was = Presence::absent;
  Presence totals_now = Presence::absent;
  bool totals_touched = false;  // otherwise they are what they were, known or not

  // What its change does to the counts of its object; nullopt while that cannot be told.
  [[nodiscard]] std::optional<Counts> change() const;
};

// Counts a visible cell, met in the order of names. `has_register`: whether the other half of a
// field or member, met before, shows something.
template <typename HasRegister>
void count_present(const CellName& name, Counts& counts, const HasRegister& has_register) {
  switch (name.kind()) {
    case CellKind::set_element:
      ++counts.elements;
      break;
    case CellKind::hash_field:
      ++counts.fields;
      break;
    case CellKind::hash_totals:
      ++counts.field_totals;
      counts.fields += has_register(twin_of(name)) ? 0 : 1;
      break;
    case CellKind::scored_member:
      ++counts.members;
      break;
    case CellKind::scored_totals:
      ++counts.member_totals;
      counts.members += has_register(twin_of(name)) ? 0 : 1;
      break;
    default:
      break;
  }
}

// The row of an object that has items; an object without a row has none.
[[nodiscard]] std::string counts_key(std::string_view object_prefix);
[[nodiscard]] std::string counts_end();
[[nodiscard]] std::string encode_counts(const Counts& counts);
[[nodiscard]] std::optional<Counts> decode_counts(std::string_view bytes);

// The row of a database that has keys: how many.
[[nodiscard]] std::string key_count_key(std::uint8_t db);
[[nodiscard]] std::string key_counts_begin();
[[nodiscard]] std::string key_counts_end();
[[nodiscard]] std::string encode_key_count(std::int64_t count);
[[nodiscard]] std::int64_t decode_key_count(const std::optional<std::string>& bytes);

// Derived rows are trusted iff the state says that they were written by this version of the rules
// above; otherwise the next checkpoint derives all of them anew.
// Versions: 1 counts of items; 2 counts of keys, too; 3 deadlines, too.
[[nodiscard]] std::string derived_version_key();
inline constexpr std::string_view derived_version{"\3", 1};

}  // namespace starling::replica
