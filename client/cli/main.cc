// kvctl: one screen.
#include <csignal>
#include <cstdio>

#include <fmt/format.h>

#include "client/cli/help.h"
#include "client/cli/output.h"
#include "client/cli/parse.h"
#include "client/cli/terminal.h"

namespace {

int run(int argc, char** argv) {
  using namespace starling::cli;
  auto parsed = parse({argv + 1, argv + argc});
  if (!parsed) {
    fmt::print(stderr, "kvctl: {}\n  do:     `kvctl help` lists the commands\n",
               escaped(parsed.error()));
    return exit_usage;
  }
  const CommandSpec* command = parsed->call.command;
  if (parsed->help || command == nullptr) {
    print(command == nullptr ? overview() : help_for(*command));
    return parsed->help ? exit_ok : exit_usage;
  }
  Session session(std::move(parsed->globals));
  return command->run != nullptr ? command->run(session, parsed->call)
                                 : run_data_command(session, parsed->call);
}

}  // namespace

int main(int argc, char** argv) {
  // Who reads us may leave: writes fail then, and we end without noise.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const int status = run(argc, argv);
    if (!starling::cli::flush_output() && errno != EPIPE) {
      std::perror("kvctl: standard output");
      return starling::cli::exit_failed;
    }
    return status;
  } catch (const std::exception& error) {  // out of memory, a library's surprise
    fmt::print(stderr, "kvctl: {}\n", error.what());
    return starling::cli::exit_failed;
  }
}
