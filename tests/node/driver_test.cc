#include "server/driver.h"

#include <stdexcept>

#include <doctest/doctest.h>

#include "tests/node/fakes.h"

namespace starling {
namespace {

using Notes = std::vector<std::string>;
using test::NotingStore;
using test::SteppedExecutor;
using test::SteppedLoop;

struct Died : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A node with everything around the core replaced: its notes are the order in which things
// happened.
struct Bench final : Doors {
  explicit Bench(replica::SyncMode sync = replica::SyncMode::everysec,
                 replica::Config config = {}) {
    config.name = "n1";
    config.sync = sync;
    config.random_seed = 7;
    auto opened = replica::Replica::open(store, config, loop.now());
    REQUIRE(opened);
    core = std::move(*opened);
    driver.emplace(Driver::Parts{.store = store,
                                 .replica = *core,
                                 .loop = loop,
                                 .doors = *this,
                                 .background = {log_sync, checkpoints, urgent, readers},
                                 .log = log.log,
                                 .counters = counters,
                                 .fatal =
                                     [](std::string_view doing, const StoreError& error) {
                                       throw Died(std::string(doing) + ": " + error.message);
                                     },
                                 .sync = sync});
    settle();
    notes.clear();
  }

  void settle() {
    for (int i = 0; i < 10; ++i) {
      loop.run();
      log_sync.run_all();
      checkpoints.run_all();
      urgent.run_all();
      readers.run_all();
    }
  }
  void set(replica::RequestId id, std::string key, std::string value) {
    wire::Command command;
    command.code = wire::CommandCode::set;
    command.key = std::move(key);
    command.args.push_back(std::move(value));
    wire::Request request;
    request.id = id;
    request.commands.push_back(std::move(command));
    driver->step(replica::ClientRequest{id, std::move(request)}, 100);
  }

  void reply(replica::Reply one) override {
    notes.emplace_back("reply");
    replies.push_back(std::move(one));
  }
  void send(replica::Send) override { notes.emplace_back("send"); }
  void dial(replica::Dial) override { notes.emplace_back("dial"); }
  void close(replica::Close) override { notes.emplace_back("close"); }
  void flush() override { notes.emplace_back("flush"); }

