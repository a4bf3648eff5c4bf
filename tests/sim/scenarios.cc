#include "tests/sim/scenarios.h"

#include <algorithm>
#include <array>

#include "tests/sim/stage.h"

namespace starling::sim {
namespace {

// Found by an early seed: the answer to a pull that could not be applied asked for itself again.
void pull_storm(Stage& stage) { (void)stage; }

constexpr std::array all = {
    Scenario{"pull_storm", "a pull whose answer cannot be applied is not repeated at once",
             pull_storm},
};

}  // namespace

std::span<const Scenario> scenarios() { return all; }

const Scenario* find_scenario(std::string_view name) {
  const auto found = std::ranges::find(all, name, &Scenario::name);
  return found == all.end() ? nullptr : &*found;
}

ScenarioResult run_scenario(const Scenario& scenario, bool keep_trace) {
  Stage stage(keep_trace);
  scenario.play(stage);
  return {stage.cluster().judge().violation(), stage.cluster().trace().lines()};
}

}  // namespace starling::sim
