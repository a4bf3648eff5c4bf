// Prints docs/commands.md from the command table; with --check FILE says whether that is what the
// file holds.
#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/resp/call.h"
#include "server/resp/command_notes.h"
#include "server/resp/command_table.h"

namespace {

using starling::resp::CommandFacts;
using starling::resp::Group;

constexpr std::array groups{
    std::pair{Group::string, "Strings and counters"},
    std::pair{Group::generic, "Keys"},
    std::pair{Group::hash, "Hashes"},
    std::pair{Group::set, "Sets"},
    std::pair{Group::sorted_set, "Sorted sets"},
    std::pair{Group::transactions, "Transactions"},
    std::pair{Group::pubsub, "Publish and subscribe"},
    std::pair{Group::connection, "Connections"},
    std::pair{Group::server, "The server"},
    std::pair{Group::scripting, "Scripting"},
    std::pair{Group::cluster, "Redis Cluster"},
    std::pair{Group::starling, "Starling's own"},
};

constexpr std::string_view introduction =
    R"(# Commands at the RESP door

Made from the command table (`server/resp/command_table.cc`, `command_notes.cc`) by `build/bin/command_docs`; do not edit. Names,
arguments and *since* are those of Redis 7.0.15, or of Starling for its own; what differs from Redis is in
[redis-compatibility.md](redis-compatibility.md). A node that is cut off answers every command: where that has a consequence the last
column says which. [semantics.md](semantics.md) has the rules, pair by pair.

The costs: N is what is named or held, C what is chosen or answered, M what the sorted set or the other value holds. The order of a
sorted set is made when a command first asks for it, O(M log M), and kept while it is used.
)";

// Of a cell in a table.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c == '|' ? "\\|" : std::string(1, c);
  }
  return out;
}

std::string row(const CommandFacts& facts) {
  std::string call = starling::resp::upper_case(facts.name);
  std::ranges::replace(call, '|', ' ');
  if (!facts.arguments.empty()) {
    call += " " + std::string(facts.arguments);
  }
  const auto& notes = starling::resp::notes_of(facts);
  return "| `" + escaped(call) + "` | " + std::string(facts.since) + " | " +
         std::string(facts.summary) + " | " + escaped(notes.complexity) + " | " +
         std::string(notes.when_cut_off) + " |\n";
}

std::string document() {
  std::string text(introduction);
  for (const auto& [group, title] : groups) {
    text += "\n## " + std::string(title) + "\n\n";
    text += "| Command | Since | What it does | Cost | When cut off |\n|---|---|---|---|---|\n";
    std::vector<const CommandFacts*> commands;
    for (const CommandFacts& facts : starling::resp::command_table()) {
      if (facts.group != group) {
        continue;
      }
      if (facts.subcommands.empty()) {
        commands.push_back(&facts);
      }
      for (const CommandFacts& subcommand : facts.subcommands) {
        commands.push_back(&subcommand);
      }
    }
    std::ranges::sort(commands, {}, [](const CommandFacts* facts) { return facts->name; });
    for (const CommandFacts* facts : commands) {
      text += row(*facts);
    }
  }
  return text;
}

int check(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string held{std::istreambuf_iterator<char>(file), {}};
  if (held == document()) {
    return 0;
  }
  std::fprintf(stderr,
               "%s is not what the command table says; `build/bin/command_docs > docs/commands.md` "
               "makes it anew\n",
               path);
  return 1;
}

}  // namespace

int main(int count, char** words) {
  if (count == 3 && std::string_view(words[1]) == "--check") {
    return check(words[2]);
  }
  return std::fputs(document().c_str(), stdout) < 0 ? 1 : 0;
}
