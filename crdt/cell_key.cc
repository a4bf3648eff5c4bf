#include "crdt/cell_key.h"

#include <utility>

#include <xxhash.h>

#include "crdt/varint.h"

namespace starling {

bool is_known_kind(std::uint8_t kind) {
  switch (static_cast<CellKind>(kind)) {
    case CellKind::header:
    case CellKind::deadline:
    case CellKind::string_register:
    case CellKind::string_totals:
    case CellKind::mv_register:
    case CellKind::flag:
    case CellKind::set_element:
    case CellKind::hash_field:
    case CellKind::hash_totals:
    case CellKind::scored_member:
    case CellKind::scored_totals:
      return true;
  }
  return false;
}

bool is_element(CellKind kind) {
  return kind == CellKind::set_element || kind == CellKind::hash_field ||
         kind == CellKind::hash_totals || kind == CellKind::scored_member ||
         kind == CellKind::scored_totals;
}

bool is_totals(CellKind kind) {
  return kind == CellKind::string_totals || kind == CellKind::hash_totals ||
         kind == CellKind::scored_totals;
}

bool has_payload(CellKind kind) {
  return kind == CellKind::header || kind == CellKind::deadline ||
         kind == CellKind::string_register || kind == CellKind::mv_register ||
         kind == CellKind::hash_field || kind == CellKind::scored_member;
}

ObjectType object_type(CellKind kind) {
  switch (kind) {
    case CellKind::string_register:
    case CellKind::string_totals:
      return ObjectType::string;
    case CellKind::mv_register:
      return ObjectType::mv_register;
    case CellKind::flag:
      return ObjectType::flag;
    case CellKind::set_element:
      return ObjectType::set;
    case CellKind::hash_field:
    case CellKind::hash_totals:
      return ObjectType::hash;
    case CellKind::scored_member:
    case CellKind::scored_totals:
      return ObjectType::sorted_set;
    case CellKind::header:
    case CellKind::deadline:
      break;
  }
  return ObjectType::none;
}

std::string_view type_name(ObjectType type) {
  switch (type) {
    case ObjectType::none:
      return "none";
    case ObjectType::string:
      return "string";
    case ObjectType::hash:
      return "hash";
    case ObjectType::set:
      return "set";
    case ObjectType::flag:
      return "flag";
    case ObjectType::mv_register:
      return "mvreg";
    case ObjectType::sorted_set:
      return "zset";
  }
  return "none";
}

namespace {

void put_place(std::string& out, std::uint64_t place) {
  put_be(out, static_cast<std::uint16_t>(place >> 32));
  put_be(out, static_cast<std::uint32_t>(place));
}

}  // namespace

std::uint32_t place_of(std::string_view subkey) {
  return static_cast<std::uint32_t>(XXH3_64bits(subkey.data(), subkey.size()) >> 32);
}

std::uint64_t place_of(std::uint8_t db, std::string_view key) {
  const std::uint64_t hash = XXH3_64bits_withSeed(key.data(), key.size(), db);
  return hash >> (64 - place_bits);
}

std::string encode_place(std::uint16_t group, std::uint64_t place) {
  std::string out;
  put_be(out, group);
  put_place(out, place);
  return out;
}

std::string encode_object_prefix(std::uint16_t group, const ObjectKey& object) {
  std::string out;
  out.reserve(object.key.size() + 20);
  put_be(out, group);
  put_place(out, place_of(object));
  put_u8(out, object.db);
  put_bytes(out, object.key);
  return out;
}

void append_cell_name(std::string& prefix, const CellName& name) {
  put_u8(prefix, static_cast<std::uint8_t>(name.kind()));
  if (is_element(name.kind())) {
    put_be(prefix, name.place());
  }
  prefix.append(name.subkey());
}

std::string encode_cell_key(std::uint16_t group, const CellKey& key) {
  std::string out = encode_object_prefix(group, key.object);
  append_cell_name(out, key.cell);
  return out;
}

std::optional<CellKey> decode_cell_key(std::string_view stored) {
  ByteReader in(stored);
  in.be<std::uint16_t>();  // group
  const std::uint64_t high = in.be<std::uint16_t>();
  const std::uint64_t place = high << 32 | in.be<std::uint32_t>();
  CellKey key;
  key.object.db = in.u8();
  key.object.key = in.bytes();
  const std::uint8_t kind = in.u8();
  if (!in.ok() || !is_known_kind(kind) || place != place_of(key.object)) {
    return std::nullopt;
  }
  const auto cell_kind = static_cast<CellKind>(kind);
  const std::uint32_t cell_place = is_element(cell_kind) ? in.be<std::uint32_t>() : 0;
  if (!in.ok()) {
    return std::nullopt;
  }
  key.cell = CellName(cell_kind, std::string(in.rest()));
  return key.cell.place() == cell_place ? std::optional(std::move(key)) : std::nullopt;
}

}  // namespace starling
