// What people want to know of a command, and no code decides by: data beside the command table.
#pragma once

#include <string_view>

#include "server/resp/command_table.h"

namespace starling::resp {

struct CommandNotes {
  std::string_view name;        // as in the table
  std::string_view complexity;  // of this implementation
  // Where it matters: what it means on a node that is cut off from others. Else empty.
  std::string_view when_cut_off;
};

// Every command of the table and every subcommand has its notes.
[[nodiscard]] const CommandNotes& notes_of(const CommandFacts& facts);

}  // namespace starling::resp
