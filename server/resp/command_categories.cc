#include "server/resp/command_categories.h"

#include <algorithm>
#include <array>
#include <span>

namespace starling::resp {
namespace {

std::string_view category_of(Group group) {
  switch (group) {
    case Group::string:
      return "@string";
    case Group::generic:
      return "@keyspace";
    case Group::hash:
      return "@hash";
    case Group::set:
      return "@set";
    case Group::sorted_set:
      return "@sortedset";
    case Group::transactions:
      return "@transaction";
    case Group::connection:
      return "@connection";
    case Group::scripting:
      return "@scripting";
    case Group::pubsub:
    case Group::server:
    case Group::cluster:
    case Group::starling:
      return {};
  }
  return {};
}

// Where Redis says otherwise than flags and group would.
constexpr std::array<std::string_view, 2> also_admin{"lastsave", "role"};
constexpr std::array<std::string_view, 7> also_dangerous{"flushall", "flushdb", "info",  "keys",
                                                         "lastsave", "role",    "swapdb"};
constexpr std::array<std::string_view, 4> also_keyspace{"dbsize", "flushall", "flushdb", "swapdb"};
constexpr std::array<std::string_view, 4> also_connection{"command", "readonly", "readwrite",
                                                          "wait"};

bool among(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::vector<std::string_view> categories_of(const CommandFacts& facts) {
  const std::string_view container = facts.name.substr(0, facts.name.find('|'));
  const bool is_container = !facts.subcommands.empty();
  const bool admin = facts.has(flag::admin) || among(also_admin, facts.name);
  std::string_view group = is_container ? "" : category_of(facts.group);
  if (among(also_connection, container)) {
    group = "@connection";
  } else if (among(also_keyspace, facts.name)) {
    group = "@keyspace";
  }
  std::vector<std::string_view> categories;
  const auto add_if = [&](bool holds, std::string_view category) {
    if (holds) {
      categories.push_back(category);
    }
  };
  add_if(!group.empty(), group);
  add_if(facts.has(flag::write), "@write");
  add_if(facts.has(flag::readonly), "@read");
  add_if(admin, "@admin");
  add_if(facts.has(flag::pubsub), "@pubsub");
  add_if(facts.has(flag::fast), "@fast");
  add_if(!facts.has(flag::fast), "@slow");
  add_if(facts.has(flag::blocking), "@blocking");
  add_if(admin || among(also_dangerous, facts.name), "@dangerous");
  return categories;
}

}  // namespace starling::resp
