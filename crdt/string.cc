#include "crdt/string.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace starling {

std::optional<std::string> StringView::text() const {
  const Sibling* winner = base_.winner();
  if (winner == nullptr && !increments_.exists()) {
    return std::nullopt;
  }
  if (!increments_.exists()) {
    return winner->bytes;
  }
  const Total sum = increments_.value();
  if (!sum.has_real()) {
    if (const auto value = integer()) {
      return std::to_string(*value);
    }
  }
  const auto base = winner == nullptr ? 0.0 : parse_real(winner->bytes);
  if (!base) {
    return winner->bytes;
  }
  const DoubleDouble units{static_cast<double>(sum.units), 0};
  return format_real((DoubleDouble{*base, 0} + units + sum.real).hi);
}

std::optional<std::int64_t> StringView::integer() const {
  const Sibling* winner = base_.winner();
  const auto base =
      winner == nullptr ? std::optional<std::int64_t>(0) : parse_integer(winner->bytes);
  const Total sum = increments_.value();
  if (!base || sum.has_real()) {
    return std::nullopt;
  }
  return saturate(static_cast<Int128>(*base) + sum.units);
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

std::string format_real(double value) {
  char buffer[512];
  if (value == std::trunc(value) && std::abs(value) < 1e17) {
    std::snprintf(buffer, sizeof buffer, "%.0f", value);
    return buffer;
  }
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return error == std::errc{} ? std::string(buffer, end) : std::string();
}

}  // namespace starling
