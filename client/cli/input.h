// Files, numbers and words that users give.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace starling::cli {

// A whole file, or standard input for "-". The error is a sentence with the path.
[[nodiscard]] std::expected<std::string, std::string> read_whole(const std::string& path);

[[nodiscard]] std::optional<std::int64_t> parse_count(std::string_view text);  // >= 0

// Words of a line as in a shell: '...' as it is, "..." with \n \t \r \\ \" \xHH, backslash before
// anything else outside. Nothing for an empty line or a # comment.
[[nodiscard]] std::expected<std::vector<std::string>, std::string> split_words(
    std::string_view line);

}  // namespace starling::cli
