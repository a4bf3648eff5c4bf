#include "client/cli/output.h"

#include <cstdio>

#include <fmt/format.h>

#include "client/cli/json.h"
#include "client/cli/terminal.h"

namespace starling::cli {
namespace {

struct Hint {
  std::string_view cause;
  std::string_view advice;
};

constexpr Hint wrong_door{
    "that port belongs to another door (RESP, peer, HTTP), another program or another version",
    "use the client address from kvd's `ready` line (7001 unless told otherwise)"};
constexpr Hint silent_door{
    "that port belongs to another door (RESP, HTTP) or program, which waits for more; or the node "
    "is stuck, or packets are lost on the way",
    wrong_door.advice};

Hint hint(ErrorCode code) {
  switch (code) {
    case ErrorCode::unreachable:
      return {"no kvd serves clients there, or something blocks the way",
              "see that kvd runs and what its --client address is, then name it with -n ADDR"};
    case ErrorCode::protocol:
      return wrong_door;
    case ErrorCode::timeout:
      return {"the node is overloaded or stuck, or packets are lost on the way",
              "try again with a longer --timeout; ask another node with `kvctl -n ADDR status`"};
    case ErrorCode::behind:
      return {"this node has not yet received what you have seen elsewhere",
              "wait a moment, or see `kvctl status` for its lag"};
    case ErrorCode::not_ready:
      return {"it is starting, catching up for the first time, or stopping",
              "wait, or name another node with -n ADDR"};
    case ErrorCode::wrong_type:
      return {"a command for one type was given a key of another",
              "`kvctl type KEY` says what it is"};
    case ErrorCode::not_a_number:
      return {"the value is text",
              "`kvctl get KEY` shows it; `kvctl set KEY 0` makes it a counter"};
    case ErrorCode::overflow:
      return {"counters have 64 bits", "use a smaller step"};
    case ErrorCode::too_large:
      return {"a limit of the node protects its memory",
              "split the value or the batch, or start kvd with a larger --max-value"};
    case ErrorCode::no_space:
      return {"the disk of the node is nearly full", "free space there; reads still work"};
    case ErrorCode::busy:
      return {"the node has more work than it can queue", "try again in a moment"};
    case ErrorCode::refused:
      return {"the policy of this node does not allow it",
              "partition and heal need a kvd that was started with --allow-faults"};
    case ErrorCode::storage:
      return {"bytes on its disk are damaged", "do not delete anything; see the log of kvd"};
    case ErrorCode::unsupported:
      return {"kvctl and kvd are of different versions",
              "compare `kvctl version` and `kvctl status`"};
    case ErrorCode::bad_request:
    case ErrorCode::closed:
      break;
  }
  return {};
}

std::string shown(const Globals& globals, std::string_view bytes) {
  return stdout_is_terminal() && !globals.raw ? escaped(bytes) : std::string(bytes);
}

bool nothing_there(Show show, const Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value);
  const auto* text = std::get_if<std::string>(&value);
  return std::holds_alternative<std::monostate>(value) ||
         (show == Show::yes_no && number != nullptr && *number == 0) ||
         (show == Show::type && text != nullptr && *text == "none");
}

bool print_fields(const Globals& globals, const std::vector<std::string>& list) {
  for (std::size_t i = 0; i + 1 < list.size(); i += 2) {
    const bool printed =
        stdout_is_terminal()
            ? print_line(fmt::format("{}  {}", styled(Style::accent, shown(globals, list[i])),
                                     shown(globals, list[i + 1])))
            : print_line(list[i]) && print_line(list[i + 1]);
    if (!printed) {
      return false;
    }
  }
  return true;
}

}  // namespace

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::unreachable:
    case ErrorCode::protocol:
      return exit_cannot_connect;
    case ErrorCode::timeout:
      return exit_timeout;
    case ErrorCode::behind:
    case ErrorCode::not_ready:
      return exit_unhealthy;
    case ErrorCode::refused:
    case ErrorCode::too_large:
    case ErrorCode::overflow:
    case ErrorCode::no_space:
    case ErrorCode::busy:
    case ErrorCode::unsupported:
      return exit_refused;
    case ErrorCode::wrong_type:
    case ErrorCode::not_a_number:
      return exit_wrong_type;
    case ErrorCode::bad_request:
    case ErrorCode::storage:
    case ErrorCode::closed:
      return exit_failed;
  }
  return exit_failed;
}

Failure describe(const Error& error, std::string_view command, const std::string& where,
                 bool greeted) {
  const Hint known = error.code == ErrorCode::timeout && !greeted ? silent_door : hint(error.code);
  Failure failure{.exit = exit_code(error.code),
                  .code = std::string(name(error.code)),
                  .what = fmt::format("{}: {}", command, error.message),
                  .where = where,
                  .cause = std::string(known.cause),
                  .advice = std::string(known.advice)};
  if (error.maybe_applied) {
    failure.what += "; the write may have taken effect";
    failure.advice = "read the key before you repeat it: repeating may count twice";
  }
  return failure;
}

int fail(const Globals& globals, const Failure& failure) {
  flush_output();
  if (globals.json) {
    fmt::print(
        stderr, "{}\n",
        json_failure(failure.code, failure.what, failure.where, failure.cause, failure.advice));
    return failure.exit;
  }
  fmt::print(stderr, "kvctl: {}\n", escaped(failure.what));
  if (!failure.where.empty()) {
    fmt::print(stderr, "  where:  {}\n", escaped(failure.where));
  }
  if (!failure.cause.empty()) {
    fmt::print(stderr, "  likely: {}\n", escaped(failure.cause));
  }
  if (!failure.advice.empty()) {
    fmt::print(stderr, "  do:     {}\n", escaped(failure.advice));
  }
  return failure.exit;
}

int fail(const Globals& globals, const Session& session, std::string_view command,
         const Error& error) {
  return fail(globals, describe(error, command, session.where(), session.greeted()));
}

bool print_bytes(const Globals& globals, std::string_view bytes) {
  return print_line(shown(globals, bytes));
}

int show_value(const Globals& globals, const CommandSpec& command, const std::string& key,
               const Value& value) {
  const bool nothing = nothing_there(command.show, value);
  const int exit = nothing ? exit_not_found : exit_ok;
  if (globals.json) {
    print_line(json_result(command.show, key, value));
    return exit;
  }
  if (std::holds_alternative<std::monostate>(value)) {
    if (stderr_is_terminal()) {
      fmt::print(stderr, "kvctl: nothing there: {}\n", escaped(key));
    }
  } else if (std::holds_alternative<Done>(value)) {
    print_line(styled(Style::good, "ok"));
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    print_line(command.show == Show::on_off ? std::string(*number != 0 ? "on" : "off")
                                            : std::to_string(*number));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    print_bytes(globals, *text);
  } else if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    if (command.show == Show::fields) {
      print_fields(globals, *list);
    } else {
      for (const std::string& item : *list) {
        if (!print_bytes(globals, item)) {
          break;
        }
      }
    }
  }
  return exit;
}

}  // namespace starling::cli
