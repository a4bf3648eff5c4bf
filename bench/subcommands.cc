#include "bench/subcommands.h"

#include <cstdio>

#include <fmt/format.h>

#include "bench/failure.h"

namespace starling::bench {

ServerOptions Context::kvd(const std::string& name, std::optional<int> core,
                           const std::string& join) const {
  return {.kind = ServerKind::kvd, .name = name, .core = core, .join = join, .flags = kvd_flags};
}

ServerOptions Context::redis(std::optional<int> core) const {
  return {.kind = ServerKind::redis, .name = "redis", .core = core};
}

void say_progress(const std::string& line) {
  fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
}

RespLoadReport fill(const Server& server, std::uint64_t count, const NextCommand& next) {
  if (count == 0) {
    return {};
  }
  RespLoadReport report =
      run_resp_load(server.port(), {.connections = 4, .pipeline = 64, .requests = count}, next);
  if (report.errors > 0) {
    throw Failure(
        fmt::format("{} refused {} of {} commands while it was filled, the first with: {}",
                    server.options().name, report.errors, count, report.first_error));
  }
  return report;
}

}  // namespace starling::bench
