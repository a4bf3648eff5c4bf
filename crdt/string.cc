#include "crdt/string.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace starling {
namespace {

// Increments alone may be beyond 64 bits where base and increments together are not. Sums beyond
// 126 bits are nobody's honest ones.
DoubleDouble exactly(Int128 value) {
  const auto hi = static_cast<double>(value);
  return {hi, std::fabs(hi) < 0x1p126 ? static_cast<double>(value - static_cast<Int128>(hi)) : 0};
}

// The value while only integers are involved; nullopt otherwise.
std::optional<std::int64_t> whole_sum(const Sibling* winner, const Total& increments) {
  const auto base = winner == nullptr ? 0 : parse_integer(winner->bytes);
  if (!base || increments.has_real()) {
    return std::nullopt;
  }
  return saturate(wrapping_add(*base, increments.units));
}

}  // namespace

std::optional<std::string> StringView::text() const {
  const Sibling* winner = base_.winner();
  if (!increments_.exists()) {
    return winner == nullptr ? std::nullopt : std::optional(winner->bytes);
  }
  const Total sum = increments_.value();
  if (const auto whole = whole_sum(winner, sum)) {
    return std::to_string(*whole);
  }
  const auto base = winner == nullptr ? DoubleDouble{} : parse_decimal(winner->bytes);
  if (!base) {
    return winner->bytes;
  }
  return format_real(*base + exactly(sum.units) + sum.real);
}

std::optional<std::int64_t> StringView::integer() const {
  if (const auto whole = whole_sum(base_.winner(), increments_.value())) {
    return whole;
  }
  return parse_integer(*text());  // a float that happens to be whole
}

bool StringView::hides_increments() const {
  const Sibling* winner = base_.winner();
  return winner != nullptr && increments_.exists() && !parse_real(winner->bytes);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  const std::string_view digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || (digits[0] == '0' && text.size() > 1)) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> parse_real(std::string_view text) {
  const auto value = parse_decimal(text);
  return value ? std::optional(value->hi) : std::nullopt;
}

std::optional<long double> parse_long(std::string_view text) {
  if (text.empty() || std::isspace(static_cast<unsigned char>(text[0])) != 0) {
    return std::nullopt;
  }
  const std::string copy(text);  // strtold wants an end
  char* end = nullptr;
  errno = 0;
  const long double value = std::strtold(copy.c_str(), &end);
  const bool beyond = errno == ERANGE && (std::isinf(value) || value == 0);
  if (end != copy.c_str() + copy.size() || std::isnan(value) || beyond) {
    return std::nullopt;
  }
  return value;
}

std::optional<DoubleDouble> parse_decimal(std::string_view text) {
  const auto value = parse_long(text);
  const auto hi = value ? static_cast<double>(*value) : 0;
  if (!value || !std::isfinite(hi)) {
    return std::nullopt;
  }
  return DoubleDouble{hi, static_cast<double>(*value - hi)};
}

namespace {

// To 64 bits of mantissa, wherever a long double has more of them.
long double rounded(long double value) {
  if constexpr (std::numeric_limits<long double>::digits > 64) {
    int exponent = 0;
    const long double fraction = std::frexp(value, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(fraction, 64)), exponent - 64);
  }
  return value;
}

}  // namespace

std::string format_real(const DoubleDouble& value) {
  constexpr int decimals = 17;
  std::array<char, 340> buffer{};  // 309 digits before the point and those behind it
  const auto sum = rounded(static_cast<long double>(value.hi) + value.lo);
  std::string out(buffer.data(), static_cast<std::size_t>(std::snprintf(
                                     buffer.data(), buffer.size(), "%.*Lf", decimals, sum)));
  out.erase(out.find_last_not_of('0') + 1);
  if (out.ends_with('.')) {
    out.pop_back();
  }
  return out == "-0" ? "0" : out;
}

}  // namespace starling
