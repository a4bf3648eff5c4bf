// One seed: a cluster of 3 to 7 nodes, clients, and faults; then all heals, and everything must be
// equal everywhere and as the oracle says. A seed in which less happened than that fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace starling::sim {

struct SeedResult {
  std::optional<Violation> violation;
  std::uint64_t digest = 0;  // of the trace
  std::uint64_t nodes = 0;
  std::uint64_t operations = 0;
  std::uint64_t faults = 0;
  std::uint64_t virtual_us = 0;
  std::uint64_t messages = 0;
  Coverage coverage;
  std::vector<std::string> trace;
};

[[nodiscard]] SeedResult run_seed(const Cluster::Options& options);

}  // namespace starling::sim
