// What one command costs in the core, without sockets: execute, tick, encode, append to a log in
// memory. Question: how far is the core from the budget of a Redis-speed node (about 2 µs of CPU
// per command for everything)?
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "server/replica/group.h"
#include "server/replica/replica.h"
#include "storage/memory_store.h"

namespace starling::replica {
namespace {

constexpr std::int64_t commands_per_tick = 16;

// A store that accepts records and forgets them, so that only the core is measured.
class ForgetfulStore final : public Store {
 public:
  StoreResult<void> append(std::uint64_t position, std::string_view) override {
    last_ = position;
    return {};
  }
  StoreResult<std::uint64_t> sync() override { return last_; }
  StoreResult<std::optional<std::string>> read_record(std::uint64_t) const override {
    return std::nullopt;
  }
  LogBounds bounds() const override { return {last_ + 1, last_}; }
  StoreResult<void> truncate(std::uint64_t) override { return {}; }
  std::uint64_t state_position() const override { return 0; }
  StoreResult<std::optional<std::string>> get(std::string_view key) const override {
    return empty_.get(key);
  }
  std::unique_ptr<Cut> cut() const override { return empty_.cut(); }
  StoreResult<std::unique_ptr<CheckpointWriter>> begin_checkpoint(std::uint64_t) override {
    return std::unexpected(StoreError{StoreError::Code::refused, "no checkpoints here"});
  }
  bool checkpoint_stalled() const override { return true; }
  StoreResult<void> put_fact(std::string_view, std::string_view) override { return {}; }
  StoreResult<std::optional<std::string>> get_fact(std::string_view name) const override {
    return empty_.get_fact(name);
  }
  bool has_room(std::uint64_t) const override { return true; }

 private:
  MemoryStore empty_;
  std::uint64_t last_ = 0;
};

// Runs `make(i)` for i = 0, 1, … in ticks of 16 commands.
template <typename Make>
void run(benchmark::State& state, const Make& make) {
  ForgetfulStore store;
  Config config;
  config.name = "bench";
  config.memory_bytes = std::uint64_t{4} << 30;
  config.random_seed = 1;
  Now now{1'000'000, 1'790'000'000'000};
  auto replica = Replica::open(store, config, now);
  std::uint64_t id = 0;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < commands_per_tick; ++i) {
      wire::Request request;
      request.id = ++id;
      request.commands.push_back(make(id));
      (*replica)->step(ClientRequest{id, std::move(request)}, now);
    }
    now.monotonic_us += 100;
    const Effects effects = (*replica)->end_tick(now);
    if (effects.record && !store.append(effects.record->position, effects.record->record)) {
      state.SkipWithError("append failed");
    }
    benchmark::DoNotOptimize(effects.replies.size());
  }
  state.SetItemsProcessed(state.iterations() * commands_per_tick);
}

std::string key_of(std::uint64_t id) {
  return "key:" + std::to_string(id * 0x9E3779B97F4A7C15ULL % 100'000);
}

void set_random_keys(benchmark::State& state) {
  const std::string value(64, 'v');
  run(state, [&](std::uint64_t id) {
    return wire::Command{wire::CommandCode::set, 0, key_of(id), {value}, 0};
  });
}
BENCHMARK(set_random_keys);

void get_random_keys(benchmark::State& state) {
  const std::string value(64, 'v');
  run(state, [&](std::uint64_t id) {
    return id < 200'000 ? wire::Command{wire::CommandCode::set, 0, key_of(id), {value}, 0}
                        : wire::Command{wire::CommandCode::get, 0, key_of(id), {}, 0};
  });
}
BENCHMARK(get_random_keys)->MinTime(2.0);

void incr_random_keys(benchmark::State& state) {
  run(state, [&](std::uint64_t id) {
    return wire::Command{wire::CommandCode::incr, 0, key_of(id), {}, 1};
  });
}
BENCHMARK(incr_random_keys);

void set_add_random_members_of_one_key(benchmark::State& state) {
  run(state, [&](std::uint64_t id) {
    return wire::Command{wire::CommandCode::set_add, 0, "set", {key_of(id)}, 0};
  });
}
BENCHMARK(set_add_random_members_of_one_key);

void hash_set_random_fields_of_one_key(benchmark::State& state) {
  const std::string value(64, 'v');
  run(state, [&](std::uint64_t id) {
    return wire::Command{wire::CommandCode::hash_set, 0, "hash", {key_of(id), value}, 0};
  });
}
BENCHMARK(hash_set_random_fields_of_one_key);

// What it costs to apply a peer's writes, and whether it costs more when the peer has not seen all
// that is here, so that its writes may meet others (conflict_finder.h).
void apply_sets_of_a_peer(benchmark::State& state) {
  const bool may_meet = state.range(0) == 1;
  const bool complete = state.range(1) == 1;  // otherwise nobody has read the keys here: cold
  constexpr std::uint64_t keys = 100'000;
  const std::string value(64, 'v');
  const auto write = [&](Group& group, std::uint64_t id) {
    wire::Request request;
    request.commands.push_back({wire::CommandCode::set, 0, key_of(id), {value}, 0});
    (void)group.execute(request, 1'790'000'000'000, 1'790'000'000'000);
  };
  ForgetfulStore store;
  Group peer(store, {});
  peer.begin({2, 1, 1});
  std::vector<Run> runs;
  for (std::uint64_t id = 0; id < 2 * keys;) {
    for (std::int64_t i = 0; i < commands_per_tick; ++i) {
      write(peer, ++id);
    }
    runs.push_back(std::move(peer.take_record().own.front()));
  }
  std::unique_ptr<Group> here;
  auto next = runs.end();
  for (auto _ : state) {
    if (next == runs.end()) {
      state.PauseTiming();
      here = std::make_unique<Group>(
          store, Group::Limits{.tables = {.memory_bytes = std::uint64_t{4} << 30}});
      here->begin({1, 1, 1});
      if (may_meet) {
        write(*here, keys * 10 + 7);
      }
      // Every key once before, so that all of them are in memory.
      for (next = runs.begin(); next < runs.begin() + static_cast<std::ptrdiff_t>(runs.size() / 2);
           ++next) {
        (void)here->admit(*next, 1'790'000'000'000);
        (void)here->take_record();
      }
      if (complete) {
        for (std::uint64_t id = 0; id < keys; ++id) {
          wire::Request request;
          request.commands.push_back({wire::CommandCode::get, 0, key_of(id), {}, 0});
          (void)here->execute(request, 1'790'000'000'000, 1'790'000'000'000);
        }
      }
      state.ResumeTiming();
    }
    (void)here->admit(*next, 1'790'000'000'000);
    ++next;
    benchmark::DoNotOptimize(here->take_record().bytes.size());
  }
  state.SetItemsProcessed(state.iterations() * commands_per_tick);
}
BENCHMARK(apply_sets_of_a_peer)->ArgNames({"may_meet", "in_memory"})->ArgsProduct({{0, 1}, {0, 1}});

}  // namespace
}  // namespace starling::replica

BENCHMARK_MAIN();
