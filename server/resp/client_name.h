// Names that connections give themselves, in CLIENT SETNAME and HELLO.
#pragma once

#include <algorithm>
#include <string_view>

namespace starling::resp {

inline constexpr std::string_view bad_client_name =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// Visible ASCII only, so that CLIENT LIST stays one line of words; none at all takes it back.
[[nodiscard]] inline bool is_client_name(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; });
}

}  // namespace starling::resp
