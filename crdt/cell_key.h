// Where a cell lives: one row per element, field or register (R3.7).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace starling {

// What kind of cell a row is. Part of the stored key: never renumber.
enum class CellKind : std::uint8_t {
  header = 0x08,           // class D, subkey = object type; payload HLC = creation time
  string_register = 0x10,  // class D, the base of a string or counter
  string_totals = 0x11,    // class L, its increments
  mv_register = 0x20,      // class D, all live siblings are read
  flag = 0x28,             // class D, on iff live
  set_element = 0x30,      // class D, subkey = element, no payload
  hash_field = 0x38,       // class D, subkey = field
  hash_totals = 0x39,      // class L, subkey = field
};

// What users call the type of a key. Also its rank when two types meet under one key and were
// created at the same HLC: the greater is visible.
enum class ObjectType : std::uint8_t {
  none = 0,
  string = 1,
  hash = 2,
  set = 3,
  flag = 4,
  mv_register = 5
};

[[nodiscard]] bool is_known_kind(std::uint8_t kind);
// Class L (per-origin totals); all other kinds are class D (dotted cells).
[[nodiscard]] bool is_totals(CellKind kind);
// Cells whose siblings carry bytes and an HLC; the others are nothing but dots.
[[nodiscard]] bool has_payload(CellKind kind);
[[nodiscard]] ObjectType object_type(CellKind kind);  // none for header cells
[[nodiscard]] std::string_view type_name(ObjectType type);

// A user key in its database.
struct ObjectKey {
  std::uint8_t db = 0;
  std::string key;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

// A cell inside an object. Orders cells of one object as the state database does.
struct CellName {
  CellKind kind = CellKind::string_register;
  std::string subkey;
  friend auto operator<=>(const CellName&, const CellName&) = default;
};

struct CellKey {
  ObjectKey object;
  CellName cell;
  friend auto operator<=>(const CellKey&, const CellKey&) = default;
};

inline constexpr std::size_t max_key_size = 64 * 1024;
inline constexpr std::uint16_t bucket_count = 1024;

// Buckets cut the key space into equal parts, each one contiguous range of the state database.
[[nodiscard]] std::uint16_t bucket_of(const ObjectKey& object);

// Stored key = group u16 | bucket u16 | db u8 | varint length + user key | kind u8 | subkey.
// Group 0xFFFF is reserved for the store's own rows.
[[nodiscard]] std::string encode_object_prefix(std::uint16_t group, const ObjectKey& object);
[[nodiscard]] std::string encode_cell_key(std::uint16_t group, const CellKey& key);
// nullopt if the bytes are not a stored key of a known kind.
[[nodiscard]] std::optional<CellKey> decode_cell_key(std::string_view stored);

}  // namespace starling
