#include "crdt/string.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace starling {
namespace {

DoubleDouble exactly(std::int64_t value) {
  const auto hi = static_cast<double>(value);
  return {hi, static_cast<double>(static_cast<Int128>(value) - static_cast<Int128>(hi))};
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
  return format_real(*base + exactly(saturate(sum.units)) + sum.real);
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
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() ||
      !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<DoubleDouble> parse_decimal(std::string_view text) {
  long double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto hi = static_cast<double>(value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() ||
      !std::isfinite(hi)) {
    return std::nullopt;
  }
  return DoubleDouble{hi, static_cast<double>(value - hi)};
}

std::string format_real(const DoubleDouble& value) {
  constexpr std::ptrdiff_t max_decimals = 17;
  std::array<char, 1100> buffer{};  // 309 digits before the point or 1074 behind it
  char* const begin = buffer.data();
  char* end = std::to_chars(begin, begin + buffer.size(), value.hi, std::chars_format::fixed).ptr;
  if (end - std::find(begin, end, '.') > max_decimals + 1) {
    end = std::to_chars(begin, begin + buffer.size(), value.hi, std::chars_format::fixed,
                        static_cast<int>(max_decimals))
              .ptr;
    while (end[-1] == '0') {
      --end;
    }
    if (end[-1] == '.') {
      --end;
    }
  }
  std::string out(begin, end);
  return out == "-0" ? "0" : out;
}

}  // namespace starling
