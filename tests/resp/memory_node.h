// A node for the RESP door: a real replica on a store in memory. No sockets, and no time passes
// unless somebody says so. Knows no test framework: fuzz targets use it too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "server/resp/backend.h"
#include "storage/memory_store.h"

namespace starling::test {

class MemoryNode final : public resp::Backend {
 public:
  // `prepare`: fills the store before the replica recovers from it.
  explicit MemoryNode(replica::Config config = {},
                      const std::function<void(MemoryStore&)>& prepare = {})
      : config_(std::move(config)) {
    if (prepare) {
      prepare(store);
    }
    config_.name = "n1";
    config_.peer_address = "n1";
    config_.client_address = "n1:client";
    config_.random_seed = 1;
    open();
  }

  MemoryStore store;
  replica::Now time{1'000'000, 1'790'000'000'000};

  [[nodiscard]] replica::Replica& replica() override { return *replica_; }
  [[nodiscard]] replica::Now now() const override { return time; }
  void want_tick(std::size_t bytes) override { tick_bytes_ += bytes; }
  void wake_by(std::uint64_t) override { wake_wanted_ = true; }  // at the next end_tick
  [[nodiscard]] bool tick_is_full() const override {
    return tick_bytes_ >= full_tick_bytes || replica_->tick_full();
  }
  [[nodiscard]] std::uint64_t random() override { return random_(); }
  [[nodiscard]] resp::NodeFacts facts() const override { return told; }
  resp::NodeFacts told;
  void shut_down() override { ++shut_downs; }
  int shut_downs = 0;

  // While this holds, checkpoints begin and do not end.
  bool hold_checkpoints = false;

  // What was accepted becomes a record; a checkpoint that is due runs at once.
  void end_tick() {
    tick_bytes_ = 0;
    if (std::exchange(wake_wanted_, false)) {
      replica_->step(replica::TimerFired{}, time);
    }
    run_checkpoint();
    while (replica_->wants_tick()) {
      replica::Effects effects = replica_->end_tick(time);
      for (const auto& fact : effects.facts) {
        must(store.put_fact(fact.name, fact.value));
      }
      if (effects.record) {
        must(store.append(effects.record->position, effects.record->record));
        const auto synced = store.sync();
        must(synced);
        replica_->step(replica::LogSynced{*synced}, time);
      }
      if (effects.checkpoint) {
        checkpoint_ = std::move(effects.checkpoint);
      }
      run_checkpoint();
      for (const auto& job : effects.cut_jobs) {
        replica_->step(job->run(store), time);
      }
    }
  }
  void pass_ms(std::uint64_t ms) {
    time.monotonic_us += ms * 1000;
    time.unix_ms += ms;
    replica_->step(replica::TimerFired{}, time);
    end_tick();
  }
  // As after a restart of the process. Whoever held the old replica is gone.
  void restart() {
    checkpoint_.reset();
    replica_.reset();
    open();
  }

 private:
  static constexpr std::size_t full_tick_bytes = 1u << 20;  // as the driver's

  // A node in memory has no disk that could fail: what fails here is a bug.
  template <typename Result>
  static void must(const Result& result) {
    if (!result) {
      (void)std::fprintf(stderr, "the node in memory: %s\n", result.error().message.c_str());
      std::abort();
    }
  }

  void run_checkpoint() {
    if (checkpoint_ && !hold_checkpoints) {
      replica_->step(std::exchange(checkpoint_, nullptr)->run(store), time);
    }
  }

  void open() {
    auto opened = replica::Replica::open(store, config_, time);
    must(opened);
    replica_ = std::move(*opened);
    end_tick();
  }

  replica::Config config_;
  std::unique_ptr<replica::Replica> replica_;
  std::unique_ptr<replica::CheckpointJob> checkpoint_;
  bool wake_wanted_ = false;
  std::size_t tick_bytes_ = 0;
  std::mt19937_64 random_{4711};
};

}  // namespace starling::test
