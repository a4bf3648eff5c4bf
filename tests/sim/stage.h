// The verbs of directed schedules, so that a scenario reads like a specification.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/cluster.h"

namespace starling::sim {

using NodeIndex = std::size_t;

// A cluster whose faults are all on purpose: links of one millisecond, syncs that end at once. The
// checkers watch it as they watch a seed.
class Stage {
 public:
  explicit Stage(bool keep_trace);

  // -- cast --
  // A node with `change` made to its configuration; all but the first join the first. It runs.
  NodeIndex node(const std::function<void(replica::Config&)>& change = {});
  // The same, but it does not run yet.
  NodeIndex absent_node(const std::function<void(replica::Config&)>& change = {});
  std::vector<NodeIndex> nodes(std::size_t count);  // that know each other

  // -- action --
  void run(std::uint64_t us) { cluster_.run_for(us); }
  void settle();  // until all nodes have the same V; fails if that takes a minute
  wire::Result ask(NodeIndex node, wire::Command command);
  wire::Result set(NodeIndex node, const std::string& key, const std::string& value);
  wire::Result get(NodeIndex node, const std::string& key);
  wire::Result incr(NodeIndex node, const std::string& key, std::int64_t by);
  wire::Result del(NodeIndex node, const std::string& key);
  wire::Result add(NodeIndex node, const std::string& set, const std::string& element);
  wire::Result remove(NodeIndex node, const std::string& set, const std::string& element);
  wire::Result members(NodeIndex node, const std::string& set);
  // Sends without waiting. What came back is in `answers`.
  void send(NodeIndex node, wire::Command command);
  [[nodiscard]] const std::vector<wire::Response>& answers() const { return answers_; }
  // A checkpoint from start to end.
  void checkpoint(NodeIndex node);
  // As a `status` with digests says: do all nodes agree?
  [[nodiscard]] bool converged(NodeIndex node);
  [[nodiscard]] std::uint64_t messages() const { return cluster_.network.messages(); }
  [[nodiscard]] replica::View view(NodeIndex node) const { return cluster_.view(node); }
  [[nodiscard]] Cluster& cluster() { return cluster_; }

  // -- judgement --
  // If not, this is what the scenario found; `rule` as in replication.md.
  void expect(bool holds, std::string rule, std::string sentence);
  void expect_equal(const wire::Result& is, const wire::Result& wanted, std::string_view what);

 private:
  Cluster cluster_;
  std::vector<wire::Response> answers_;
};

}  // namespace starling::sim
