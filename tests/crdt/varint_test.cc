#include "crdt/varint.h"

#include <limits>

#include <doctest/doctest.h>

#include "tests/crdt/property.h"

namespace starling::test {
namespace {

std::string bytes_of(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) {
    out.push_back(static_cast<char>(value));
  }
  return out;
}

}  // namespace

TEST_CASE("every unsigned number comes back, and numbers below 128 take one byte") {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128},
                                    std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    std::string out;
    put_varint(out, value);
    ByteReader in(out);
    CHECK(in.varint() == value);
    CHECK(in.complete());
    CHECK((out.size() == 1) == (value < 128));
  }
}

TEST_CASE("every signed 128-bit number comes back, the least and the greatest included") {
  const Int128 greatest = static_cast<Int128>(~UInt128{0} >> 1);
  for (const Int128 value :
       {Int128{0}, Int128{-1}, Int128{63}, Int128{-64}, greatest, -greatest - 1}) {
    std::string out;
    put_signed(out, value);
    ByteReader in(out);
    CHECK((in.signed_varint() == value));
    CHECK(in.complete());
  }
}

TEST_CASE("an overlong or oversized varint is refused") {
  for (const std::string& bytes :
       {bytes_of({0x80, 0x00}), bytes_of({0xFF, 0x80, 0x00}),
        bytes_of({0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02}),
        std::string(30, '\xFF'), std::string("\x80"), std::string()}) {
    ByteReader in(bytes);
    CHECK(in.varint() == 0);
    CHECK_FALSE(in.ok());
  }
}

TEST_CASE("after a failed read everything reads as zero and the reader stays failed") {
  const std::string bytes = bytes_of({5, 1, 2});
  ByteReader in(bytes);
  CHECK(in.bytes().empty());
  CHECK_FALSE(in.ok());
  CHECK(in.u8() == 0);
  CHECK(in.be<std::uint64_t>() == 0);
  CHECK(in.take(0).empty());
  CHECK_FALSE(in.complete());
}

TEST_CASE("a count never exceeds the bytes that are left") {
  std::string bytes;
  put_varint(bytes, 1u << 30);
  bytes += "abc";
  ByteReader in(bytes);
  CHECK(in.count() == 0);
  CHECK_FALSE(in.ok());
}

TEST_CASE("fixed-width numbers sort as bytes") {
  std::string small;
  std::string great;
  put_be(small, std::uint32_t{0x000000FF});
  put_be(great, std::uint32_t{0x00000100});
  CHECK(small < great);
}

TEST_CASE("whatever varint is accepted is written back with the same bytes") {
  check_property("varints are canonical", 20'000, [] {
    const auto bytes = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
    ByteReader in(bytes);
    const std::uint64_t value = in.varint();
    if (in.ok()) {
      std::string again;
      put_varint(again, value);
      RC_ASSERT(again == bytes.substr(0, bytes.size() - in.remaining()));
    }
  });
}

}  // namespace starling::test
