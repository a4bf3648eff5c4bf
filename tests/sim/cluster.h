// A cluster in one thread: the shipping replica cores and codec under virtual time, joined by a
// network and held by disks that fail on purpose.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/replica/replica.h"
#include "tests/sim/coverage.h"
#include "tests/sim/door.h"
#include "tests/sim/faulty_store.h"
#include "tests/sim/fuse.h"
#include "tests/sim/judge.h"
#include "tests/sim/network.h"
#include "tests/sim/random.h"
#include "tests/sim/timeline.h"
#include "tests/sim/trace.h"

namespace starling::sim {

struct NodeClock {
  std::int64_t skew_ms = 0;
  double rate = 1.0;
};

// Plays the shell (server/driver): ticks, performs effects in order, syncs, runs jobs. Between any
// two of those steps a node can die. The judge sees all of it.
class Cluster final : private Endpoints {
 public:
  struct Options {
    std::uint64_t seed = 1;
    bool keep_lines = false;  // of the trace
  };
  explicit Cluster(const Options& options);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;
  ~Cluster() override;

  // -- nodes --
  // Adds a node, not started yet. Its index counts from 0.
  std::size_t add(replica::Config config, NodeClock clock = {});
  void start(std::size_t node);
  // The process is gone; the operating system kept what it wrote.
  void kill(std::size_t node);
  // The machine is gone, and with it what was not synced.
  void cut_power(std::size_t node);
  void stop(std::size_t node);  // as `kill -TERM` does
  [[nodiscard]] bool up(std::size_t node) const { return nodes_[node]->replica != nullptr; }
  // Some command of its Redis door is under way in turns.
  [[nodiscard]] bool works(std::size_t node) const {
    return nodes_[node]->door != nullptr && nodes_[node]->door->works();
  }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] const std::string& name(std::size_t node) const override {
    return nodes_[node]->config.name;
  }
  [[nodiscard]] FaultyStore& disk(std::size_t node) { return nodes_[node]->disk; }
  [[nodiscard]] NodeClock& clock(std::size_t node) { return nodes_[node]->clock; }
  [[nodiscard]] replica::View view(std::size_t node) const;
  [[nodiscard]] std::uint64_t ticks(std::size_t node) const { return nodes_[node]->ticks; }
  // It crashes at its n-th step from now on, between any two effects.
  void crash_at_step(std::size_t node, std::uint64_t steps, bool power);
  void crash_with_power(std::size_t node, bool power) { nodes_[node]->crash_power = power; }
  void keep_alive(std::size_t node);  // takes back what was to crash it
  // A crashed node starts again by itself within this time (0: never).
  void restart_within(std::uint64_t delay_us) { restart_within_us_ = delay_us; }
  void delay_checkpoints(std::size_t node, std::uint64_t delay_us) {
    nodes_[node]->checkpoint_us = delay_us;
  }
  // Somebody puts an older copy of its directory in place of a node that is down.
  void restore(std::size_t node, std::unique_ptr<MemoryStore> backup);
  void hold_syncs(std::size_t node, bool hold) { nodes_[node]->hold_syncs = hold; }

  // At most, of any disk.
  std::uint64_t sync_max_us = 20 * ms;
  std::uint64_t checkpoint_max_us = 100 * ms;
  // How the Redis doors of nodes that start run what takes long; empty: at once.
  std::optional<InTurns> in_turns;

  // What expiry goes by at a node that is up.
  [[nodiscard]] std::int64_t expiry_ms(std::size_t node) const {
    return nodes_[node]->replica->expiry_ms(now(*nodes_[node]));
  }

  // -- clients --
  using OnResponse = std::function<void(const wire::Response&)>;
  // Delivers a request to a node that is up. `done` runs when, and if, its answer leaves the node.
  replica::RequestId request(std::size_t node, wire::Request request, OnResponse done);
  void give_up(std::size_t node, replica::RequestId id);
  // Says which node has left somebody without an answer for so long, if any.
  [[nodiscard]] std::string oldest_unanswered(std::uint64_t older_than_us) const;

  // -- time --
  [[nodiscard]] std::uint64_t now_us() const { return timeline_.now_us(); }
  void after(std::uint64_t delay_us, std::function<void()> what) {
    timeline_.after(delay_us, std::move(what));
  }
  // Or until a checker complains.
  void run_for(std::uint64_t us) {
    timeline_.run_until(now_us() + us, [this] { return failed(); });
  }
  [[nodiscard]] bool failed() const { return judge_.violation().has_value(); }

