#include "crdt/cell_key.h"

#include <doctest/doctest.h>

#include "tests/crdt/property.h"
#include "tests/crdt/random_values.h"

namespace starling::test {

TEST_CASE("a stored key comes back, with any bytes in key and subkey") {
  check_property("stored keys come back", 10'000, [] {
    const std::vector<CellKind> kinds{CellKind::header,        CellKind::string_register,
                                      CellKind::string_totals, CellKind::mv_register,
                                      CellKind::flag,          CellKind::set_element,
                                      CellKind::hash_field,    CellKind::hash_totals,
                                      CellKind::scored_member, CellKind::scored_totals,
                                      CellKind::deadline};
    CellKey key;
    key.object.db = static_cast<std::uint8_t>(number(0, 255));
    key.object.key = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    key.cell = {kinds[number(0, kinds.size() - 1)],
                *rc::gen::container<std::string>(rc::gen::arbitrary<char>())};
    const std::string stored = encode_cell_key(static_cast<std::uint16_t>(number(0, 9)), key);
    const auto decoded = decode_cell_key(stored);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(*decoded == key);
  });
}

TEST_CASE("all cells of an object lie together behind its prefix, in the order of their names") {
  const ObjectKey object{0, "cart"};
  const std::string prefix = encode_object_prefix(0, object);
  const std::string x = encode_cell_key(0, {object, {CellKind::set_element, "a"}});
  const std::string y = encode_cell_key(0, {object, {CellKind::set_element, "b"}});
  const std::string z = encode_cell_key(0, {object, {CellKind::hash_field, ""}});
  CHECK(x.starts_with(prefix));
  CHECK(z.starts_with(prefix));
  CHECK((x < y) == (place_of("a") < place_of("b")));
  CHECK(y < z);
}

TEST_CASE("no key's prefix is a prefix of another key") {
  const std::string shorter = encode_object_prefix(0, {0, "a"});
  const std::string longer = encode_object_prefix(0, {0, "ab"});
  CHECK_FALSE(longer.starts_with(shorter));
}

TEST_CASE("a stored key of an unknown kind or in the wrong bucket is refused") {
  const CellKey key{{0, "k"}, {CellKind::flag, ""}};
  std::string unknown = encode_cell_key(0, key);
  unknown.back() = '\x7E';
  CHECK_FALSE(decode_cell_key(unknown));
  std::string moved = encode_cell_key(0, key);
  moved[3] = static_cast<char>(moved[3] ^ 1);
  CHECK_FALSE(decode_cell_key(moved));
  CHECK_FALSE(decode_cell_key(""));
  CHECK_FALSE(decode_cell_key(encode_object_prefix(0, key.object)));
}

TEST_CASE("the kinds of cells and the types of objects fit together") {
  CHECK(is_totals(CellKind::hash_totals));
  CHECK_FALSE(is_totals(CellKind::hash_field));
  CHECK(object_type(CellKind::string_totals) == ObjectType::string);
  CHECK(object_type(CellKind::header) == ObjectType::none);
  CHECK_FALSE(has_payload(CellKind::set_element));
  CHECK_FALSE(has_payload(CellKind::flag));
  CHECK(has_payload(CellKind::header));
  CHECK_FALSE(is_known_kind(0));
}

TEST_CASE("buckets depend on database and key only") {
  CHECK(bucket_of(place_of(ObjectKey{0, "k"})) == bucket_of(place_of(ObjectKey{0, "k"})));
  CHECK(bucket_of(place_of(ObjectKey{0, "k"})) < bucket_count);
  CHECK(bucket_of(place_of(ObjectKey{0, "k"})) != bucket_of(place_of(ObjectKey{1, "k"})));
}

}  // namespace starling::test
