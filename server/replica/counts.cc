#include "server/replica/counts.h"

#include "crdt/varint.h"
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

std::string meta_key(char kind) { return std::string(meta_prefix) + kind; }

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
  totals += other.totals;
  return *this;
}

Counts& Counts::operator-=(const Counts& other) {
  elements -= other.elements;
  fields -= other.fields;
  totals -= other.totals;
  return *this;
}

bool is_counted(CellKind kind) {
  return kind == CellKind::set_element || kind == CellKind::hash_field ||
         kind == CellKind::hash_totals;
}

CellName twin_of(const CellName& name) {
  return {name.kind == CellKind::hash_field ? CellKind::hash_totals : CellKind::hash_field,
          name.subkey};
}

std::optional<Counts> Item::change() const {
  const auto base = difference(base_was, base_now);
  if (kind == CellKind::set_element) {
    return base ? std::optional(Counts{*base, 0, 0}) : std::nullopt;
  }
  const auto totals = totals_touched ? difference(totals_was, totals_now) : 0;
  const auto field = difference(either(base_was, totals_was), either(base_now, totals_now));
  return totals && field ? std::optional(Counts{0, *field, *totals}) : std::nullopt;
}

std::string counts_key(std::string_view object_prefix) {
  return meta_key('n').append(object_prefix);
}

std::string counts_end() { return meta_key('n' + 1); }

std::string encode_counts(const Counts& counts) {
  std::string out;
  put_varint(out, static_cast<std::uint64_t>(counts.elements));
  put_varint(out, static_cast<std::uint64_t>(counts.fields));
  put_varint(out, static_cast<std::uint64_t>(counts.totals));
  return out;
}

std::optional<Counts> decode_counts(std::string_view bytes) {
  ByteReader in(bytes);
  Counts counts;
  counts.elements = static_cast<std::int64_t>(in.varint());
  counts.fields = static_cast<std::int64_t>(in.varint());
  counts.totals = static_cast<std::int64_t>(in.varint());
  return in.complete() ? std::optional(counts) : std::nullopt;
}

std::string derived_version_key() { return meta_key('d'); }

}  // namespace starling::replica
