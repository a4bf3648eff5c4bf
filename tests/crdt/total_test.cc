#include "crdt/total.h"

#include <limits>
#include <string>

#include <doctest/doctest.h>

#include "crdt/total_codec.h"
#include "tests/crdt/property.h"

namespace starling::test {
namespace {

constexpr double biggest = std::numeric_limits<double>::max();
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Int128 greatest = static_cast<Int128>(~UInt128{0} >> 1);

std::string encoded(const Total& total) {
  std::string out;
  put_total(out, total);
  return out;
}
bool decodes(const std::string& bytes) {
  ByteReader in(bytes);
  [[maybe_unused]] const Total total = read_total(in);
  return in.complete();
}
std::string raw(double hi, double lo) {
  std::string out;
  put_u8(out, 1);
  put_signed(out, 0);
  put_double(out, hi);
  put_double(out, lo);
  return out;
}

}  // namespace

TEST_CASE("integers stay exact beyond 64 bits and wrap where 128 bits end") {
  Total sum;
  for (int i = 0; i < 1000; ++i) {
    sum = sum + Total::of(std::numeric_limits<std::int64_t>::max());
  }
  CHECK((sum.units == static_cast<Int128>(1000) * std::numeric_limits<std::int64_t>::max()));
  const Total edge{greatest, {}};
  CHECK(((edge + Total::of(1)).units == -greatest - 1));
  CHECK(((Total{-greatest - 1, {}} - Total::of(1)).units == greatest));
}

TEST_CASE("a sum outside 64 bits saturates") {
  CHECK(saturate(greatest) == std::numeric_limits<std::int64_t>::max());
  CHECK(saturate(-greatest) == std::numeric_limits<std::int64_t>::min());
  CHECK(saturate(-5) == -5);
}

TEST_CASE("a float sum keeps what a double would lose") {
  DoubleDouble sum{1e16, 0};
  for (int i = 0; i < 10; ++i) {
    sum = sum + DoubleDouble{0.5, 0};
  }
  sum = sum - DoubleDouble{1e16, 0};
  CHECK(sum.hi == 5.0);
}

TEST_CASE(
    "a float sum that leaves the range saturates and never becomes infinite or not a number") {
  const DoubleDouble top = DoubleDouble{biggest, 0} + DoubleDouble{biggest, 0};
  CHECK(top.hi == biggest);
  CHECK(top.lo == 0);
  const DoubleDouble bottom = DoubleDouble{-biggest, 0} - DoubleDouble{biggest, 0};
  CHECK(bottom.hi == -biggest);
  CHECK((top + bottom).hi == 0);
  const DoubleDouble above =
      DoubleDouble{biggest, biggest / 1e17} + DoubleDouble{biggest / 1e17, 0};
  CHECK(std::isfinite(above.hi));
  CHECK(std::isfinite(above.lo));
}

TEST_CASE("any sum of finite doubles is finite, and a difference gives back what was added") {
  check_property("float sums", 20'000, [] {
    const auto finite = [] {
      const auto bits = *rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint64_t>());
      const auto value = std::bit_cast<double>(bits * 0x9E3779B97F4A7C15ULL);
      return std::isfinite(value) ? value : biggest;
    };
    const DoubleDouble x{finite(), 0};
    const DoubleDouble y{finite(), 0};
    const DoubleDouble sum = x + y;
    RC_ASSERT(std::isfinite(sum.hi) && std::isfinite(sum.lo));
    RC_ASSERT(x + y == y + x);
    RC_ASSERT(sum.hi + sum.lo == sum.hi);
    RC_ASSERT(x - x == DoubleDouble{});
  });
}

TEST_CASE("a total comes back, and equal totals have equal bytes") {
  for (const Total& total :
       {Total{}, Total::of(-7), Total{greatest, {}}, Total{-greatest - 1, {}}, Total::of_real(2.5),
        Total{3, {1e300, -1e280}}, Total{0, {0, 1e-300}}}) {
    const std::string bytes = encoded(total);
    ByteReader again(bytes);
    CHECK((read_total(again) == total));
    CHECK(again.complete());
  }
  CHECK(encoded(Total::of_real(-0.0)) == encoded(Total{}));
  CHECK(encoded({0, {4, -0.0}}) == encoded({0, {4, 0.0}}));
}

TEST_CASE("floats that are not finite, or that have a second spelling, are refused") {
  CHECK(decodes(raw(1, 0)));
  CHECK_FALSE(decodes(raw(infinity, 0)));
  CHECK_FALSE(decodes(raw(1, -infinity)));
  CHECK_FALSE(decodes(raw(std::numeric_limits<double>::quiet_NaN(), 0)));
  CHECK_FALSE(decodes(raw(1, -0.0)));
  CHECK_FALSE(decodes(raw(0, 0)));
  CHECK_FALSE(decodes("\x02"));
}

}  // namespace starling::test
