// What must hold when everything has healed and nobody writes any more.
#pragma once

#include <optional>

#include "tests/sim/cluster.h"

namespace starling::sim {

// Eventually all nodes are connected and have the same V; then all answers, scans, exports and
// digests are equal, and no acknowledged write is missing. Complains through the judge.
void check_at_the_end(Cluster& cluster);

// Asks a node and waits for its answer, for ten seconds at most.
[[nodiscard]] std::optional<wire::Response> ask(Cluster& cluster, std::size_t node,
                                                wire::Request request);
[[nodiscard]] std::optional<wire::Response> ask(Cluster& cluster, std::size_t node,
                                                wire::Command command);

// Runs until all nodes agree. If for a minute nobody gets ahead, says why they do not.
[[nodiscard]] std::string settle(Cluster& cluster);

}  // namespace starling::sim
