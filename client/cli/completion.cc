// Completion for bash, made from the command table.
#include "client/cli/completion.h"

#include <fmt/format.h>

#include "client/cli/terminal.h"

namespace starling::cli {
namespace {

std::string spellings(std::span<const OptionSpec> options, bool only_with_value) {
  std::string words;
  for (const OptionSpec& option : options) {
    if (only_with_value && option.value.empty()) {
      continue;
    }
    std::string_view name = option.name;
    while (!name.empty()) {
      const std::size_t end = std::min(name.find(','), name.size());
      words += fmt::format("{}{}", words.empty() ? "" : " ", name.substr(0, end));
      name.remove_prefix(std::min(end + 1, name.size()));
    }
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

// What completes the first argument, and what the others.
std::string argument_case(const CommandSpec& command) {
  std::string lines;
  std::size_t position = 0;
  for (const Positional& positional : command.positionals) {
    std::string reply;
    if (positional.kind == ArgKind::key) {
      reply = "_kvctl_keys";
    } else if (positional.kind == ArgKind::file) {
      reply = "COMPREPLY=($(compgen -f -- \"$cur\"))";
    } else if (positional.kind == ArgKind::word) {
      const std::string words =
          positional.words == "@commands" ? joined(command_names()) : std::string(positional.words);
      reply = fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", words);
    }
    if (!reply.empty()) {
      lines += fmt::format("    {}:{}) {} ;;\n", command.name,
                           positional.repeated ? "*" : std::to_string(position), reply);
    }
    ++position;
  }
  return lines;
}

}  // namespace

std::string bash_completion() {
  std::string with_value = spellings(global_options(), true);
  std::string options;
  std::string arguments;
  for (const CommandSpec& command : command_table()) {
    arguments += argument_case(command);
    if (!command.options.empty()) {
      options += fmt::format("    {}) options+=' {}' ;;\n", command.name,
                             spellings(command.options, false));
      with_value += " " + spellings(command.options, true);
    }
  }
  return fmt::format(
      R"(# bash completion for kvctl; made by `kvctl completion bash`.
_kvctl_keys() {{
  local IFS=$'\n'
  COMPREPLY=($(kvctl "${{node[@]}}" --timeout 1s scan --limit 50 -- "$cur" 2>/dev/null))
}}
_kvctl() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command= position=0 i
  local -a node=()
  local options='{}' with_value=' {} '
  for ((i = 1; i < COMP_CWORD; i++)); do
    local word=${{COMP_WORDS[i]}}
    case $word in
      -n | --node) node=(-n "${{COMP_WORDS[i+1]}}"); ((i++)) ;;
      -*) [[ $with_value == *" $word "* ]] && ((i++)) ;;
      *) if [[ -z $command ]]; then command=$word; else ((position++)); fi ;;
    esac
  done
  COMPREPLY=()
  case $prev in
    -o | --output) COMPREPLY=($(compgen -W 'text json' -- "$cur")); return ;;
    -f | --file | --journal | --kvd) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  [[ $with_value == *" $prev "* ]] && return
  if [[ -z $command && $cur != -* ]]; then
    COMPREPLY=($(compgen -W '{}' -- "$cur"))
    return
  fi
  case $command in
{}  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
    return
  fi
  case $command:$position in
{}  esac
}}
complete -o default -F _kvctl kvctl
)",
      spellings(global_options(), false), with_value, joined(command_names()), options, arguments);
}

int run_completion(Session& /*session*/, const Invocation& call) {
  if (call.args.front() != "bash") {
    print_line("# kvctl knows completions for bash only");
    return exit_usage;
  }
  print(bash_completion());
  return exit_ok;
}

}  // namespace starling::cli
