// The table and the functions: each has the other.
#include "server/resp/registry.h"

#include <initializer_list>
#include <set>
#include <span>
#include <string>

#include <doctest/doctest.h>

#include "server/resp/commands/families.h"

namespace starling::test {
namespace {

using Names = std::set<std::string_view>;

TEST_CASE("every command of the table has a function") {
  const auto unbound = resp::Registry().unbound();
  CHECK(Names(unbound.begin(), unbound.end()) == Names{});
}

TEST_CASE("every function belongs to a command of the table, and no command has two") {
  const std::initializer_list<std::span<const resp::Binding>> families{
      resp::string_commands(),
      resp::key_commands(),
      resp::hash_commands(),
      resp::set_commands(),
      resp::sorted_set_commands(),
      resp::sorted_set_range_commands(),
      resp::sorted_set_algebra_commands(),
      resp::server_commands_on_data(),
      resp::crdt_commands_on_data(),
      resp::transaction_commands(),
      resp::connection_commands(),
      resp::client_commands(),
      resp::table_commands(),
      resp::pubsub_commands(),
      resp::server_commands(),
      resp::info_commands(),
      resp::config_commands(),
      resp::refused_commands(),
      resp::crdt_commands(),
  };
  const resp::Registry registry;
  Names seen;
  for (const auto& family : families) {
    for (const resp::Binding& binding : family) {
      CAPTURE(binding.name);
      CHECK(seen.insert(binding.name).second);
      const std::size_t bar = binding.name.find('|');
      const resp::Command* command = registry.find(binding.name.substr(0, bar));
      REQUIRE(command != nullptr);
      if (bar != std::string_view::npos) {
        command = registry.find_subcommand(*command, binding.name.substr(bar + 1));
        REQUIRE(command != nullptr);
      }
      CHECK((command->run == binding.run));
    }
  }
}

}  // namespace
}  // namespace starling::test
