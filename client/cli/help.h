#pragma once

#include <string>

#include "client/cli/command_table.h"

namespace starling::cli {

[[nodiscard]] std::string overview();
[[nodiscard]] std::string help_for(const CommandSpec& command);

}  // namespace starling::cli
