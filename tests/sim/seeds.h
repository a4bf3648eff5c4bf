// Many seeds, in processes of their own, and what came of them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/coverage.h"

namespace starling::sim {

struct SeedsPlan {
  std::uint64_t first = 1;
  std::uint64_t count = 200;
  std::uint64_t jobs = 1;
  bool twice = false;  // each, and the traces must be equal byte for byte
};

struct SeedsReport {
  std::map<std::uint64_t, std::uint64_t> digests;   // by seed
  std::map<std::uint64_t, std::string> complaints;  // by seed
  Coverage coverage;
  std::uint64_t operations = 0;
  std::uint64_t messages = 0;
  std::uint64_t virtual_us = 0;

  [[nodiscard]] std::uint64_t digest() const;  // of all traces
};

// A worker stops at its first complaint.
[[nodiscard]] SeedsReport run_seeds(const SeedsPlan& plan);

}  // namespace starling::sim
