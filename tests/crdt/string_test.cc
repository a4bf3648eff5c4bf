#include "crdt/string.h"

#include <doctest/doctest.h>

#include "tests/crdt/replica.h"

namespace starling::test {

TEST_CASE("only canonical decimal 64-bit numbers are integers") {
  CHECK(parse_integer("0") == 0);
  CHECK(parse_integer("-17") == -17);
  CHECK(parse_integer("9223372036854775807") == INT64_MAX);
  CHECK(parse_integer("-9223372036854775808") == INT64_MIN);
  for (const char* text :
       {"", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "0x10", "1e3"}) {
    CHECK_MESSAGE(!parse_integer(text), text);
  }
}

TEST_CASE("only finite decimal numbers are floats") {
  CHECK(parse_real("2.5") == 2.5);
  CHECK(parse_real("-1e3") == -1000);
  for (const char* text : {"", "inf", "nan", "-inf", "1e999", "2.5x", " 2.5"}) {
    CHECK_MESSAGE(!parse_real(text), text);
    CHECK_MESSAGE(!parse_decimal(text), text);
  }
}

TEST_CASE("floats are printed as Redis prints them") {
  CHECK(format_real(3.0) == "3");
  CHECK(format_real(10.5) == "10.5");
  CHECK(format_real(-0.0) == "0");
  CHECK(format_real(1e20) == "100000000000000000000");
  CHECK(format_real(*parse_decimal("0.1") + *parse_decimal("0.2")) == "0.3");
  CHECK(format_real(*parse_decimal("3.0e3")) == "3000");
  CHECK(format_real(1e308).size() == 309);
  CHECK(format_real(*parse_decimal("12345.1")) == "12345.09999999999999964");  // as redis 7.0.15
  CHECK(format_real(1e-300) == "0");
  CHECK(format_real(*parse_decimal("1.5e-9")) == "0.0000000015");
}

TEST_CASE("INCRBYFLOAT as in the Redis manual: 10.50 + 0.1 is 10.6, 5.0e3 + 2.0e2 is 5200") {
  Replica a(origin_of(1));
  a.set("k", "10.50");
  CHECK(a.incr_float("k", "0.1"));
  CHECK(a.get("k") == "10.6");
  CHECK(a.incr_float("k", "-5"));
  CHECK(a.get("k") == "5.6");
  a.set("k", "5.0e3");
  CHECK(a.incr_float("k", "2.0e2"));
  CHECK(a.get("k") == "5200");
}

TEST_CASE("a float counter that is whole again takes INCR") {
  Replica a(origin_of(1));
  a.set("k", "1.5");
  CHECK_FALSE(a.incr("k"));
  CHECK(a.incr_float("k", "1.5"));
  CHECK(a.incr("k"));
  CHECK(a.get("k") == "4");
}

TEST_CASE("a merged sum that leaves 64 bits saturates identically on every replica") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  a.incr("k", INT64_MAX);
  b.incr("k", INT64_MAX);
  exchange(a, b);
  CHECK(a.get("k") == std::to_string(INT64_MAX));
  CHECK(a == b);
  b.incr("k", -INT64_MAX);
  exchange(a, b);
  CHECK(a.get("k") == std::to_string(INT64_MAX));
}

TEST_CASE("a string without increments shows its bytes as they are") {
  Replica a(origin_of(1));
  CHECK_FALSE(a.get("k"));
  a.set("k", "1.50");
  CHECK(a.get("k") == "1.50");
  a.set("k", std::string("\0\xFF", 2));
  CHECK(a.get("k") == std::string("\0\xFF", 2));
}

}  // namespace starling::test
