// A sum of integers and floats that every replica computes to the same bits.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace starling {

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

// Honest sums stay far inside 128 bits. A hostile peer's may not: they wrap, identically
// everywhere, instead of being undefined.
[[nodiscard]] constexpr Int128 wrapping_add(Int128 a, Int128 b) {
  return static_cast<Int128>(static_cast<UInt128>(a) + static_cast<UInt128>(b));
}
[[nodiscard]] constexpr Int128 wrapping_sub(Int128 a, Int128 b) {
  return static_cast<Int128>(static_cast<UInt128>(a) - static_cast<UInt128>(b));
}

// A double-double: hi + lo, |lo| <= ulp(hi)/2. Error-free sums as in Knuth (TAOCP 2, 4.2.2) and
// Dekker (1971), so that a float counter is rounded once, at read (R3.3).
// Invariant: finite. A sum that leaves the range saturates: NaN would differ in its bits from one
// machine to the next.
struct DoubleDouble {
  double hi = 0;
  double lo = 0;

  friend DoubleDouble operator+(const DoubleDouble& a, const DoubleDouble& b) {
    const double sum = a.hi + b.hi;
    if (!std::isfinite(sum)) {
      return {std::copysign(std::numeric_limits<double>::max(), sum), 0};
    }
    const double b_part = sum - a.hi;
    const double error = (a.hi - (sum - b_part)) + (b.hi - b_part) + a.lo + b.lo;
    const double hi = sum + error;
    if (!std::isfinite(hi)) {
      return {sum, 0};
    }
    return {hi, error - (hi - sum)};
  }
  friend DoubleDouble operator-(const DoubleDouble& a, const DoubleDouble& b) {
    return a + DoubleDouble{-b.hi, -b.lo};
  }
  friend bool operator==(const DoubleDouble&, const DoubleDouble&) = default;
};

// Integer and float increments of one object, kept apart so that integers stay exact.
struct Total {
  Int128 units = 0;
  DoubleDouble real;

  static Total of(std::int64_t units) { return {units, {}}; }
  static Total of_real(double value) { return {0, {value, 0}}; }
  static Total of_real(const DoubleDouble& value) { return {0, value}; }

  [[nodiscard]] bool has_real() const { return real.hi != 0 || real.lo != 0; }

  friend Total operator+(const Total& a, const Total& b) {
    return {wrapping_add(a.units, b.units), a.real + b.real};
  }
  friend Total operator-(const Total& a, const Total& b) {
    return {wrapping_sub(a.units, b.units), a.real - b.real};
  }
  friend bool operator==(const Total&, const Total&) = default;
};

// A merged sum may leave the 64-bit range; it then saturates identically everywhere.
[[nodiscard]] constexpr std::int64_t saturate(Int128 value) {
  constexpr Int128 low = std::numeric_limits<std::int64_t>::min();
  constexpr Int128 high = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(value < low ? low : value > high ? high : value);
}

}  // namespace starling
