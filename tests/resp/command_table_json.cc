// Prints the command table as JSON, for tests/resp/differential.py.
#include <cstdio>
#include <string>

#include "server/json_writer.h"
#include "server/resp/command_table.h"

namespace {

using starling::JsonWriter;
using starling::resp::CommandFacts;

void write_commands(JsonWriter& json, std::span<const CommandFacts> commands) {
  json.begin_array();
  for (const CommandFacts& command : commands) {
    json.begin_object();
    json.key("name").value(command.name);
    json.key("arity").value(command.arity);
    json.key("flags").begin_array();
    for (const auto& [flag, name] : starling::resp::flag_names) {
      if (command.has(flag)) {
        json.value(name);
      }
    }
    json.end_array();
    json.key("first_key").value(command.first_key);
    json.key("last_key").value(command.last_key);
    json.key("key_step").value(command.key_step);
    json.key("group").value(starling::resp::group_name(command.group));
    json.key("since").value(command.since);
    json.key("summary").value(command.summary);
    json.key("reply").value(starling::resp::reply_shape_name(command.reply));
    json.key("arguments").value(command.arguments);
    json.key("subcommands");
    write_commands(json, command.subcommands);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

int main() {
  JsonWriter json;
  write_commands(json, starling::resp::command_table());
  return std::puts(json.take().c_str()) < 0 ? 1 : 0;
}
