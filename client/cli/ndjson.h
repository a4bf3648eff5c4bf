// One line of an export as the command that brings it back.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <starling/command.h>

namespace starling::cli {

struct ImportLine {
  std::vector<Command> commands;  // none for an empty collection
  std::optional<std::int64_t> ttl_ms;
  bool drops_siblings = false;  // a register had several values; the last one will be kept
};

// {"db":0,"key":...,"type":...,"value":...,"ttl_ms":...}; `db` is for lines without one. The error
// says what is wrong, without the line number.
[[nodiscard]] std::expected<ImportLine, std::string> parse_ndjson(std::string_view line,
                                                                  std::uint8_t db);

}  // namespace starling::cli
