// What kvbench can measure beside `load`: each subcommand starts the servers that it needs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/report.h"
#include "bench/resp_load.h"
#include "bench/servers.h"

namespace CLI {
class App;
}

namespace starling::bench {

struct Context {
  Nursery& nursery;
  Cores cores;
  std::vector<std::string> kvd_flags;  // for every kvd

  [[nodiscard]] ServerOptions kvd(const std::string& name, std::optional<int> core,
                                  const std::string& join = {}) const;
  [[nodiscard]] ServerOptions redis(std::optional<int> core) const;
};

struct Subcommand {
  CLI::App* app = nullptr;
  std::function<Report(const Context&)> run;
};

Subcommand add_redis(CLI::App& app);
Subcommand add_converge(CLI::App& app);
Subcommand add_sets(CLI::App& app);
Subcommand add_memory(CLI::App& app);
Subcommand add_start(CLI::App& app);
Subcommand add_footprint(CLI::App& app);

// One line to standard error: these runs take minutes.
void say_progress(const std::string& line);

// Sends `count` commands as fast as the server takes them; an error reply is a Failure.
RespLoadReport fill(const Server& server, std::uint64_t count, const NextCommand& next);

}  // namespace starling::bench
