// Redis's ACL categories, derived from what the table knows.
#pragma once

#include <string_view>
#include <vector>

#include "server/resp/command_table.h"

namespace starling::resp {

// With the sign in front, as in COMMAND INFO: "@read", "@string".
[[nodiscard]] std::vector<std::string_view> categories_of(const CommandFacts& facts);

}  // namespace starling::resp
