#include "server/replica/counts.h"

#include "crdt/varint.h"
#include "server/replica/row_keys.h"
#include "storage/store.h"

namespace starling::replica {
namespace {

Presence either(Presence a, Presence b) {
  if (a == Presence::present || b == Presence::present) {
    return Presence::present;
  }
  return a == Presence::absent && b == Presence::absent ? Presence::absent : Presence::unknown;
}

std::optional<std::int64_t> difference(Presence was, Presence now) {
  if (was == Presence::unknown || now == Presence::unknown) {
    return std::nullopt;
  }
  return (now == Presence::present ? 1 : 0) - (was == Presence::present ? 1 : 0);
}

}  // namespace

Presence presence_of(const CellDelta& delta) {
  if (delta.is_whole()) {
    return presence_of(delta.value());
  }
  const auto* dotted = std::get_if<DottedCell>(&delta.value());
  return dotted != nullptr && !dotted->empty() ? Presence::present : Presence::unknown;
}

Counts& Counts::operator+=(const Counts& other) {
  elements += other.elements;
  fields += other.fields;
  field_totals += other.field_totals;
  members += other.members;
  member_totals += other.member_totals;
  return *this;
}

Counts& Counts::operator-=(const Counts& other) {
  elements -= other.elements;
  fields -= other.fields;
  field_totals -= other.field_totals;
  members -= other.members;
  member_totals -= other.member_totals;
  return *this;
}

std::int64_t Counts::of(ObjectType type) const {
  switch (type) {
    case ObjectType::set:
      return elements;
    case ObjectType::hash:
      return fields;
    case ObjectType::sorted_set:
      return members;
    default:
      return 0;
  }
}

Counts Counts::without_registers() const {
  return {.fields = field_totals,
          .field_totals = field_totals,
          .members = member_totals,
          .member_totals = member_totals};
}

CellKind item_kind(CellKind kind) {
  return kind == CellKind::set_element ? kind : is_totals(kind) ? twin_of(kind) : kind;
}

CellKind twin_of(CellKind kind) {
  switch (kind) {
    case CellKind::hash_field:
      return CellKind::hash_totals;
    case CellKind::hash_totals:
      return CellKind::hash_field;
    case CellKind::scored_member:
      return CellKind::scored_totals;
    case CellKind::scored_totals:
      return CellKind::scored_member;
    default:
      return kind;
  }
}

CellName twin_of(const CellName& name) { return {twin_of(name.kind()), name.subkey()}; }

std::optional<Counts> Item::change() const {
  const auto base = difference(base_was, base_now);
  if (kind == CellKind::set_element) {
    return base ? std::optional(Counts{.elements = *base}) : std::nullopt;
  }
  const auto totals = totals_touched ? difference(totals_was, totals_now) : 0;
  const auto field = difference(either(base_was, totals_was), either(base_now, totals_now));
  if (!totals || !field) {
    return std::nullopt;
  }
  return kind == CellKind::hash_field ? Counts{.fields = *field, .field_totals = *totals}
                                      : Counts{.members = *field, .member_totals = *totals};
}

std::string counts_key(std::string_view object_prefix) {
  return meta_key('n').append(object_prefix);
}

std::string counts_end() { return meta_key('n' + 1); }

std::string encode_counts(const Counts& counts) {
  std::string out;
  for (const std::int64_t count : {counts.elements, counts.fields, counts.field_totals,
                                   counts.members, counts.member_totals}) {
    put_varint(out, static_cast<std::uint64_t>(count));
  }
  return out;
}

std::optional<Counts> decode_counts(std::string_view bytes) {
  ByteReader in(bytes);
  Counts counts;
  for (std::int64_t* count : {&counts.elements, &counts.fields, &counts.field_totals,
                              &counts.members, &counts.member_totals}) {
    *count = static_cast<std::int64_t>(in.varint());
  }
  return in.complete() ? std::optional(counts) : std::nullopt;
}

std::string key_count_key(std::uint8_t db) { return key_counts_begin() + static_cast<char>(db); }

std::string key_counts_begin() { return meta_key('k'); }

std::string key_counts_end() { return meta_key('k' + 1); }

std::string encode_key_count(std::int64_t count) {
  std::string out;
  put_varint(out, static_cast<std::uint64_t>(count));
  return out;
}

std::int64_t decode_key_count(const std::optional<std::string>& bytes) {
  ByteReader in(bytes ? *bytes : std::string_view());
  return bytes ? static_cast<std::int64_t>(in.varint()) : 0;
}

std::string derived_version_key() { return meta_key('d'); }

}  // namespace starling::replica
