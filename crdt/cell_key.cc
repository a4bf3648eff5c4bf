#include "crdt/cell_key.h"

#include <xxhash.h>

#include "crdt/varint.h"

namespace starling {

bool is_known_kind(std::uint8_t kind) {
  switch (static_cast<CellKind>(kind)) {
    case CellKind::header:
    case CellKind::string_register:
    case CellKind::string_totals:
    case CellKind::mv_register:
    case CellKind::flag:
    case CellKind::set_element:
    case CellKind::hash_field:
    case CellKind::hash_totals:
      return true;
  }
  return false;
}

bool is_totals(CellKind kind) {
  return kind == CellKind::string_totals || kind == CellKind::hash_totals;
}

bool has_payload(CellKind kind) {
  return kind == CellKind::header || kind == CellKind::string_register ||
         kind == CellKind::mv_register || kind == CellKind::hash_field;
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
    case CellKind::header:
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
  }
  return "none";
}

std::uint16_t bucket_of(const ObjectKey& object) {
  const std::uint64_t hash = XXH3_64bits_withSeed(object.key.data(), object.key.size(), object.db);
  return static_cast<std::uint16_t>(hash % bucket_count);
}

std::string encode_object_prefix(std::uint16_t group, const ObjectKey& object) {
  std::string out;
  out.reserve(object.key.size() + 16);
  put_be(out, group);
  put_be(out, bucket_of(object));
  put_u8(out, object.db);
  put_bytes(out, object.key);
  return out;
}

std::string encode_cell_key(std::uint16_t group, const CellKey& key) {
  std::string out = encode_object_prefix(group, key.object);
  put_u8(out, static_cast<std::uint8_t>(key.cell.kind));
  out.append(key.cell.subkey);
  return out;
}

std::optional<CellKey> decode_cell_key(std::string_view stored) {
  ByteReader in(stored);
  in.be<std::uint16_t>();  // group
  const auto bucket = in.be<std::uint16_t>();
  CellKey key;
  key.object.db = in.u8();
  key.object.key = in.bytes();
  const std::uint8_t kind = in.u8();
  if (!in.ok() || !is_known_kind(kind) || bucket != bucket_of(key.object)) {
    return std::nullopt;
  }
  key.cell.kind = static_cast<CellKind>(kind);
  key.cell.subkey = in.rest();
  return key;
}

}  // namespace starling
