// get, set, incr and all others that are one request; scan; batch.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>

#include "client/cli/input.h"
#include "client/cli/json.h"
#include "client/cli/output.h"
#include "client/cli/terminal.h"

namespace starling::cli {
namespace {

// del of several keys is one request; the user sees one number.
Value summed(const std::vector<Value>& values) {
  if (values.size() == 1) {
    return values.front();
  }
  std::int64_t sum = 0;
  for (const Value& value : values) {
    const auto* number = std::get_if<std::int64_t>(&value);
    sum += number == nullptr ? 0 : *number;
  }
  return sum;
}

struct BatchLine {
  const CommandSpec* command = nullptr;
  std::string key;
  std::size_t commands = 0;
};
struct ParsedBatch {
  std::vector<BatchLine> lines;
  std::vector<Command> commands;
};

std::expected<ParsedBatch, std::string> parse_batch(std::string_view text, std::uint8_t db) {
  ParsedBatch batch;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    const auto wrong = [number](std::string_view why) {
      return std::unexpected(fmt::format("line {}: {}", number, why));
    };
    auto words = split_words(line);
    if (!words) {
      return wrong(words.error());
    }
    if (words->empty()) {
      continue;
    }
    const CommandSpec* command = find_command(words->front());
    if (command == nullptr || command->build == nullptr) {
      return wrong(fmt::format("'{}' cannot stand in a batch", words->front()));
    }
    words->erase(words->begin());
    if (const auto why = check_arguments(*command, *words)) {
      return wrong(fmt::format("{}: {}", command->name, *why));
    }
    if (command->name == "set" && words->size() != 2) {
      return wrong("set: VALUE is missing");
    }
    auto commands = command->build(*words, db);
    if (!commands) {
      return wrong(commands.error());
    }
    batch.lines.push_back({command, words->front(), commands->size()});
    batch.commands.insert(batch.commands.end(), std::make_move_iterator(commands->begin()),
                          std::make_move_iterator(commands->end()));
  }
  return batch;
}

}  // namespace

int run_data_command(Session& session, const Invocation& call) {
  const Globals& globals = session.globals();
  const CommandSpec& command = *call.command;
  std::vector<std::string> args = call.args;
  if (call.has("--file")) {
    auto value = read_whole(call.option("--file"));
    if (!value) {
      return fail(globals, {.exit = exit_failed,
                            .code = "file",
                            .what = value.error(),
                            .where = {},
                            .cause = {},
                            .advice = {}});
    }
    args.push_back(std::move(*value));
  }
  auto commands = command.build(args, globals.db);
  if (!commands) {
    return fail(globals, {.exit = exit_usage,
                          .code = "usage",
                          .what = fmt::format("{}: {}", command.name, commands.error()),
                          .where = {},
                          .cause = {},
                          .advice = fmt::format("kvctl help {}", command.name)});
  }
  const auto reply = session.client().execute(std::move(*commands));
  if (!reply) {
    return fail(globals, session, command.name, reply.error());
  }
  return show_value(globals, command, args.front(), summed(reply->values));
}

int run_scan(Session& session, const Invocation& call) {
  const Globals& globals = session.globals();
  std::int64_t limit = std::numeric_limits<std::int64_t>::max();
  if (call.has("--limit")) {
    const auto number = parse_count(call.option("--limit"));
    if (!number) {
      return fail(globals, {.exit = exit_usage,
                            .code = "usage",
                            .what = "scan: --limit wants a number",
                            .where = {},
                            .cause = {},
                            .advice = "kvctl help scan"});
    }
    limit = *number;
  }
  const std::string prefix = call.args.empty() ? "" : call.args.front();
  std::string cursor;
  while (limit > 0) {
    const auto page =
        session.client().scan(prefix, cursor, std::min<std::int64_t>(limit, 1'000), globals.db);
    if (!page) {
      return fail(globals, session, "scan", page.error());
    }
    for (const std::string& key : page->items) {
      const bool printed = globals.json ? print_line(json_bytes(key)) : print_bytes(globals, key);
      if (!printed || --limit == 0) {
        return exit_ok;
      }
    }
    cursor = page->cursor;
    if (cursor.empty()) {
      break;
    }
  }
  return exit_ok;
}

int run_batch(Session& session, const Invocation& call) {
  const Globals& globals = session.globals();
  const auto text = read_whole(call.args.front());
  if (!text) {
    return fail(globals, {.exit = exit_failed,
                          .code = "file",
                          .what = text.error(),
                          .where = {},
                          .cause = {},
                          .advice = {}});
  }
  auto batch = parse_batch(*text, globals.db);
  if (!batch) {
    return fail(globals, {.exit = exit_usage,
                          .code = "usage",
                          .what = "batch: " + batch.error(),
                          .where = call.args.front(),
                          .cause = {},
                          .advice = "nothing was sent; `kvctl help batch` shows the form"});
  }
  const auto reply = session.client().execute(std::move(batch->commands));
  if (!reply) {
    Failure failure = describe(reply.error(), "batch", session.where(), session.greeted());
    if (!reply.error().maybe_applied) {
      failure.what += "; no command of it had an effect";
    }
    return fail(globals, failure);
  }
  std::size_t at = 0;
  for (const BatchLine& line : batch->lines) {
    const auto from = reply->values.begin() + static_cast<std::ptrdiff_t>(at);
    at += line.commands;
    const Value value = summed({from, from + static_cast<std::ptrdiff_t>(line.commands)});
    if (!globals.json && std::holds_alternative<std::monostate>(value)) {
      print_line("");  // keeps answers in step with commands
    } else {
      (void)show_value(globals, *line.command, line.key, value);
    }
  }
  return exit_ok;
}

}  // namespace starling::cli