  Notes notes;
  NotingStore store{notes};
  SteppedLoop loop;
  SteppedExecutor log_sync;
  SteppedExecutor checkpoints;
  SteppedExecutor urgent;
  SteppedExecutor readers;
  test::ReadableLog log;
  ShellCounters counters;
  std::unique_ptr<replica::Replica> core;
  std::optional<Driver> driver;
  std::vector<replica::Reply> replies;
};

std::size_t position(const Notes& notes, std::string_view what) {
  return static_cast<std::size_t>(std::ranges::find(notes, what) - notes.begin());
}

TEST_CASE("what arrives in one turn is one tick: one record, then the replies, then one flush") {
  Bench bench;
  bench.set(1, "a", "1");
  bench.set(2, "b", "2");
  bench.set(3, "c", "3");
  CHECK(bench.loop.tasks.size() == 1);
  CHECK(bench.notes.empty());
  bench.loop.run();
  CHECK(bench.notes == Notes{"append", "reply", "reply", "reply", "flush"});
  CHECK(bench.replies.size() == 3);
  CHECK(bench.counters.log_records == 1);
}

TEST_CASE("--sync always: the log is durable before anything leaves") {
  Bench bench(replica::SyncMode::always);
  bench.set(1, "a", "1");
  bench.loop.run();
  REQUIRE(bench.notes.size() >= 4);
  CHECK(Notes(bench.notes.begin(), bench.notes.begin() + 4) ==
        Notes{"append", "sync", "reply", "flush"});
  CHECK(bench.log_sync.tasks.empty());
}

TEST_CASE("--sync everysec: at most one sync a second, off the strand, and none while idle") {
  Bench bench;
  bench.loop.advance_ms(5000);
  bench.set(1, "a", "1");
  bench.loop.run();
  CHECK(bench.log_sync.tasks.size() == 1);  // the second before was quiet
  bench.settle();
  CHECK(std::ranges::count(bench.notes, "sync") == 1);

  for (int i = 0; i < 9; ++i) {
    bench.loop.advance_ms(100);
    bench.set(2, "a", "2");
    bench.settle();
  }
  CHECK(std::ranges::count(bench.notes, "sync") == 1);
  CHECK(bench.loop.wake_us <= bench.loop.clock.monotonic_us + 100'000);  // it will come by itself
  bench.loop.advance_ms(100);
  bench.driver->wake();
  bench.settle();
  CHECK(std::ranges::count(bench.notes, "sync") == 2);

  for (int i = 0; i < 10; ++i) {
    bench.loop.advance_ms(1000);
    bench.driver->wake();
    bench.settle();
  }
  CHECK(std::ranges::count(bench.notes, "sync") == 2);
}

TEST_CASE("--sync everysec: a slow sync begins early enough to end within the second") {
  const auto next_sync_after_one_of = [](std::uint64_t ms) {
    Bench bench;
    bench.loop.advance_ms(5000);
    bench.set(1, "a", "1");
    bench.loop.run();
    REQUIRE(bench.log_sync.tasks.size() == 1);
    const std::uint64_t begun_us = bench.loop.clock.monotonic_us;
    bench.loop.advance_ms(ms);
    bench.settle();
    bench.set(2, "a", "2");
    bench.loop.run();
    CHECK(bench.log_sync.tasks.empty());
    return (bench.loop.wake_us - begun_us) / 1000;
  };
  CHECK(next_sync_after_one_of(0) == 1000);
  CHECK(next_sync_after_one_of(200) == 800);
  CHECK(next_sync_after_one_of(450) == 550);
}

TEST_CASE("--sync everysec: what came during a sync is synced although nothing else happens") {
  const auto after_a_sync_of = [](Bench& bench, std::uint64_t ms) {
    bench.loop.advance_ms(5000);
    const std::uint64_t begun_us = bench.loop.clock.monotonic_us;
    bench.set(1, "a", "1");
    bench.loop.run();
    bench.store.during_sync = [&bench, ms] {
      bench.loop.advance_ms(ms);
      bench.set(2, "a", "2");
      bench.loop.run();
      CHECK(bench.log_sync.tasks.empty());  // one at a time
    };
    bench.log_sync.run_all();
    bench.loop.run();
    return begun_us;
  };
  Bench quick;
  const std::uint64_t begun_us = after_a_sync_of(quick, 100);
  CHECK(quick.log_sync.tasks.empty());
  CHECK(quick.loop.wake_us == begun_us + 900'000);
  Bench slow;  // half a second at least lies between two that begin
  (void)after_a_sync_of(slow, 700);
  CHECK(slow.log_sync.tasks.size() == 1);
}

TEST_CASE("--sync os: no sync but the one that a checkpoint needs") {
  replica::Config config;
  config.checkpoint_age = std::chrono::milliseconds(10'000);
  Bench bench(replica::SyncMode::os, config);
  bench.set(1, "a", "1");
  bench.settle();
  CHECK(std::ranges::count(bench.notes, "sync") == 0);
  bench.loop.advance_ms(11'000);
  bench.driver->wake();
  bench.settle();
  CHECK(std::ranges::count(bench.notes, "sync") == 1);
  REQUIRE(std::ranges::count(bench.notes, "checkpoint") == 1);
  CHECK(position(bench.notes, "sync") < position(bench.notes, "checkpoint"));  // R5.2
  CHECK(bench.store.state_position() > 0);
  CHECK(bench.counters.checkpoint_cells > 0);
}

TEST_CASE("a failed log write ends the process before any reply (R2.4)") {
  Bench bench;
  bench.store.fail_append = true;
  bench.set(1, "a", "1");
  CHECK_THROWS_WITH_AS(bench.loop.run(), "writing the log: the disk is on fire", Died);
  CHECK(bench.replies.empty());
}

TEST_CASE("a failed sync ends the process (R2.4)") {
  Bench always(replica::SyncMode::always);
  always.store.fail_sync = true;
  always.set(1, "a", "1");
  CHECK_THROWS_AS(always.loop.run(), Died);
  CHECK(always.replies.empty());

  Bench everysec;
  everysec.loop.advance_ms(2000);
  everysec.store.fail_sync = true;
  everysec.set(1, "a", "1");
  everysec.loop.run();
  CHECK_THROWS_AS(everysec.log_sync.run_all(), Died);
}

TEST_CASE(
    "a checkpoint that follows full memory runs on the thread that does not stand back (0010)") {
  replica::Config small;
  small.memory_bytes = 4u << 20;
  Bench bench(replica::SyncMode::everysec, small);
  const auto write_until_full = [&] {
    for (replica::RequestId i = 0; i < 60; ++i) {
      bench.set(i, "k" + std::to_string(i), std::string(100'000, 'x'));
      bench.loop.run();
      bench.log_sync.run_all();
    }
  };
  write_until_full();
  CHECK(bench.checkpoints.tasks.size() == 1);  // the first one could not know
  CHECK(bench.urgent.tasks.empty());
  bench.checkpoints.run_all();
  write_until_full();
  CHECK(bench.checkpoints.tasks.empty());
  CHECK(bench.urgent.tasks.size() == 1);
  for (int i = 0; i < 10; ++i) {
    bench.settle();
    bench.loop.advance_ms(1000);
  }
  bench.set(1000, "k", "v");  // memory is as good as empty
  bench.settle();
  CHECK_FALSE(bench.core->view(bench.loop.now()).write_stalls == 0);
  bench.loop.advance_ms(60'000);
  bench.loop.run();
  bench.log_sync.run_all();
  CHECK(bench.urgent.tasks.empty());
}

TEST_CASE("a tick is full at a megabyte and empty again when it has ended") {
  Bench bench;
  bench.driver->step(replica::TimerFired{}, (1u << 20) - 1);
  CHECK_FALSE(bench.driver->tick_is_full());
  bench.driver->step(replica::TimerFired{}, 1);
  CHECK(bench.driver->tick_is_full());
  bench.loop.run();
  CHECK_FALSE(bench.driver->tick_is_full());
}

TEST_CASE("the last sync happens once, and only if there is something to sync") {
  Bench bench(replica::SyncMode::os);
  bench.set(1, "a", "1");
  bench.loop.run();
  bench.driver->final_sync();
  CHECK(std::ranges::count(bench.notes, "sync") == 1);
}

}  // namespace
}  // namespace starling
