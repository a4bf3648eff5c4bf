// What it costs to look at a database as a whole: a page of SCAN, DBSIZE, RANDOMKEY, FLUSHDB, the
// expiry of keys. Question: does any of them grow with the number of keys, and how long is the
// strand busy? A million strings of 64 bytes on a RocksDB in a temporary directory, the page cache
// warm.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "server/replica/group.h"
#include "server/replica/keyspace.h"
#include "server/replica/object.h"
#include "storage/rocksdb/rocksdb_store.h"

namespace starling::replica {
namespace {

constexpr std::int64_t keys = 1'000'000;
constexpr std::uint64_t now_ms = 1'790'000'000'000;

void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

// A group on a directory of its own, filled once for all benchmarks.
class Database {
 public:
  Database() {
    std::string name = (std::filesystem::temp_directory_path() / "keyspace_bench.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      die("no temporary directory");
    }
    path_ = name;
    auto opened = RocksDbStore::open(path_);
    if (!opened) {
      die(opened.error().message);
    }
    store_ = std::move(*opened);
    start();
    for (std::int64_t i = 0; i < keys;) {
      write([&](Transaction& transaction) {
        for (int n = 0; n < 1000; ++n, ++i) {
          set(transaction, "key:" + std::to_string(i));
        }
      });
      if (i % 100'000 == 0) {
        checkpoint();
      }
    }
    start();
  }
  ~Database() {
    group_.reset();
    store_.reset();
    std::filesystem::remove_all(path_);
  }

  static void set(Transaction& transaction, const std::string& key) {
    Object object(transaction, {0, key});
    object.clear_for(ObjectType::string);
    transaction.assign(object.cell(CellKind::string_register), std::string(64, 'v'));
  }

  // As a new process finds it: nothing in memory.
  void start() {
    group_ = std::make_unique<Group>(*store_, Group::Limits{.tables = {.memory_bytes = 1u << 30}});
    if (const auto recovered = group_->recover(now_ms); !recovered) {
      die(recovered.error().message);
    }
    Origin self;
    self.node = 1;
    self.epoch = ++epoch_;
    group_->begin(self);
  }
  void write(const Group::Work& work) {
    if (const auto ran = group_->run(work, now_ms, now_ms); !ran) {
      die(ran.error().message);
    }
    if (group_->has_record()) {
      const auto written = group_->take_record();
      if (!store_->append(written.position, written.bytes)) {
        die("append");
      }
    }
  }
  void checkpoint() {
    auto job = group_->checkpoint(now_ms);
    if (const auto synced = store_->sync()) {
      group_->synced(*synced);
    }
    const CheckpointDone done = job->run(*store_);
    if (done.error) {
      die(done.error->message);
    }
    group_->checkpoint_done(done);
  }

 private:
  std::filesystem::path path_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Group> group_;
  std::uint32_t epoch_ = 0;
};

Database& database() {
  static Database one;
  return one;
}

// `dirty` keys are written anew after a start, the rest is cold.
void prepare(std::int64_t dirty) {
  Database& db = database();
  db.checkpoint();  // of what the benchmark before has left
  db.start();
  for (std::int64_t i = 0; i < dirty; i += 1000) {
    db.write([&](Transaction& transaction) {
      for (std::int64_t n = 0; n < 1000; ++n) {
        Database::set(transaction, "key:" + std::to_string((i + n) * 7919 % keys));
      }
    });
  }
}

void scan_page(benchmark::State& state) {
  prepare(state.range(1));
  std::uint64_t cursor = 0;
  std::int64_t met = 0;
  for (auto _ : state) {
    database().write([&](Transaction& transaction) {
      const KeyPage page = scan(transaction, 0, cursor, static_cast<std::size_t>(state.range(0)));
      met += static_cast<std::int64_t>(page.keys.size());
      cursor = page.next;
    });
  }
  state.SetItemsProcessed(met);
}
BENCHMARK(scan_page)->Args({10, 0})->Args({1000, 0})->Args({10, 100'000})->Args({1000, 100'000});

void dbsize(benchmark::State& state) {
  prepare(state.range(0));
  std::int64_t count = 0;
  for (auto _ : state) {
    database().write([&](Transaction& transaction) { count = key_count(transaction, 0); });
  }
  if (count != keys) {
    state.SkipWithError("wrong count");
  }
}
BENCHMARK(dbsize)->Arg(0)->Arg(100'000);

void random_keys(benchmark::State& state) {
  prepare(state.range(0));
  std::mt19937_64 random(1);
  for (auto _ : state) {
    database().write([&](Transaction& transaction) {
      benchmark::DoNotOptimize(random_key(transaction, 0, [&] { return random(); }));
    });
  }
}
BENCHMARK(random_keys)->Arg(0)->Arg(100'000);

// The walk for totals and the kill itself; undone by not keeping it.
void flush(benchmark::State& state) {
  prepare(state.range(0));
  for (auto _ : state) {
    database().write([&](Transaction& transaction) {
      kill_database(transaction, 0);
      benchmark::DoNotOptimize(transaction.take_ops());
    });
  }
}
BENCHMARK(flush)->Arg(0)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace starling::replica

BENCHMARK_MAIN();
