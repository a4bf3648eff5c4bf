#include "tests/sim/seed.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "tests/sim/clients.h"
#include "tests/sim/faults.h"
#include "tests/sim/final_checks.h"

namespace starling::sim {
namespace {

constexpr std::uint64_t busy_us = 110 * second;  // clients and faults

// What a seed must have had; one that had less proves less than it says.
constexpr std::size_t min_nodes = 3;
constexpr std::size_t max_nodes = 7;
constexpr std::size_t min_operations = 300;
constexpr std::size_t max_keys = 20;
constexpr std::size_t types_of_keys = 6;
constexpr std::size_t min_faults = 3;
constexpr std::uint64_t min_us = 120 * second;
constexpr std::uint64_t last_requests_us = second;  // on their way when all heals
constexpr std::uint64_t min_quiet_us = 10 * second;

replica::Config random_config(std::size_t index, std::size_t count, Random& random) {
  replica::Config config;
  config.name = "n" + std::to_string(index);
  config.peer_address = config.name + ":7002";
  config.client_address = config.name + ":7001";
  if (index > 0) {
    config.join = {"n0:7002"};
    if (random.chance(0.3)) {
      config.join.push_back("n" + std::to_string(random.below(count)) + ":7002");
    }
  }
  config.checkpoint_bytes = random.chance(0.5) ? random.between(1u << 10, 32u << 10) : 1u << 20;
  config.checkpoint_age = std::chrono::milliseconds(
      random.chance(0.3) ? random.between(50, 1000) : random.between(1000, 20'000));
  config.allow_faults = true;
  return config;
}

NodeClock random_clock(Random& random, Coverage& coverage) {
  NodeClock clock;
  if (random.chance(0.5)) {
    coverage.hit("fault skewed clock");
    constexpr std::int64_t most_ms = 20 * 60'000;
    clock.skew_ms = static_cast<std::int64_t>(random.below(2 * most_ms)) - most_ms;
    clock.rate = 1.0 + (static_cast<double>(random.below(200)) - 100.0) / 100'000.0;
  }
  return clock;
}

// All of it follows from the seed.
class Seed {
 public:
  explicit Seed(const Cluster::Options& options)
      : cluster_(options),
        random_(options.seed ^ 0x5EED),
        bounds_(options.seed ^ 0xB0D5),
        faults_(cluster_, options.seed ^ 0xFA17) {
    build();
    clients_.emplace(cluster_, random_);
  }

  SeedResult run() {
    begin();
    cluster_.run_for(busy_us);
    while (!cluster_.failed() && !lacking().empty()) {
      if (faults_.happened() < min_faults) {
        faults_.strike();
      }
      cluster_.run_for(second);
    }
    faults_happened_ = faults_.happened();
    clients_->end();
    faults_.end_all();
    if (cluster_.in_turns) {
      cluster_.in_turns->longest_pause_us = 10 * ms;  // nobody is in their way now
    }
    const std::uint64_t healed_us = cluster_.now_us();
    check_at_the_end(cluster_);
    demand_a_whole_seed(healed_us);
    if (!cluster_.failed() && random_.chance(0.3)) {
      restart_all();
      check_at_the_end(cluster_);
    }
    return result();
  }

 private:
  void build() {
    const std::size_t count = random_.between(min_nodes, max_nodes);
    // What the nodes of a cluster have in common.
    const bool small_memory = random_.chance(0.6);
    const bool small_buffers = random_.chance(0.3);
    const bool small_journal = random_.chance(0.25);
    const bool small_windows = bounds_.chance(0.3);
    const bool little_waits = bounds_.chance(0.3);
    truncates_ = random_.chance(0.25);
    const bool syncs = truncates_ || random_.chance(0.9);  // or no log could be truncated
    const auto sync = !syncs                ? replica::SyncMode::os
                      : random_.chance(0.7) ? replica::SyncMode::everysec
                                            : replica::SyncMode::always;
    const auto heartbeat_ms = random_.between(150, 300) * count;
    for (std::size_t i = 0; i < count; ++i) {
      replica::Config config = random_config(i, count, random_);
      config.sync = sync;
      config.memory_bytes = small_memory ? random_.between(4u << 10, 64u << 10) : 16u << 20;
      config.wholesale_cells = random_.between(0, 8);
      config.thawed_per_tick = random_.between(1, 20);
      config.conflict_lines = small_journal ? random_.between(3, 12) : config.conflict_lines;
      config.hold_bytes = small_buffers ? random_.between(2u << 10, 16u << 10) : 8u << 20;
      config.window_bytes = small_windows ? bounds_.between(200, 4u << 10) : 0;
      config.waiting_bytes = little_waits ? bounds_.between(300, 1'200) : 0;
      config.heartbeat_interval = std::chrono::milliseconds(heartbeat_ms);
      config.peer_timeout = std::chrono::milliseconds(heartbeat_ms * random_.between(4, 8));
      config.truncate_log = truncates_;
      cluster_.add(std::move(config), random_clock(random_, cluster_.coverage()));
    }
    auto& weather = cluster_.network.weather;
    weather.delay_min_us = random_.between(100, 2'000);
    weather.delay_max_us = weather.delay_min_us + random_.between(1 * ms, 60 * ms);
    if (random_.chance(0.4)) {
      weather.loss = random_.chance(0.5) ? 0.01 : 0.08;
      weather.duplication = random_.chance(0.5) ? 0.02 : 0.1;
      weather.reordering = random_.chance(0.5) ? 0.02 : 0.15;
    }
    cluster_.checkpoint_max_us = random_.chance(0.3) ? 2 * second : 100 * ms;
    if (random_.chance(0.5)) {
      cluster_.in_turns.emplace();
      cluster_.in_turns->long_cells = random_.between(2, 6);
      cluster_.in_turns->part_ops = random_.between(3, 8);
    }
    cluster_.restart_within(8 * second);
  }

  // Most nodes start together, one sometimes much later: perhaps too late for logs that others
  // have truncated.
  void begin() {
    const bool late = random_.chance(truncates_ ? 0.5 : 0.2);
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      std::uint64_t when_us = i == 0 ? 0 : random_.below(second);
      if (late && i + 1 == cluster_.size()) {
        cluster_.coverage().hit("fault late joiner");
        when_us = random_.between(truncates_ ? 50 * second : 10 * second, 90 * second);
      }
      cluster_.after(when_us, [this, i] { cluster_.start(i); });
    }
    cluster_.run_for(4 * second);
    clients_->begin();
    faults_.schedule(busy_us - 5 * second);
  }

  // What clients and faults have not done yet.
  [[nodiscard]] std::string lacking() const {
    const auto count = [](std::size_t is, std::size_t wanted, const char* of) {
      return std::to_string(is) + " " + of + " instead of " + std::to_string(wanted);
    };
    if (clients_->operations() < min_operations) {
      return count(clients_->operations(), min_operations, "operations");
    }
    if (clients_->types().size() < types_of_keys) {
      return count(clients_->types().size(), types_of_keys, "types of keys");
    }
    if (faults_.happened() < min_faults) {
      return count(faults_.happened(), min_faults, "faults");
    }
    return {};
  }

  void demand_a_whole_seed(std::uint64_t healed_us) {
    const auto demand = [&](bool holds, const std::string& sentence) {
      if (!holds) {
        cluster_.judge().complain("sim", sentence);
      }
    };
    cluster_.judge().checked("every seed is as large as it says");
    demand(cluster_.size() >= min_nodes && cluster_.size() <= max_nodes,
           "this seed had " + std::to_string(cluster_.size()) + " nodes");
    demand(lacking().empty(), "this seed had " + lacking());
    demand(clients_->keys().size() <= max_keys,
           "this seed had " + std::to_string(clients_->keys().size()) + " keys");
    demand(cluster_.now_us() >= min_us,
           "this seed lasted " + std::to_string(cluster_.now_us() / second) + " virtual seconds");
    demand(faults_.happened() == faults_happened_, "something went wrong after all had healed");
    demand(clients_->latest_us() <= healed_us + last_requests_us &&
               cluster_.now_us() >= healed_us + min_quiet_us,
           "this seed did not become quiet");
  }

  void restart_all() {
    cluster_.run_for(3 * second);  // longer than any promise to sync
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      random_.chance(0.5) ? cluster_.kill(i) : cluster_.cut_power(i);
    }
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      cluster_.start(i);
    }
  }

  SeedResult result() {
    SeedResult result;
    result.violation = cluster_.judge().violation();
    result.digest = cluster_.trace().digest();
    result.nodes = cluster_.size();
    result.operations = clients_->operations();
    result.faults = faults_happened_;
    result.virtual_us = cluster_.now_us();
    result.messages = cluster_.network.messages();
    result.coverage = cluster_.coverage();
    result.trace = cluster_.trace().lines();
    return result;
  }

  Cluster cluster_;
  Random random_;
  Random bounds_;  // apart, so that what else follows from a seed does not hang on them
  bool truncates_ = false;
  Faults faults_;
  std::uint64_t faults_happened_ = 0;
  std::optional<Clients> clients_;  // of the nodes that the seed has given
};

}  // namespace

SeedResult run_seed(const Cluster::Options& options) { return Seed(options).run(); }

}  // namespace starling::sim