  // -- results --
  [[nodiscard]] Judge& judge() { return judge_; }
  [[nodiscard]] Coverage& coverage() { return coverage_; }
  [[nodiscard]] const Trace& trace() const { return trace_; }
  void note(const std::string& line) { trace_.note(now_us(), line); }

 private:
  struct Node {
    std::size_t index = 0;
    replica::Config config;
    NodeClock clock;
    FaultyStore disk;
    std::unique_ptr<replica::Replica> replica;  // empty while down
    std::unique_ptr<Door> door;                 // for Redis clients, as long
    std::uint64_t lifetime = 0;                 // events of earlier ones mean nothing
    std::uint64_t monotonic_offset_us = 0;
    bool tick_pending = false;
    std::uint64_t wake_us = 0;  // virtual time of the one wake-up that counts
    bool syncing = false;
    std::uint64_t synced = 0;  // as the shell knows it
    std::uint64_t appended = 0;
    std::uint64_t last_sync_us = 0;
    Fuse crash_fuse;
    bool crash_power = false;
    std::optional<std::uint64_t> checkpoint_us;
    bool hold_syncs = false;
    std::uint64_t ticks = 0;
    std::uint64_t duplicates = 0;  // of its view, as last seen
    std::uint64_t dropped = 0;
    std::uint64_t conflicts = 0;
  };
  struct Waiting {
    std::size_t node = 0;
    std::uint64_t since_us = 0;
    std::string what;
    OnResponse done;
  };

  // -- Endpoints --
  [[nodiscard]] std::size_t endpoints() const override { return nodes_.size(); }
  [[nodiscard]] bool reachable(std::size_t node) const override { return up(node); }
  [[nodiscard]] std::uint64_t lifetime(std::size_t node) const override {
    return nodes_[node]->lifetime;
  }
  void feed(std::size_t node, replica::Input input) override;
  void heard(std::size_t node, std::size_t from, replica::ConnectionId connection,
             const wire::PeerMessage& message) override {
    count_waiting(*nodes_[node], message);
    judge_.heard(node, {from, connection, message}, now_us());
  }
  void broken(std::string complaint) override { judge_.complain("wire", std::move(complaint)); }

  [[nodiscard]] replica::Now now(const Node& node) const;
  void schedule_tick(Node& node);
  void tick(Node& node);
  void look(Node& node);
  // Each returns false if the node died on the way.
  bool perform(Node& node, replica::Effects effects, const std::vector<DoorAnswer>& door);
  bool commit(Node& node, const replica::Effects& effects);
  bool answer(Node& node, const replica::Effects& effects, const std::vector<DoorAnswer>& door);
  bool tell(Node& node, replica::RequestId id, const wire::Response& response);
  void count_waiting(const Node& node, const wire::Request& request);
  void count_waiting(const Node& node, const wire::PeerMessage& message);
  bool talk(Node& node, const replica::Effects& effects);
  void begin_jobs(Node& node, replica::Effects& effects);
  bool lives(Node& node);  // one more step, unless its fuse has burnt down
  bool done(Node& node, const StoreResult<void>& change);
  void crash(Node& node, bool power);
  void sync_if_due(Node& node);
  bool sync(Node& node);
  void run_checkpoint(Node& node, const std::shared_ptr<const replica::CheckpointJob>& job);
  void run_cut_job(Node& node, const std::shared_ptr<const replica::CutJob>& job);
  void set_alarm(Node& node, std::uint64_t core_wake_us);
  template <typename What>
  void later(Node& node, std::uint64_t delay_us, What what);  // only if it still lives then
  [[nodiscard]] std::size_t find(const std::string& address) const;

  Random random_;
  Coverage coverage_;
  Trace trace_;
  Timeline timeline_;
  Judge judge_{coverage_};
  std::vector<std::unique_ptr<Node>> nodes_;
  std::map<replica::RequestId, Waiting> waiting_;
  replica::RequestId last_request_ = 0;
  std::uint64_t restart_within_us_ = 0;

 public:
  SimNetwork network{*this, timeline_, random_, coverage_, trace_};
};

}  // namespace starling::sim
