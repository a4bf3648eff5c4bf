// Answers and failures as text or JSON.
#pragma once

#include <string>
#include <string_view>

#include <starling/client.h>

#include "client/cli/command_table.h"

namespace starling::cli {

// What went wrong, where, probably why, and what to do about it.
struct Failure {
  int exit = exit_failed;
  std::string code = "failed";  // for machines
  std::string what;
  std::string where;
  std::string cause;
  std::string advice;
};
// Prints to standard error, as JSON where that was asked for; returns failure.exit.
int fail(const Globals& globals, const Failure& failure);
int fail(const Globals& globals, const Session& session, std::string_view command,
         const Error& error);
// greeted: some node has spoken to us as a Starling node does.
[[nodiscard]] Failure describe(const Error& error, std::string_view command,
                               const std::string& where, bool greeted = true);
[[nodiscard]] int exit_code(ErrorCode code);

// One value on a line: raw off a terminal, escaped on one.
bool print_bytes(const Globals& globals, std::string_view bytes);
// The answer of one data command; returns the exit code.
int show_value(const Globals& globals, const CommandSpec& command, const std::string& key,
               const Value& value);

}  // namespace starling::cli
