#include "server/resp/commands/help.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

namespace starling::resp {
namespace {}  // namespace

void container_help(Call& call) {
  const std::string_view container = call.facts.name.substr(0, call.facts.name.find('|'));
  std::vector<std::string> lines{upper_case(container) +
                                 " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"};
  for (const CommandFacts& sub : find_command(container)->subcommands) {
    std::string line = upper_case(sub.name.substr(container.size() + 1));
    if (!sub.arguments.empty()) {
      line.append(" ").append(sub.arguments);
    }
    lines.push_back(std::move(line));
    lines.push_back("    " + std::string(sub.summary) + ".");
  }
  call.reply.array(lines.size());
  for (const std::string& line : lines) {
    call.reply.simple(line);
  }
}

}  // namespace starling::resp
