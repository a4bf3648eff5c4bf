// COMMAND: what there is, told from the table. Clients read key positions and flags here.
#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crdt/string.h"
#include "server/resp/command_categories.h"
#include "server/resp/command_keys.h"
#include "server/resp/command_notes.h"
#include "server/resp/commands/families.h"
#include "server/resp/commands/help.h"
#include "server/resp/glob.h"
#include "server/resp/key_flags.h"
#include "server/resp/server.h"

namespace starling::resp {
namespace {

// What is in the table and has a function.
std::vector<const CommandFacts*> existing(const Call& call) {
  std::vector<const CommandFacts*> commands;
  for (const CommandFacts& facts : command_table()) {
    if (call.server.registry().find(facts.name) != nullptr) {
      commands.push_back(&facts);
    }
  }
  return commands;
}

std::vector<const CommandFacts*> existing_subcommands(const Call& call, const CommandFacts& facts) {
  std::vector<const CommandFacts*> commands;
  const Command* container = call.server.registry().find(facts.name);
  for (const CommandFacts& sub : facts.subcommands) {
    const std::string_view word = sub.name.substr(facts.name.size() + 1);
    if (container != nullptr &&
        call.server.registry().find_subcommand(*container, word) != nullptr) {
      commands.push_back(&sub);
    }
  }
  return commands;
}

// By its name in full: "get", "config|get".
const CommandFacts* facts_by_name(const Call& call, std::string_view name) {
  const std::size_t bar = name.find('|');
  const Command* command = call.server.registry().find(name.substr(0, bar));
  if (command != nullptr && bar != std::string_view::npos) {
    command = call.server.registry().find_subcommand(*command, name.substr(bar + 1));
  }
  return command == nullptr ? nullptr : command->facts;
}

// ---------------------------------------------------------------- INFO

// "RW access update", a flag each.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

void write_words(ReplyWriter& reply, std::span<const std::string_view> words) {
  reply.set(words.size());
  for (const std::string_view word : words) {
    reply.simple(word);
  }
}

void write_key_spec(ReplyWriter& reply, std::string_view flags, std::int64_t begin,
                    const std::function<void()>& find_keys) {
  reply.map(3);
  reply.bulk("flags");
  write_words(reply, words_of(flags));
  reply.bulk("begin_search");
  reply.map(2);
  reply.bulk("type");
  reply.bulk("index");
  reply.bulk("spec");
  reply.map(1);
  reply.bulk("index");
  reply.integer(begin);
  reply.bulk("find_keys");
  reply.map(2);
  find_keys();
}

// `last`: behind `begin`, or -1 for the last word.
void write_range_spec(ReplyWriter& reply, std::string_view flags, std::int64_t begin,
                      std::int64_t last, std::int64_t step) {
  write_key_spec(reply, flags, begin, [&] {
    reply.bulk("type");
    reply.bulk("range");
    reply.bulk("spec");
    reply.map(3);
    reply.bulk("lastkey");
    reply.integer(last);
    reply.bulk("keystep");
    reply.integer(step);
    reply.bulk("limit");
    reply.integer(0);
  });
}

void write_counted_spec(ReplyWriter& reply, std::string_view flags, std::size_t count_place) {
  write_key_spec(reply, flags, static_cast<std::int64_t>(count_place), [&] {
    reply.bulk("type");
    reply.bulk("keynum");
    reply.bulk("spec");
    reply.map(3);
    reply.bulk("keynumidx");
    reply.integer(0);
    reply.bulk("firstkey");
    reply.integer(1);
    reply.bulk("keystep");
    reply.integer(1);
  });
}

// One for keys that are alike; two where the first key is another matter than those behind it.
void write_key_specs(ReplyWriter& reply, const CommandFacts& facts) {
  const std::size_t count_place = key_count_place(facts);
  const KeyFlags flags = key_flags(facts);
  const std::int64_t begin = facts.first_key;
  const bool split = !flags.others.empty();
  reply.set((begin > 0 ? 1 : 0) + (split || count_place > 0 ? 1 : 0));
  if (begin > 0) {
    const std::int64_t last = split ? 0 : facts.last_key - (facts.last_key < 0 ? 0 : begin);
    write_range_spec(reply, flags.first, begin, last, split ? 1 : facts.key_step);
  }
  if (count_place > 0) {
    write_counted_spec(reply, split ? flags.others : flags.first, count_place);
  } else if (split) {
    const std::int64_t last = facts.last_key < 0 ? facts.last_key : facts.last_key - begin - 1;
    write_range_spec(reply, flags.others, begin + 1, last, facts.key_step);
  }
}

void write_info(const Call& call, const CommandFacts& facts) {
  ReplyWriter& reply = call.reply;
  reply.array(10);
  reply.bulk(facts.name);
  reply.integer(facts.arity);
  std::vector<std::string_view> flags;
  for (const FlagName& named : flag_names) {
    if (facts.has(named.flag)) {
      flags.push_back(named.name);
    }
  }
  write_words(reply, flags);
  reply.integer(facts.first_key);
  reply.integer(facts.last_key);
  reply.integer(facts.key_step);
  write_words(reply, categories_of(facts));
  reply.set(0);  // tips for proxies that spread a command over several servers: none of ours
  write_key_specs(reply, facts);
  const auto subcommands = existing_subcommands(call, facts);
  reply.array(subcommands.size());
  for (const CommandFacts* sub : subcommands) {
    write_info(call, *sub);
  }
}

void command(Call& call) {
  const auto all = existing(call);
  call.reply.array(all.size());
  for (const CommandFacts* facts : all) {
    write_info(call, *facts);
  }
}

void command_info(Call& call) {
  if (call.size() == 2) {
    command(call);
    return;
  }
  call.reply.array(call.size() - 2);
  for (std::size_t i = 2; i < call.size(); ++i) {
    const CommandFacts* facts = facts_by_name(call, call[i]);
    if (facts == nullptr) {
      call.reply.nil();
    } else {
      write_info(call, *facts);
    }
  }
}

void count(Call& call) { call.reply.integer(static_cast<std::int64_t>(existing(call).size())); }

// ---------------------------------------------------------------- DOCS

void write_docs(const Call& call, const CommandFacts& facts) {
  ReplyWriter& reply = call.reply;
  const auto subcommands = existing_subcommands(call, facts);
  reply.bulk(facts.name);
  reply.map(subcommands.empty() ? 4 : 5);
  reply.bulk("summary");
  reply.bulk(facts.summary);
  reply.bulk("since");
  reply.bulk(facts.since);
  reply.bulk("group");
  reply.bulk(group_name(facts.group));
  reply.bulk("complexity");
  reply.bulk(notes_of(facts).complexity);
  if (!subcommands.empty()) {
    reply.bulk("subcommands");
    reply.map(subcommands.size());
    for (const CommandFacts* sub : subcommands) {
      write_docs(call, *sub);
    }
  }
}

void docs(Call& call) {
  std::vector<const CommandFacts*> wanted;
  if (call.size() == 2) {
    wanted = existing(call);
  }
  for (std::size_t i = 2; i < call.size(); ++i) {
    if (const CommandFacts* facts = facts_by_name(call, call[i])) {
      wanted.push_back(facts);
    }
  }
  call.reply.map(wanted.size());
  for (const CommandFacts* facts : wanted) {
    write_docs(call, *facts);
  }
}

// ---------------------------------------------------------------- LIST

bool has_category(const CommandFacts& facts, std::string_view category) {
  const auto categories = categories_of(facts);
  return std::ranges::find(categories, category) != categories.end();
}

using Filter = std::function<bool(const CommandFacts&)>;

std::optional<Filter> filter(const Call& call) {
  if (call.size() == 2) {
    return [](const CommandFacts&) { return true; };
  }
  if (call.size() != 5 || !is_word(call[2], "FILTERBY")) {
    call.syntax_error();
    return std::nullopt;
  }
  if (is_word(call[3], "MODULE")) {
    return [](const CommandFacts&) { return false; };
  }
  if (is_word(call[3], "ACLCAT")) {
    return [category = "@" + lower(call[4])](const CommandFacts& facts) {
      return has_category(facts, category);
    };
  }
  if (is_word(call[3], "PATTERN")) {
    if (call[4].size() > max_pattern_bytes) {
      call.reply.error("ERR the pattern is longer than " + std::to_string(max_pattern_bytes) +
                       " bytes");
      return std::nullopt;
    }
    return [glob = Glob(lower(call[4]))](const CommandFacts& facts) {
      return glob.matches(facts.name);
    };
  }
  call.syntax_error();
  return std::nullopt;
}

void command_list(Call& call) {
  const auto wanted = filter(call);
  if (!wanted) {
    return;
  }
  std::vector<std::string_view> names;
  const auto add_if_wanted = [&](const CommandFacts& facts) {
    if ((*wanted)(facts)) {
      names.push_back(facts.name);
    }
  };
  for (const CommandFacts* facts : existing(call)) {
    add_if_wanted(*facts);
    for (const CommandFacts* sub : existing_subcommands(call, *facts)) {
      add_if_wanted(*sub);
    }
  }
  call.reply.array(names.size());
  for (const std::string_view name : names) {
    call.reply.bulk(name);
  }
}

// ---------------------------------------------------------------- GETKEYS

struct Request {
  const CommandFacts* facts = nullptr;
  std::span<const std::string_view> args;
  std::vector<std::size_t> keys;
};

std::optional<Request> request(const Call& call) {
  Request asked;
  asked.args = call.args.subspan(2);
  const Command* command = call.server.registry().find(asked.args[0]);
  if (command != nullptr && !command->facts->subcommands.empty() && asked.args.size() > 1) {
    command = call.server.registry().find_subcommand(*command, asked.args[1]);
  }
  if (command == nullptr) {
    call.reply.error("ERR Invalid command specified");
    return std::nullopt;
  }
  asked.facts = command->facts;
  if (!takes_keys(*asked.facts)) {
    call.reply.error("ERR The command has no key arguments");
    return std::nullopt;
  }
  if (!asked.facts->takes(asked.args.size())) {
    call.reply.error("ERR Invalid number of arguments specified for command");
    return std::nullopt;
  }
  auto keys = keys_of(*asked.facts, asked.args);
  if (!keys && !asked.facts->has(flag::no_mandatory_keys)) {
    call.reply.error("ERR Invalid arguments specified for command");
    return std::nullopt;
  }
  asked.keys = std::move(keys).value_or(std::vector<std::size_t>{});
  return asked;
}

void getkeys(Call& call) {
  if (const auto asked = request(call)) {
    call.reply.array(asked->keys.size());
    for (const std::size_t place : asked->keys) {
      call.reply.bulk(asked->args[place]);
    }
  }
}

// SET is the only command here whose flags follow from its words. Of keys whose number is written
// in a way that only the search for keys understands ("1 "), Redis tells no flags.
std::string_view flags_of_key(const Request& asked, std::size_t place) {
  const std::size_t count_place = key_count_place(*asked.facts);
  if (count_place > 0 && !parse_integer(asked.args[count_place])) {
    return "";
  }
  if (asked.facts->name == "set") {
    const bool reads = std::ranges::any_of(
        asked.args.subspan(3), [](std::string_view word) { return is_word(word, "GET"); });
    return reads ? "RW access update" : "OW update";
  }
  const KeyFlags flags = key_flags(*asked.facts);
  const bool is_first = std::cmp_equal(place, asked.facts->first_key);
  return flags.others.empty() || is_first ? flags.first : flags.others;
}

void getkeysandflags(Call& call) {
  if (const auto asked = request(call)) {
    call.reply.array(asked->keys.size());
    for (const std::size_t place : asked->keys) {
      call.reply.array(2);
      call.reply.bulk(asked->args[place]);
      write_words(call.reply, words_of(flags_of_key(*asked, place)));
    }
  }
}

}  // namespace

std::span<const Binding> table_commands() {
  static constexpr std::array bindings{
      Binding{"command", command},
      Binding{"command|count", count},
      Binding{"command|docs", docs},
      Binding{"command|getkeys", getkeys},
      Binding{"command|getkeysandflags", getkeysandflags},
      Binding{"command|help", container_help},
      Binding{"command|info", command_info},
      Binding{"command|list", command_list},
  };
  return bindings;
}

}  // namespace starling::resp
