// What a command does to its keys, in the words of Redis 7's key specifications: RO, RW, OW
// (overwrites), RM (removes), then what it reads or writes of the data.
#pragma once

#include <string_view>

#include "server/resp/command_table.h"

namespace starling::resp {

// Words with spaces between them. `others` is empty where all keys of a command are alike; else it
// is for the keys behind the first one.
struct KeyFlags {
  std::string_view first;
  std::string_view others;
};
// Of a command that takes keys.
[[nodiscard]] KeyFlags key_flags(const CommandFacts& facts);

}  // namespace starling::resp
