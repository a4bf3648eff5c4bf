#include "server/driver.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace starling {
namespace {

std::uint64_t steady_us() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

Log::Level level_of(replica::Severity severity) {
  switch (severity) {
    case replica::Severity::info:
      return Log::Level::info;
    case replica::Severity::warning:
      return Log::Level::warning;
    case replica::Severity::error:
      break;
  }
  return Log::Level::error;
}

}  // namespace

Driver::Driver(Parts parts) : parts_(std::move(parts)) {
  appended_ = parts_.store.bounds().last;
  synced_ = 0;  // recovery does not know; the first sync tells
  durable_until_us_ = parts_.loop.now().monotonic_us;
  want_tick();
}

void Driver::step(replica::Input input, std::size_t bytes) {
  parts_.replica.step(std::move(input), parts_.loop.now());
  tick_bytes_ += bytes;
  want_tick();
}

void Driver::wake() {
  sync_if_due();
  step(replica::TimerFired{});
}

void Driver::touch(std::size_t bytes) {
  tick_bytes_ += bytes;
  post_tick();
}

void Driver::want_tick() {
  if (parts_.replica.wants_tick()) {
    post_tick();
  }
}

void Driver::post_tick() {
  if (!tick_posted_) {
    tick_posted_ = true;
    parts_.loop.post([this] { tick(); });
  }
}

void Driver::tick() {
  const std::uint64_t begun = steady_us();
  tick_posted_ = false;
  tick_bytes_ = 0;
  perform(parts_.replica.end_tick(parts_.loop.now()));
  ++parts_.counters.ticks;
  parts_.counters.tick_us += steady_us() - begun;
  want_tick();
}

// The order is the contract of Effects: nothing leaves before the record is committed.
void Driver::perform(replica::Effects effects) {
  commit(effects);
  log_events(effects.events);
  for (replica::Reply& reply : effects.replies) {
    parts_.doors.reply(std::move(reply));
  }
  for (replica::Send& send : effects.sends) {
    parts_.doors.send(std::move(send));
  }
  for (replica::Dial& dial : effects.dials) {
    parts_.doors.dial(std::move(dial));
  }
  for (const replica::Close& close : effects.closes) {
    parts_.doors.close(close);
  }
  parts_.doors.flush();
  if (effects.checkpoint) {
    start_checkpoint(std::move(effects.checkpoint), effects.checkpoint_is_urgent
                                                        ? parts_.background.urgent
                                                        : parts_.background.checkpoints);
  }
  for (auto& job : effects.cut_jobs) {
    start_cut_job(std::move(job));
  }
  if (effects.truncate_below) {
    truncate(*effects.truncate_below);
  }
  if (!effects.garbage.empty()) {
    parts_.background.readers.run([garbage = std::move(effects.garbage)] {});
  }
  core_wake_us_ = effects.wake_at_us;
  sync_if_due();
  set_alarm();
}

void Driver::commit(replica::Effects& effects) {
  for (const replica::FactWrite& fact : effects.facts) {
    if (auto put = parts_.store.put_fact(fact.name, fact.value); !put) {
      parts_.fatal("keeping a fact about this node", put.error());
    }
  }
  if (effects.record) {
    const auto& [position, record] = *effects.record;
    if (auto appended = parts_.store.append(position, record); !appended) {
      parts_.fatal("writing the log", appended.error());
    }
    appended_ = position;
    ++parts_.counters.log_records;
    parts_.counters.log_bytes += record.size();
  }
  if (effects.sync_first) {
    const std::uint64_t begun = steady_us();
    const std::uint64_t position = sync_log();
    synced(position, steady_us() - begun);
  }
}

// A peer that comes and goes a thousand times a second must not fill a disk with lines.
void Driver::log_events(const std::vector<replica::Event>& events) {
  const std::uint64_t second = parts_.loop.now().monotonic_us / 1'000'000;
  if (!events.empty() && second != event_second_) {
    if (events_in_second_ > event_lines_per_second) {
      parts_.log.warning("lines left out",
                         {{"count", std::to_string(events_in_second_ - event_lines_per_second)}});
    }
    event_second_ = second;
    events_in_second_ = 0;
  }
  for (const replica::Event& event : events) {
    if (++events_in_second_ <= event_lines_per_second) {
      parts_.log.write(level_of(event.severity), event.text);
    }
  }
}

