// The command line, taken apart. The only user of CLI11.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/command_table.h"

namespace starling::cli {

struct Parsed {
  Globals globals;
  Invocation call;    // call.command == nullptr: no command was given
  bool help = false;  // asked for
};

// Options may stand before and after the command and its arguments. `--` ends them; negative
// numbers need none. An error is a sentence for exit code 2.
[[nodiscard]] std::expected<Parsed, std::string> parse(std::vector<std::string> args);

// "10s", "500ms", "2m", "1h"
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace starling::cli
