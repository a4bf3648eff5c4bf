// The help, made from the command table.
#include "client/cli/help.h"

#include <cstdio>

#include <fmt/format.h>

#include "client/cli/output.h"
#include "client/cli/terminal.h"

namespace starling::cli {
namespace {

std::string usage(const CommandSpec& command) {
  std::string line = fmt::format("kvctl {}", command.name);
  for (const Positional& positional : command.positionals) {
    std::string part(positional.name);
    if (positional.repeated) {
      part += "...";
    }
    line += positional.optional ? " [" + part + "]" : " " + part;
  }
  return line;
}

// Words of `text` in lines of at most 78 characters.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string lines(indent, ' ');
  std::size_t column = indent;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!first && column + 1 + word.size() > 78) {
      lines += "\n" + std::string(indent, ' ');
      column = indent;
      first = true;
    }
    lines += (first ? "" : " ") + std::string(word);
    column += word.size() + (first ? 0 : 1);
    first = false;
  }
  return lines + "\n";
}

std::string option_lines(std::span<const OptionSpec> options) {
  std::string lines;
  for (const OptionSpec& option : options) {
    const auto comma = option.name.find(',');
    std::string left =
        comma == std::string_view::npos
            ? fmt::format("    {}", option.name)
            : fmt::format("{}, {}", option.name.substr(0, comma), option.name.substr(comma + 1));
    if (!option.value.empty()) {
      left += fmt::format(" {}", option.value);
    }
    std::string help = wrapped(option.help, 30);
    if (left.size() <= 27) {
      help.replace(2, left.size(), left);
      lines += help;
    } else {
      lines += fmt::format("  {}\n{}", left, help);
    }
  }
  return lines;
}

}  // namespace

std::string overview() {
  std::string text =
      "kvctl talks to Starling, a replicated key-value store.\n\n"
      "  kvctl [-n ADDR] COMMAND [ARGUMENTS]\n\n"
      "Try `kvctl demo` first: three nodes on this machine that are cut apart and heal.\n";
  std::string_view group;
  for (const CommandSpec& command : command_table()) {
    if (command.hidden) {
      continue;
    }
    if (command.group != group) {
      group = command.group;
      text += fmt::format("\n{}\n", styled(Style::bold, group));
    }
    // Padded before it is coloured.
    text += fmt::format("  {}{}\n", styled(Style::accent, fmt::format("{:<13}", command.name)),
                        command.summary);
  }
  text += fmt::format("\n{}\n{}", styled(Style::bold, "Options of every command"),
                      option_lines(global_options()));
  text += fmt::format(
      "\n{}\n"
      "  0 ok   1 failed   2 usage   3 not found   4 cannot connect   5 timeout\n"
      "  6 not converged or unhealthy   7 refused by policy or limit   8 wrong type\n"
      "\nOff a terminal kvctl prints one raw value a line. `kvctl help COMMAND` says more.\n",
      styled(Style::bold, "Exit codes"));
  return text;
}

std::string help_for(const CommandSpec& command) {
  std::string text =
      fmt::format("{}\n\n{}", styled(Style::bold, usage(command)), wrapped(command.summary, 2));
  if (!command.details.empty()) {
    text += "\n" + wrapped(command.details, 2);
  }
  if (!command.options.empty()) {
    text += fmt::format("\n{}\n{}", styled(Style::bold, "Options"), option_lines(command.options));
  }
  text += fmt::format("\n{}\n", styled(Style::bold, "Examples"));
  std::string_view examples = command.examples;
  while (!examples.empty()) {
    const std::size_t end = std::min(examples.find('\n'), examples.size());
    text += fmt::format("  {}\n", examples.substr(0, end));
    examples.remove_prefix(std::min(end + 1, examples.size()));
  }
  text += fmt::format("\n{}\n{}", styled(Style::bold, "Options of every command"),
                      option_lines(global_options()));
  return text;
}

int run_help(Session& session, const Invocation& call) {
  if (call.args.empty()) {
    print(overview());
    return exit_ok;
  }
  const CommandSpec* command = find_command(call.args.front());
  if (command == nullptr) {
    const std::string near = nearest(call.args.front(), command_names());
    return fail(session.globals(),
                {.exit = exit_usage,
                 .code = "usage",
                 .what = fmt::format("there is no command '{}'", call.args.front()),
                 .where = {},
                 .cause = {},
                 .advice = near.empty() ? "`kvctl help` lists all" : "kvctl help " + near});
  }
  print(help_for(*command));
  return exit_ok;
}

int run_version(Session& session, const Invocation& /*call*/) {
  print_line(session.globals().json ? "{\"version\":\"" STARLING_VERSION "\"}"
                                    : "kvctl " STARLING_VERSION);
  return exit_ok;
}

}  // namespace starling::cli
