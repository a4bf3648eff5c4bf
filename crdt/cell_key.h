// Where a cell lives: one row per element, field or register (R3.7).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace starling {

// What kind of cell a row is. Part of the stored key: never renumber.
enum class CellKind : std::uint8_t {
  header = 0x08,           // class D, subkey = object type; payload HLC = creation time
  deadline = 0x09,         // class D, when the key expires; the latest live sibling holds
  string_register = 0x10,  // class D, the base of a string or counter
  string_totals = 0x11,    // class L, its increments
  mv_register = 0x20,      // class D, all live siblings are read
  flag = 0x28,             // class D, on iff live
  set_element = 0x30,      // class D, subkey = element, no payload
  hash_field = 0x38,       // class D, subkey = field
  hash_totals = 0x39,      // class L, subkey = field
  scored_member = 0x40,    // class D, subkey = member of a sorted set; payload = score
  scored_totals = 0x41,    // class L, subkey = member; what ZINCRBY added to its score
};

// What users call the type of a key. Also its rank when two types meet under one key and were
// created at the same HLC: the greater is visible.
enum class ObjectType : std::uint8_t {
  none = 0,
  string = 1,
  hash = 2,
  set = 3,
  flag = 4,
  mv_register = 5,
  sorted_set = 6,
};

[[nodiscard]] bool is_known_kind(std::uint8_t kind);
// Kinds of which an object has one cell per element, field or member. Their rows lie in hash order.
[[nodiscard]] bool is_element(CellKind kind);
// Class L (per-origin totals); all other kinds are class D (dotted cells).
[[nodiscard]] bool is_totals(CellKind kind);
// Cells whose siblings carry bytes and an HLC; the others are nothing but dots.
[[nodiscard]] bool has_payload(CellKind kind);
[[nodiscard]] ObjectType object_type(CellKind kind);  // none for headers and deadlines
[[nodiscard]] std::string_view type_name(ObjectType type);

// A user key in its database.
struct ObjectKey {
  std::uint8_t db = 0;
  std::string key;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

// Where an element lies among those of its object: a hash of its name, so that a cursor into a
// collection needs no memory on the server and a random place is a fair choice (decision 0005).
[[nodiscard]] std::uint32_t place_of(std::string_view subkey);

// A cell inside an object. Orders the cells of one object as the state database does: by kind, then
// place, then name.
class CellName {
 public:
  CellName() = default;
  CellName(CellKind kind, std::string subkey)
      : kind_(kind), place_(is_element(kind) ? place_of(subkey) : 0), subkey_(std::move(subkey)) {}
  // Not later than any name of this kind at this place or a later one.
  static CellName first_at(CellKind kind, std::uint32_t place = 0) {
    CellName name;
    name.kind_ = kind;
    name.place_ = place;
    return name;
  }

  [[nodiscard]] CellKind kind() const { return kind_; }
  [[nodiscard]] std::uint32_t place() const { return place_; }  // 0 unless is_element(kind)
  [[nodiscard]] const std::string& subkey() const { return subkey_; }

  friend auto operator<=>(const CellName&, const CellName&) = default;

 private:
  CellKind kind_ = CellKind::string_register;
  std::uint32_t place_ = 0;
  std::string subkey_;
};

struct CellKey {
  ObjectKey object;
  CellName cell;
  friend auto operator<=>(const CellKey&, const CellKey&) = default;
};

inline constexpr std::size_t max_key_size = 64 * 1024;
inline constexpr std::uint16_t bucket_count = 1024;

// Keys lie in hash order: 48 bits of it, of which the first ten are the bucket. Buckets cut the key
// space into equal parts, each one contiguous range of the state database; a place is a cursor for
// SCAN (decision 0005).
inline constexpr unsigned place_bits = 48;
[[nodiscard]] std::uint64_t place_of(std::uint8_t db, std::string_view key);
[[nodiscard]] inline std::uint64_t place_of(const ObjectKey& object) {
  return place_of(object.db, object.key);
}
[[nodiscard]] inline std::uint16_t bucket_of(std::uint64_t place) {
  return static_cast<std::uint16_t>(place >> (place_bits - 10));
}

// Stored key = group u16 | place u48 | db u8 | varint length + user key | kind u8 | in kinds of
// elements: place u32 | subkey. Group 0xFFFF is reserved for the store's own rows.
[[nodiscard]] std::string encode_place(std::uint16_t group, std::uint64_t place);
[[nodiscard]] std::string encode_object_prefix(std::uint16_t group, const ObjectKey& object);
void append_cell_name(std::string& prefix, const CellName& name);
[[nodiscard]] std::string encode_cell_key(std::uint16_t group, const CellKey& key);
// nullopt if the bytes are not a stored key of a known kind.
[[nodiscard]] std::optional<CellKey> decode_cell_key(std::string_view stored);

}  // namespace starling
