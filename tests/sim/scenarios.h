// Directed schedules: what random seeds meet too rarely, and every bug that was ever found.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/judge.h"

namespace starling::sim {

class Stage;

struct Scenario {
  std::string_view name;
  std::string_view sentence;  // what it shows
  void (*play)(Stage& stage);
};

struct ScenarioResult {
  std::optional<Violation> violation;
  std::vector<std::string> trace;
};

[[nodiscard]] std::span<const Scenario> scenarios();  // all
// The rows of semantics.md: what concurrent operations give.
[[nodiscard]] std::span<const Scenario> scenarios_of_values();
[[nodiscard]] std::span<const Scenario> scenarios_of_keys();
[[nodiscard]] const Scenario* find_scenario(std::string_view name);  // or nullptr
[[nodiscard]] ScenarioResult run_scenario(const Scenario& scenario, bool keep_trace);

}  // namespace starling::sim
