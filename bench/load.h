// A load on a live node through the native client: closed loop, or open loop at a fixed rate.
#pragma once

#include <cstdint>
#include <string>

#include "bench/histogram.h"

namespace starling::bench {

struct LoadOptions {
  std::string node = "127.0.0.1:7001";
  std::string workload = "set";  // set get incr set-add hset
  unsigned clients = 50;         // connections
  unsigned pipeline = 1;         // requests in flight on each
  double seconds = 5;
  std::uint64_t keys = 100'000;
  std::uint64_t value_bytes = 64;
  double rate = 0;  // requests per second over all clients; 0 = as fast as the node answers
  std::uint64_t seed = 1;
};

struct LoadReport {
  Histogram latency_us;  // open loop: from the moment a request was due, so waiting counts
  std::uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;
};

[[nodiscard]] LoadReport run_load(const LoadOptions& options);

}  // namespace starling::bench
