// All checkers, by what they watch. docs/simulation.md has the table.
#pragma once

#include <memory>
#include <vector>

#include "tests/sim/checker.h"

namespace starling::sim {

using Checkers = std::vector<std::unique_ptr<Checker>>;

[[nodiscard]] Checkers checkers_of_entries();    // what is written, and what is let in
[[nodiscard]] Checkers checkers_of_answers();    // what clients are told
[[nodiscard]] Checkers checkers_of_disks();      // what survives
[[nodiscard]] Checkers checkers_of_conflicts();  // what nodes note about writes that lost
[[nodiscard]] Checkers checkers_of_expiry();     // what nodes take away by themselves
[[nodiscard]] Checkers checkers_of_peers();      // what nodes tell each other

}  // namespace starling::sim
