// The loop around the core: inputs -> step -> end_tick -> effects, in order.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "server/log.h"
#include "server/loop.h"
#include "server/metrics.h"
#include "server/replica/replica.h"
#include "storage/store.h"

namespace starling {

// Where replies and messages go. Called only behind the commit of what they speak about.
class Doors {
 public:
  Doors() = default;
  Doors(const Doors&) = delete;
  Doors& operator=(const Doors&) = delete;
  virtual ~Doors() = default;

  virtual void reply(replica::Reply reply) = 0;
  virtual void send(replica::Send send) = 0;
  virtual void dial(replica::Dial dial) = 0;
  virtual void close(replica::Close close) = 0;
  // The effects of one tick are complete: write to the sockets now, once each.
  virtual void flush() = 0;
};

// The threads behind the strand. One thread may serve several of them.
struct Background {
  Executor& log_sync;     // at most one sync under way, and the sync of one checkpoint
  Executor& checkpoints;  // at most one checkpoint, and the truncations between two
  Executor& urgent;       // that one checkpoint, if writes have to wait for it
  Executor& readers;      // cut jobs; the core bounds them
};

// A log write or sync failed, or a fact could not be kept: the process must end at once, because
// nothing it says afterwards would be true (R2.4). Does not return.
using Fatal = std::function<void(std::string_view doing, const StoreError&)>;

// Feeds the core and performs what it decides. Everything that arrives in one turn of the loop
// becomes one tick: inputs are stepped at once, `end_tick` is posted once behind them (R2.2).
// Runs on: core strand.
class Driver {
 public:
  struct Parts {
    Store& store;
    replica::Replica& replica;
    Loop& loop;
    Doors& doors;
    Background background;
    Log& log;
    ShellCounters& counters;
    Fatal fatal;
    replica::SyncMode sync = replica::SyncMode::everysec;
  };
  explicit Driver(Parts parts);
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // `bytes` is what the input weighed on the wire.
  void step(replica::Input input, std::size_t bytes = 0);
  // Something was done to the core, or is to be said, without a step: a tick must follow.
  void touch(std::size_t bytes);
  // The tick holds enough (R1.4): take nothing more from sockets and buffers until it has ended.
  [[nodiscard]] bool tick_is_full() const {
    return tick_bytes_ >= full_tick_bytes || parts_.replica.tick_full();
  }
  // What was accepted up to then (monotonic) is in the log on disk.
  [[nodiscard]] std::uint64_t durable_until_us() const {
    return synced_ >= appended_ ? parts_.loop.now().monotonic_us : durable_until_us_;
  }
  // The loop's wake handler.
  void wake();
  // Syncs the log for the last time. Only when the background has stopped.
  void final_sync();

 private:
  static constexpr std::size_t full_tick_bytes = 1u << 20;
  static constexpr std::uint64_t sync_interval_us = 1'000'000;
  static constexpr std::uint64_t event_lines_per_second = 20;  // more are counted, not logged

  void want_tick();
  void post_tick();
  void tick();
  void perform(replica::Effects effects);
  void commit(replica::Effects& effects);
  void log_events(const std::vector<replica::Event>& events);
  void start_checkpoint(std::unique_ptr<replica::CheckpointJob> job, Executor& where);
  void run_checkpoint(std::unique_ptr<replica::CheckpointJob> job, Executor& where);
  void start_cut_job(std::unique_ptr<replica::CutJob> job);
  void truncate(std::uint64_t first_kept);
  [[nodiscard]] std::uint64_t next_sync_us() const;
  void sync_if_due();
  // Runs on: log-sync thread, or the core strand under --sync always.
  [[nodiscard]] std::uint64_t sync_log();
  void synced(std::uint64_t position, std::uint64_t took_us);
  void set_alarm();

  Parts parts_;
  bool tick_posted_ = false;
  std::size_t tick_bytes_ = 0;
  std::uint64_t core_wake_us_ = 0;
  std::uint64_t appended_ = 0;  // last position in the log
  std::uint64_t synced_ = 0;    // and the last that is known to be durable
  std::uint64_t last_sync_us_ = 0;
  std::uint64_t sync_took_us_ = 0;      // about the longest of the latest
  std::uint64_t durable_until_us_ = 0;  // the begin of the last sync that has ended
  bool syncing_ = false;                // everysec: one sync is under way
  std::uint64_t event_second_ = 0;
  std::uint64_t events_in_second_ = 0;
};

}  // namespace starling
