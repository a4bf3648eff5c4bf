// Values, times and names in sentences for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace starling::replica {

inline constexpr std::size_t max_text_shown = 200;

// The beginning of a text, cut between characters.
[[nodiscard]] std::string_view clipped(std::string_view text, std::size_t size = max_text_shown);
// In quotes, or how many bytes it has if they are no text. `whole`: the bytes that there are, if
// `bytes` is only how they begin.
[[nodiscard]] std::string shown(std::string_view bytes, std::uint64_t whole = 0);
// 2026-11-24T12:30:00.123Z
[[nodiscard]] std::string utc(std::uint64_t unix_ms);
// a, b and c
[[nodiscard]] std::string joined(const std::vector<std::string>& names);

}  // namespace starling::replica
