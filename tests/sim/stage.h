// The verbs of directed schedules, so that a scenario reads like a specification.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/cluster.h"

namespace starling::sim {

using NodeIndex = std::size_t;

// A cluster whose faults are all on purpose: links of a millisecond, syncs and checkpoints that
// take no time. The checkers watch it as they watch a seed.
class Stage {
 public:
  explicit Stage(bool keep_trace);

  // -- cast: nodes with `change` made to their configuration. All but the first join the first. --
  using Change = std::function<void(replica::Config&)>;
  NodeIndex node(const Change& change = {});
  NodeIndex absent_node(const Change& change = {});  // it does not run yet

  // -- action --
  void start(NodeIndex node) { cluster_.start(node); }
  void kill(NodeIndex node) { cluster_.kill(node); }
  void cut_power(NodeIndex node) { cluster_.cut_power(node); }
  void hold_syncs(NodeIndex node) { cluster_.hold_syncs(node, true); }
  void isolate(NodeIndex node) { cluster_.network.split({node}); }
  void heal() { cluster_.network.heal(); }
  void run(std::uint64_t us) { cluster_.run_for(us); }
  void settle();  // until all nodes have the same V
  wire::Result ask(NodeIndex node, wire::Command command);
  // At the Redis door: "ZADD board GT 5 ann".
  wire::Result redis(NodeIndex node, std::string_view line);
  // The same on one connection, which stays, and several as a MULTI.
  std::vector<wire::Result> redis(NodeIndex node, std::uint64_t connection,
                                  const std::vector<std::string>& lines);
  void set(NodeIndex node, const std::string& key, const std::string& value);
  void fill(NodeIndex node, std::size_t entries);  // that many sets
  void checkpoint(NodeIndex node);                 // from start to end

  // -- judgement: if it fails, that is what the scenario found --
  void expect(bool holds, std::string rule, std::string sentence);
  void expect_value(NodeIndex node, const std::string& key, const std::string& value);
  void expect_redis(NodeIndex node, std::string_view line, const wire::Result& wanted);
  void expect_not_ready(NodeIndex node);

  [[nodiscard]] std::uint64_t messages() const { return cluster_.network.messages(); }
  [[nodiscard]] replica::View view(NodeIndex node) const { return cluster_.view(node); }
  [[nodiscard]] Cluster& cluster() { return cluster_; }

 private:
  Cluster cluster_;
};

}  // namespace starling::sim
