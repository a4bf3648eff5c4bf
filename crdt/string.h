// A string and a counter are one object: a register (base) and per-origin increments over it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/dotted_cell.h"
#include "crdt/origin_totals.h"

namespace starling {

// A thin view of the two cells of a string, or of one hash field. Reads only.
//   value = the winning register; if that is a number, plus all increments;
//   increments alone are a counter that starts at 0.
// A winner that is not a number hides the increments until the next SET or DEL resets them.
class StringView {
 public:
  StringView(const DottedCell& base, const OriginTotals& increments)
      : base_(base), increments_(increments) {}

  [[nodiscard]] bool exists() const { return !base_.empty() || increments_.exists(); }
  // What GET shows; nullopt if the object does not exist. Sums that leave 64 bits saturate.
  [[nodiscard]] std::optional<std::string> text() const;
  // The value as INCR needs it: 0 if absent, nullopt if what GET shows is not a 64-bit integer.
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  // The winner is text, yet somebody incremented: those increments do not show.
  [[nodiscard]] bool hides_increments() const;

 private:
  const DottedCell& base_;
  const OriginTotals& increments_;
};

// A canonical decimal 64-bit integer, as Redis's string2ll: no sign '+', no leading zeros, no
// spaces.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);
// A number that fills the whole text, as strtold reads it and Redis with it: decimal, hexadecimal,
// with an exponent, or infinite; no spaces, no NaN.
[[nodiscard]] std::optional<long double> parse_long(std::string_view text);
// The same, finite as a double.
[[nodiscard]] std::optional<double> parse_real(std::string_view text);
// In double-double, as exactly as strtold reads it, so that 0.1 and 0.2 add up to 0.3 as they do in
// Redis.
[[nodiscard]] std::optional<DoubleDouble> parse_decimal(std::string_view text);
// As Redis prints a float: at most 17 decimals, no trailing zeros, never an exponent. Rounded here,
// once (R3.3), to the 64 bits that a long double has on x86: on every machine, so that all replicas
// print the same.
[[nodiscard]] std::string format_real(const DoubleDouble& value);
[[nodiscard]] inline std::string format_real(double value) {
  return format_real(DoubleDouble{value, 0});
}

}  // namespace starling
