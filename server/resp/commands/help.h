// What the HELP subcommands answer, made from the command table.
#pragma once

#include "server/resp/call.h"

namespace starling::resp {

// For any "container|help": one line with the syntax and one sentence for each subcommand.
void container_help(Call& call);

}  // namespace starling::resp
