// A few kvd that replicate to each other, for the benchmarks of convergence.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bench/resp.h"
#include "bench/subcommands.h"

namespace starling::bench {

// The first node is the one that clients write to and has a core of its own; the others and the
// load share the second core. Started when the constructor returns.
class Cluster {
 public:
  Cluster(const Context& context, unsigned nodes);

  [[nodiscard]] const Server& node(std::size_t i) const { return *nodes_[i]; }
  [[nodiscard]] const Server& first() const { return *nodes_.front(); }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  RespConnection& connection(std::size_t i) { return connections_[i]; }

  // Waits until every node has all that the first one has been given, and is quiet. Throws Failure
  // after two minutes.
  void converge();

  // Cuts the first node off from the others, or restores its links.
  void cut();
  void heal();

  // CPU time of each node, and bytes that the first one has sent to the others: to subtract.
  struct Usage {
    std::vector<double> cpu_us;
    double sent_bytes = 0;
  };
  [[nodiscard]] Usage usage() const;

 private:
  std::vector<std::unique_ptr<Server>> nodes_;
  std::vector<RespConnection> connections_;
  std::uint64_t marks_ = 0;
};

// Asks until the reply is the wanted text, and returns when that was. Throws Failure after two
// minutes. `pause` between two questions keeps the asking from being the load.
std::chrono::steady_clock::time_point wait_for_text(RespConnection& connection,
                                                    const std::vector<std::string_view>& words,
                                                    std::string_view wanted,
                                                    std::chrono::microseconds pause);

}  // namespace starling::bench
