#include "server/resp/command_table.h"

#include <algorithm>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "server/resp/command_notes.h"

namespace starling::resp {
namespace {

// Every command and subcommand with the container it is in, or null.
template <typename Visit>
void for_each_command(const Visit& visit) {
  for (const CommandFacts& command : command_table()) {
    visit(command, nullptr);
    for (const CommandFacts& subcommand : command.subcommands) {
      visit(subcommand, &command);
    }
  }
}

const CommandFacts& command(std::string_view name) {
  const CommandFacts* found = find_command(name);
  REQUIRE_MESSAGE(found != nullptr, name);
  return *found;
}

TEST_CASE("every command is found by its name, in any case") {
  for (const CommandFacts& facts : command_table()) {
    std::string loud(facts.name);
    std::ranges::transform(loud, loud.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    CHECK(find_command(facts.name) == &facts);
    CHECK(find_command(loud) == &facts);
    for (const CommandFacts& subcommand : facts.subcommands) {
      CHECK(find_subcommand(facts, loud = subcommand.name.substr(facts.name.size() + 1)) ==
            &subcommand);
    }
  }
  CHECK(find_command("GeT") == find_command("get"));
  CHECK(find_subcommand(command("config"), "GeT") == find_subcommand(command("config"), "get"));
}

TEST_CASE("what is not a command is not found") {
  using std::string_view_literals::operator""sv;
  for (const std::string_view name :
       {""sv, "gett"sv, "ge"sv, "get "sv, "get\0"sv, "config|get"sv, "lpush"sv, "bzpopmin"sv,
        "crdt"sv, "\xc7\xc5\xd4"sv, "[get"sv, "{et"sv}) {
    CHECK_MESSAGE(find_command(name) == nullptr, name);
  }
  CHECK(find_command(std::string(1 << 20, 'g')) == nullptr);
  CHECK(find_subcommand(command("config"), "") == nullptr);
  CHECK(find_subcommand(command("config"), "rewrite") == nullptr);
  CHECK(find_subcommand(command("get"), "get") == nullptr);
}

TEST_CASE("names are unique, in lower case, and a subcommand's begins with its container's") {
  std::set<std::string_view> names;
  for_each_command([&](const CommandFacts& facts, const CommandFacts* container) {
    CAPTURE(facts.name);
    CHECK(names.insert(facts.name).second);
    CHECK(std::ranges::none_of(facts.name, [](char c) { return c >= 'A' && c <= 'Z'; }));
    const std::string prefix = container == nullptr ? "" : std::string(container->name) + '|';
    CHECK(facts.name.starts_with(prefix));
    CHECK(facts.name.find('|', prefix.size()) == std::string_view::npos);
    CHECK((container == nullptr || facts.subcommands.empty()));
  });
}

TEST_CASE("the facts of one command agree with each other") {
  for_each_command([](const CommandFacts& facts, const CommandFacts* container) {
    CAPTURE(facts.name);
    const int least_parts = facts.arity < 0 ? -facts.arity : facts.arity;
    CHECK(least_parts >= (container == nullptr ? 1 : 2));
    CHECK_FALSE((facts.has(flag::write) && facts.has(flag::readonly)));
    CHECK((!facts.has(flag::denyoom) || facts.has(flag::write)));
    CHECK((facts.first_key == 0) == (facts.last_key == 0));
    CHECK((facts.first_key == 0) == (facts.key_step == 0));
    CHECK(facts.first_key < least_parts);
    CHECK(facts.last_key < least_parts);
    CHECK_FALSE(facts.summary.empty());
    CHECK_FALSE(facts.summary.ends_with('.'));
    CHECK((facts.group == Group::starling || facts.since <= "7.0.15"));
    // The syntax names as many words as the command must have.
    if (facts.arity > 0) {
      const auto words = facts.arguments.empty() ? 0 : std::ranges::count(facts.arguments, ' ') + 1;
      CHECK(words + (container == nullptr ? 1 : 2) == facts.arity);
    }
  });
}

TEST_CASE("arity counts the name, and its sign says whether more may follow") {
  CHECK(command("get").takes(2));
  CHECK_FALSE(command("get").takes(1));
  CHECK_FALSE(command("get").takes(3));
  CHECK_FALSE(command("mget").takes(1));
  CHECK(command("mget").takes(2));
  CHECK(command("mget").takes(2000));
  CHECK_FALSE(command("get").takes(0));
}

// From what clients expect, not from the dump that the table was made from.
TEST_CASE("facts that clients rely on") {
  const CommandFacts& mset = command("MSET");
  CHECK(mset.arity == -3);
  CHECK(mset.flags == (flag::write | flag::denyoom));
  CHECK(mset.first_key == 1);
  CHECK(mset.last_key == -1);
  CHECK(mset.key_step == 2);
  CHECK(mset.group == Group::string);
  CHECK(mset.since == "1.0.1");

  const CommandFacts& zunionstore = command("ZUNIONSTORE");
  CHECK(zunionstore.arity == -4);
  CHECK(zunionstore.first_key == 1);
  CHECK(zunionstore.last_key == 1);
  CHECK(zunionstore.has(flag::movablekeys));

  CHECK(command("EVAL").has(flag::movablekeys));
  CHECK(command("ZINTER").first_key == 0);
  CHECK(command("WATCH").last_key == -1);
  CHECK(command("SHUTDOWN").has(flag::no_multi));
  CHECK(command("HELLO").has(flag::no_auth));
  CHECK(command("SUBSCRIBE").has(flag::pubsub));
  CHECK(command("SMEMBERS").reply == ReplyShape::set);
  CHECK(command("CRDT.WHY").group == Group::starling);

  const CommandFacts* encoding = find_subcommand(command("OBJECT"), "ENCODING");
  REQUIRE(encoding != nullptr);
  CHECK(encoding->arity == 3);
  CHECK(encoding->first_key == 2);
}

TEST_CASE("every command says what it costs") {
  for_each_command([](const CommandFacts& facts, const CommandFacts*) {
    CAPTURE(facts.name);
    CHECK(notes_of(facts).name == facts.name);
    CHECK_FALSE(notes_of(facts).complexity.empty());
  });
}

TEST_CASE("flags, groups and shapes have names of their own") {
  std::set<std::string_view> names;
  std::uint32_t flags = 0;
  for (const FlagName& name : flag_names) {
    CHECK(names.insert(name.name).second);
    CHECK((flags & name.flag) == 0);
    flags |= name.flag;
  }
  std::set<std::string_view> groups;
  for_each_command([&](const CommandFacts& facts, const CommandFacts*) {
    CHECK_MESSAGE((facts.flags & ~flags) == 0, facts.name);
    groups.insert(group_name(facts.group));
    CHECK_FALSE(reply_shape_name(facts.reply).empty());
  });
  CHECK(groups == std::set<std::string_view>{"string", "generic", "hash", "set", "sorted-set",
                                             "transactions", "pubsub", "connection", "server",
                                             "scripting", "cluster", "starling"});
}

}  // namespace
}  // namespace starling::resp
