// A load on a RESP door: closed loop with pipelining, as redis-benchmark has it, or open loop at a
// fixed rate.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "bench/histogram.h"

namespace starling::bench {

struct RespLoad {
  unsigned connections = 50;
  // Closed loop: each connection sends so many commands at once and waits for all replies.
  unsigned pipeline = 1;
  // Commands a second over all connections; command i is due at begin + i / rate, sent then
  // whatever else is unanswered, and its latency counts from then. 0: closed loop.
  double rate = 0;
  std::uint64_t requests = 0;  // 0: as many as fit into `seconds`
  double seconds = 1;
};

struct RespLoadReport {
  std::uint64_t replies = 0;
  std::uint64_t errors = 0;  // replies, too
  std::string first_error;
  double seconds = 0;  // from the first command to the last reply
  Histogram latency_us;

  [[nodiscard]] double per_second() const {
    return seconds > 0 ? static_cast<double>(replies) / seconds : 0;
  }
};

// Appends one command.
using NextCommand = std::function<void(std::string& out)>;

// Throws Failure if a connection breaks, or if nothing is answered for a minute.
RespLoadReport run_resp_load(std::uint16_t port, const RespLoad& load, const NextCommand& next);

}  // namespace starling::bench
