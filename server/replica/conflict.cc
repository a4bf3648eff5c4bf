#include "server/replica/conflict.h"

#include <utility>

#include "crdt/entry.h"
#include "crdt/varint.h"
#include "server/replica/row_keys.h"
#include "server/replica/wording.h"
#include "storage/store.h"

namespace starling::replica {
namespace {

constexpr std::uint8_t conflict_row_version = 0;

std::string prefix() { return meta_key('j'); }

void put_dot(std::string& out, const Dot& dot) {
  put_origin(out, dot.origin);
  put_be(out, dot.n);
}

Dot read_dot(ByteReader& in) {
  Dot dot;
  dot.origin = read_origin(in);
  dot.n = in.be<std::uint64_t>();
  return dot;
}

void put_side(std::string& out, const ConflictSide& side) {
  put_be(out, side.hlc);
  put_varint(out, side.size);
  put_bytes(out, side.preview);
}

void read_side(ByteReader& in, ConflictSide& side) {
  side.hlc = in.be<std::uint64_t>();
  side.size = in.varint();
  side.preview = in.bytes();
  if (side.preview.size() > conflict_preview_size || side.preview.size() > side.size) {
    in.fail();
  }
}

bool is_known(std::uint8_t kind) {
  return kind >= static_cast<std::uint8_t>(ConflictKind::overwritten) &&
         kind <= static_cast<std::uint8_t>(ConflictKind::hidden_type);
}

}  // namespace

std::string_view name(ConflictKind kind) {
  switch (kind) {
    case ConflictKind::overwritten:
      return "overwritten";
    case ConflictKind::hidden:
      return "hidden increments";
    case ConflictKind::saturated:
      return "saturated";
    case ConflictKind::hidden_type:
      return "hidden type";
  }
  return "";
}

std::string_view sentence(ConflictKind kind) {
  switch (kind) {
    case ConflictKind::overwritten:
      return "neither write had seen the other, and the later clock is read";
    case ConflictKind::hidden:
      return "the increments had not seen the text, which is read; they stay hidden until the "
             "next SET or DEL";
    case ConflictKind::saturated:
      return "increments that had not seen each other add up to more than 64 bits hold, and the "
             "limit is read";
    case ConflictKind::hidden_type:
      return "the key was created under two types at the same time, and the one created later is "
             "read";
  }
  return "";
}

ObjectType Conflict::type() const {
  if (kind != ConflictKind::hidden_type) {
    return object_type(cell.cell.kind());
  }
  const std::string& type = cell.cell.subkey();
  return type.empty() ? ObjectType::none : static_cast<ObjectType>(type[0]);
}

ConflictSide conflict_side(const Dot& dot, Hlc hlc, std::string_view value) {
  return {dot, hlc, std::string(clipped(value, conflict_preview_size)), value.size()};
}

ConflictClass class_of(const Conflict& conflict) {
  switch (conflict.kind) {
    case ConflictKind::hidden:
    case ConflictKind::saturated:
      return ConflictClass::counter;
    case ConflictKind::hidden_type:
      return ConflictClass::type;
    case ConflictKind::overwritten:
      break;
  }
  return conflict.type() == ObjectType::hash         ? ConflictClass::hash
         : conflict.type() == ObjectType::sorted_set ? ConflictClass::zset
                                                     : ConflictClass::string;
}

std::string_view name(ConflictClass of) {
  switch (of) {
    case ConflictClass::string:
      return "string";
    case ConflictClass::hash:
      return "hash";
    case ConflictClass::zset:
      return "zset";
    case ConflictClass::counter:
      return "counter";
    case ConflictClass::type:
      return "type";
  }
  return "";
}

// ---------------------------------------------------------------- rows

std::string conflict_key(const ConflictId& id) {
  std::string key = prefix();
  put_dot(key, id.lost);
  put_dot(key, id.won);
  return key;
}

std::string conflict_keys_begin() { return prefix(); }

std::string conflict_keys_end() { return std::string(meta_prefix) + static_cast<char>('j' + 1); }

std::string encode_conflict(const Conflict& conflict) {
  std::string out;
  put_u8(out, conflict_row_version);
  put_u8(out, static_cast<std::uint8_t>(conflict.kind));
  put_bytes(out, encode_cell_key(only_group, conflict.cell));
  put_side(out, conflict.lost);
  put_side(out, conflict.won);
  return out;
}

std::optional<Conflict> decode_conflict(std::string_view key, std::string_view value) {
  if (!key.starts_with(prefix())) {
    return std::nullopt;
  }
  Conflict conflict;
  ByteReader name(key.substr(prefix().size()));
  conflict.lost.dot = read_dot(name);
  conflict.won.dot = read_dot(name);
  ByteReader in(value);
  const std::uint8_t version = in.u8();
  const std::uint8_t kind = in.u8();
  auto cell = decode_cell_key(in.bytes());
  read_side(in, conflict.lost);
  read_side(in, conflict.won);
  if (!name.complete() || !in.complete() || version != conflict_row_version || !is_known(kind) ||
      !cell || conflict.lost.dot.n == 0) {
    return std::nullopt;
  }
  conflict.kind = static_cast<ConflictKind>(kind);
  conflict.cell = std::move(*cell);
  const bool known = type_name(conflict.type()) != type_name(ObjectType::none);
  return known ? std::optional(std::move(conflict)) : std::nullopt;
}

}  // namespace starling::replica
