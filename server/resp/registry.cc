#include "server/resp/registry.h"

#include <algorithm>

#include "server/resp/commands/families.h"

namespace starling::resp {

Registry::Registry() {
  bind(string_commands(), true);
  bind(key_commands(), true);
  bind(hash_commands(), true);
  bind(set_commands(), true);
  bind(sorted_set_commands(), true);
  bind(sorted_set_range_commands(), true);
  bind(sorted_set_algebra_commands(), true);
  bind(transaction_commands(), false);
  bind(connection_commands(), false);
  bind(client_commands(), false);
  bind(table_commands(), false);
  bind(pubsub_commands(), false);
  bind(server_commands(), false);
  bind(server_commands_on_data(), true);
  bind(info_commands(), false);
  bind(config_commands(), false);
  bind(refused_commands(), false);
  bind(crdt_commands(), false);
  bind(crdt_commands_on_data(), true);
  for (const CommandFacts& facts : command_table()) {
    const auto has_function = [&](const CommandFacts& sub) { return commands_.contains(&sub); };
    if (std::ranges::any_of(facts.subcommands, has_function)) {
      commands_.try_emplace(&facts, Command{&facts, nullptr, false});
    }
  }
}

void Registry::bind(std::span<const Binding> family, bool on_data) {
  for (const Binding& binding : family) {
    const std::size_t bar = binding.name.find('|');
    const CommandFacts* facts = find_command(binding.name.substr(0, bar));
    if (facts != nullptr && bar != std::string_view::npos) {
      facts = resp::find_subcommand(*facts, binding.name.substr(bar + 1));
    }
    if (facts != nullptr) {  // a test sees to it that every binding is in the table
      commands_.emplace(facts, Command{facts, binding.run, on_data});
    }
  }
}

const Command* Registry::find(std::string_view name) const {
  const CommandFacts* facts = find_command(name);
  const auto found = facts == nullptr ? commands_.end() : commands_.find(facts);
  return found == commands_.end() ? nullptr : &found->second;
}

const Command* Registry::find_subcommand(const Command& container, std::string_view name) const {
  const CommandFacts* facts = resp::find_subcommand(*container.facts, name);
  const auto found = facts == nullptr ? commands_.end() : commands_.find(facts);
  return found == commands_.end() ? nullptr : &found->second;
}

std::vector<std::string_view> Registry::unbound() const {
  std::vector<std::string_view> names;
  for (const CommandFacts& facts : command_table()) {
    if (!commands_.contains(&facts)) {
      names.push_back(facts.name);
    }
    for (const CommandFacts& sub : facts.subcommands) {
      if (!commands_.contains(&sub)) {
        names.push_back(sub.name);
      }
    }
  }
  return names;
}

}  // namespace starling::resp
