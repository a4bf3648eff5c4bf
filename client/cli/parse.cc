#include "client/cli/parse.h"

#include <cctype>
#include <charconv>
#include <cstdlib>

#include <CLI/CLI.hpp>

#include "client/cli/input.h"

namespace starling::cli {
namespace {

// Marks an argument that is no option, whatever it looks like.
constexpr char marker = '\x01';

bool is_negative_number(std::string_view arg) {
  return arg.size() > 1 && arg[0] == '-' && std::isdigit(static_cast<unsigned char>(arg[1])) != 0;
}

std::vector<std::string_view> spellings(std::string_view name) {
  const auto comma = name.find(',');
  if (comma == std::string_view::npos) {
    return {name};
  }
  return {name.substr(0, comma), name.substr(comma + 1)};
}

std::string long_name(const OptionSpec& option) {
  return std::string(spellings(option.name).back());
}

const OptionSpec* find_option(std::span<const OptionSpec> options, std::string_view arg) {
  for (const OptionSpec& option : options) {
    for (const std::string_view spelling : spellings(option.name)) {
      if (arg == spelling) {
        return &option;
      }
    }
  }
  return nullptr;
}

// The first word that is neither an option nor the value of one.
std::optional<std::size_t> find_command_word(const std::vector<std::string>& args) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i].empty() || args[i][0] != '-') {
      return i;
    }
    const OptionSpec* option = find_option(global_options(), args[i]);
    if (option != nullptr && !option->value.empty()) {
      ++i;
    }
  }
  return std::nullopt;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) {
      parts.push_back(text.substr(begin, end - begin));
    }
    begin = end + 1;
  }
  return parts;
}

std::optional<std::string> fill_globals(const Invocation& call, Globals& globals) {
  const char* from_environment = std::getenv("KVCTL_NODE");
  globals.nodes = split(call.option("--node", from_environment == nullptr ? "" : from_environment));
  if (globals.nodes.empty()) {
    globals.nodes = {"127.0.0.1:7001"};
  }
  for (const std::string& node : globals.nodes) {
    const auto colon = node.rfind(':');
    const auto port = colon == std::string::npos
                          ? std::nullopt
                          : parse_count(std::string_view(node).substr(colon + 1));
    if (colon == 0 || !port || *port < 1 || *port > 65'535) {
      return "--node wants host:port, as 127.0.0.1:7001, not '" + node + "'";
    }
  }
  const std::string output = call.option("--output", "text");
  if (output != "text" && output != "json") {
    return "--output is text or json, not '" + output + "'";
  }
  globals.json = output == "json";
  globals.raw = call.has("--raw");
  if (call.has("--timeout")) {
    globals.timeout = parse_duration(call.option("--timeout"));
    if (!globals.timeout) {
      return "--timeout wants a time such as 10s or 500ms, not '" + call.option("--timeout") + "'";
    }
  }
  const std::string db = call.option("--db", "0");
  const auto [end, error] = std::from_chars(db.data(), db.data() + db.size(), globals.db);
  if (error != std::errc{} || end != db.data() + db.size()) {
    return "--db wants a number from 0 to 255, not '" + db + "'";
  }
  return std::nullopt;
}

std::string unknown_option(const std::string& arg, const CommandSpec* command) {
  std::vector<std::string> names;
  for (const OptionSpec& option : global_options()) {
    names.push_back(long_name(option));
  }
  if (command != nullptr) {
    for (const OptionSpec& option : command->options) {
      names.push_back(long_name(option));
    }
  }
  const std::string near = nearest(arg.substr(0, arg.find('=')), names);
  return "unknown option '" + arg + "'" +
         (near.empty() ? "; put -- before arguments that begin with a dash"
                       : "; did you mean " + near + "?");
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0 || number > 1'000'000'000) {
    return std::nullopt;
  }
  const std::string_view unit(end, text.data() + text.size());
  if (unit == "ms") {
    return std::chrono::milliseconds(number);
  }
  if (unit == "s") {
    return std::chrono::seconds(number);
  }
  if (unit == "m") {
    return std::chrono::minutes(number);
  }
  if (unit == "h") {
    return std::chrono::hours(number);
  }
  return std::nullopt;
}

std::expected<Parsed, std::string> parse(std::vector<std::string> args) {
  Parsed parsed;
  if (const auto word = find_command_word(args)) {
    const std::string name = args[*word];
    parsed.call.command = find_command(name);
    if (parsed.call.command == nullptr) {
      const std::string near = nearest(name, command_names());
      return std::unexpected("there is no command '" + name + "'" +
                             (near.empty() ? "" : "; did you mean " + near + "?"));
    }
    args.erase(args.begin() + static_cast<std::ptrdiff_t>(*word));
  }
  const CommandSpec* command = parsed.call.command;

  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::map<std::string, std::string> values;
  std::vector<std::pair<std::string, CLI::Option*>> known;
  const auto add = [&](const OptionSpec& option) {
    const std::string name = long_name(option);
    CLI::Option* added = option.value.empty()
                             ? app.add_flag(std::string(option.name))
                             : app.add_option(std::string(option.name), values[name]);
    added->take_last();
    known.emplace_back(name, added);
  };
  for (const OptionSpec& option : global_options()) {
    add(option);
  }
  if (command != nullptr) {
    for (const OptionSpec& option : command->options) {
      add(option);
    }
  }

  // CLI11 is to look for options only, and never inside values.
  std::vector<std::string> marked;
  bool only_arguments = false;
  for (std::string& arg : args) {
    if (!only_arguments && arg == "--") {
      only_arguments = true;
    } else if (only_arguments || is_negative_number(arg) || (!arg.empty() && arg[0] == marker)) {
      marked.push_back(marker + arg);
    } else {
      marked.push_back(std::move(arg));
    }
  }
  try {
    app.parse(std::vector<std::string>(marked.rbegin(), marked.rend()));
  } catch (const CLI::ParseError& error) {
    return std::unexpected(error.what());
  }
  for (const auto& [name, option] : known) {
    if (option->count() > 0) {
      std::string value = values[name];
      if (!value.empty() && value[0] == marker) {
        value.erase(0, 1);
      }
      parsed.call.options[name] = std::move(value);
    }
  }
  for (std::string& arg : app.remaining()) {
    if (!arg.empty() && arg[0] == marker) {
      parsed.call.args.push_back(arg.substr(1));
    } else if (arg.size() > 1 && arg[0] == '-') {
      return std::unexpected(unknown_option(arg, command));
    } else {
      parsed.call.args.push_back(std::move(arg));
    }
  }
  parsed.help = parsed.call.has("--help");
  if (parsed.help || command == nullptr) {
    return parsed;
  }
  if (auto wrong = fill_globals(parsed.call, parsed.globals)) {
    return std::unexpected(*wrong);
  }
  const bool value_from_file = parsed.call.has("--file");
  if (auto wrong = check_arguments(*command, parsed.call.args)) {
    return std::unexpected(std::string(command->name) + ": " + *wrong);
  }
  if (command->name == "set" && parsed.call.args.size() + (value_from_file ? 1 : 0) != 2) {
    return std::unexpected(value_from_file ? "set: give a VALUE or a --file, not both"
                                           : "set: VALUE is missing");
  }
  return parsed;
}

}  // namespace starling::cli
