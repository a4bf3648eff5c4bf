// The planted mistakes (replication.md §10) and how each must die.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace starling::sim {

struct Mutant {
  std::string_view name;
  std::string_view mistake;   // what the changed line does
  std::string_view scenario;  // a directed schedule that must kill it; empty: random seeds do
  std::uint64_t seeds = 0;    // … within so many
};

[[nodiscard]] std::span<const Mutant> mutants();
// At most one mutant is switched on; an empty name switches it off. Only sim_mutants has any.
void switch_on(std::string_view name);

// Plants all mistakes, or one, each in a process of its own, and prints how each died. Also the
// shipping code must pass the same seeds and scenarios, and every checker must have killed one.
[[nodiscard]] bool hunt_mutants(std::string_view only, std::uint64_t jobs);

}  // namespace starling::sim
