// One seed: a cluster of 3 to 7 nodes, clients with sessions, and a schedule of faults; then all is
// healed, and everything must be equal everywhere and as the oracle says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/sim/checkers.h"
#include "tests/sim/cluster.h"

namespace starling::sim {

struct SeedResult {
  std::optional<Violation> violation;
  std::uint64_t digest = 0;
  std::uint64_t nodes = 0;
  std::uint64_t operations = 0;
  std::uint64_t faults = 0;
  std::uint64_t virtual_us = 0;
  std::uint64_t messages = 0;
  Coverage coverage;
  std::deque<std::string> text;
};

[[nodiscard]] SeedResult run_seed(const Cluster::Options& options);

}  // namespace starling::sim