// ---------------------------------------------------------------- durability

std::uint64_t Driver::sync_log() {
  auto position = parts_.store.sync();
  if (!position) {
    parts_.fatal("syncing the log", position.error());
    return 0;
  }
  return *position;
}

void Driver::synced(std::uint64_t position, std::uint64_t took_us) {
  ++parts_.counters.log_syncs;
  parts_.counters.log_sync_us += took_us;
  synced_ = std::max(synced_, position);
  step(replica::LogSynced{position});
}

// everysec: so early that it will have ended a second after the sync before began, or at once after
// a quiet second. For what was accepted when that one had just begun is safe only then: a power cut
// takes the last second, not that and the time of a sync.
std::uint64_t Driver::next_sync_us() const {
  return last_sync_us_ + sync_interval_us - std::min(sync_took_us_, sync_interval_us / 2);
}

void Driver::sync_if_due() {
  if (parts_.sync != replica::SyncMode::everysec || syncing_ || synced_ >= appended_ ||
      parts_.loop.now().monotonic_us < next_sync_us()) {
    return;
  }
  syncing_ = true;
  last_sync_us_ = parts_.loop.now().monotonic_us;
  parts_.background.log_sync.run([this] {
    const std::uint64_t begun = steady_us();
    const std::uint64_t position = sync_log();
    parts_.loop.post([this, position, took = steady_us() - begun] {
      syncing_ = false;
      const std::uint64_t now_us = parts_.loop.now().monotonic_us;
      sync_took_us_ = std::max(now_us - last_sync_us_, sync_took_us_ / 8 * 7);
      durable_until_us_ = last_sync_us_;
      synced(position, took);
    });
  });
}

void Driver::final_sync() {
  if (synced_ < appended_) {
    (void)sync_log();
  }
}

void Driver::set_alarm() {
  std::uint64_t at = core_wake_us_;
  if (parts_.sync == replica::SyncMode::everysec && !syncing_ && synced_ < appended_) {
    at = std::min(at, next_sync_us());
  }
  parts_.loop.wake_at(at);
}

// ---------------------------------------------------------------- background work

// Log before state (R5.2): the checkpoint waits until the log is durable up to its position.
void Driver::start_checkpoint(std::unique_ptr<replica::CheckpointJob> job, Executor& where) {
  if (synced_ >= job->position()) {
    run_checkpoint(std::move(job), where);
    return;
  }
  parts_.background.log_sync.run([this, &where, job = std::move(job)]() mutable {
    const std::uint64_t begun = steady_us();
    const std::uint64_t position = sync_log();
    const std::uint64_t took = steady_us() - begun;
    parts_.loop.post([this, &where, position, took, job = std::move(job)]() mutable {
      synced(position, took);
      run_checkpoint(std::move(job), where);
    });
  });
}

void Driver::run_checkpoint(std::unique_ptr<replica::CheckpointJob> job, Executor& where) {
  where.run([this, job = std::move(job)]() mutable {
    const std::uint64_t begun = steady_us();
    auto done = job->run(parts_.store);
    job.reset();  // frozen tables are large: they go on this thread
    parts_.loop.post([this, done = std::move(done), took = steady_us() - begun]() mutable {
      parts_.counters.checkpoint_us += took;
      parts_.counters.checkpoint_bytes += done.bytes;
      parts_.counters.checkpoint_cells += done.cells;
      step(std::move(done));
    });
  });
}

void Driver::start_cut_job(std::unique_ptr<replica::CutJob> job) {
  parts_.background.readers.run([this, job = std::move(job)]() mutable {
    auto done = job->run(parts_.store);
    job.reset();
    parts_.loop.post([this, done = std::move(done)]() mutable { step(std::move(done)); });
  });
}

void Driver::truncate(std::uint64_t first_kept) {
  parts_.background.checkpoints.run([this, first_kept] {
    if (auto truncated = parts_.store.truncate(first_kept); !truncated) {
      parts_.log.warning("the log could not be truncated", {{"error", truncated.error().message}});
    }
  });
}

}  // namespace starling
