#include "server/resp/command_keys.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace starling::resp {

namespace {

// As Redis reads a number of keys here, before the command itself refuses what is none.
std::int64_t leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\n\v\f\r"), text.size()));
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc{} ? number : 0;
}

}  // namespace

// The table's syntax line tells: keys that may be anywhere come behind their number.
std::size_t key_count_place(const CommandFacts& facts) {
  if (!facts.has(flag::movablekeys)) {
    return 0;
  }
  const std::size_t at = facts.arguments.find("numkeys");
  if (at == std::string_view::npos) {
    return 0;
  }
  return 1 + static_cast<std::size_t>(std::ranges::count(facts.arguments.substr(0, at), ' '));
}

std::optional<std::vector<std::size_t>> keys_of(const CommandFacts& facts,
                                                std::span<const std::string_view> args) {
  std::vector<std::size_t> places;
  const auto words = static_cast<std::ptrdiff_t>(args.size());
  if (facts.first_key > 0) {
    const std::ptrdiff_t last = facts.last_key < 0 ? words + facts.last_key : facts.last_key;
    for (std::ptrdiff_t i = facts.first_key; i <= last; i += facts.key_step) {
      if (i >= words) {
        return std::nullopt;
      }
      places.push_back(static_cast<std::size_t>(i));
    }
  }
  if (const std::size_t place = key_count_place(facts); place > 0) {
    const std::int64_t count = place < args.size() ? leading_number(args[place]) : 0;
    const auto left = words - 1 - static_cast<std::ptrdiff_t>(place);
    const bool may_be_none = facts.has(flag::no_mandatory_keys);
    if (count < (may_be_none ? 0 : 1) || count > left) {
      return std::nullopt;
    }
    for (std::ptrdiff_t i = 1; i <= count; ++i) {
      places.push_back(place + static_cast<std::size_t>(i));
    }
  }
  return places;
}

}  // namespace starling::resp
