#pragma once

#include <string>

#include "client/cli/command_table.h"

namespace starling::cli {

[[nodiscard]] std::string bash_completion();

}  // namespace starling::cli
