// Works on a store until it is killed, and notes in a journal what the store has promised so far.
//
// usage: storage_crash_child DATA JOURNAL SEED STEPS FAILPOINT NTH
//        FAILPOINT is a name of failpoint.h, reached for the NTH time, or "none".
//
// Journal lines: "appended N", "synced N FILE:SIZE,...", "state N", "floor N".
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/rocksdb/rocksdb_store.h"
#include "tests/storage/crash_child.h"
#include "tests/storage/crash_workload.h"

namespace starling::test {
namespace {

namespace fs = std::filesystem;

class Child {
 public:
  Child(const fs::path& data, const fs::path& journal, std::uint64_t seed, std::string failpoint,
        int nth)
      : data_(data), workload_(seed), journal_(journal), fuse_(std::move(failpoint), nth) {
    RocksDbOptions options;
    options.log_write_buffer_bytes = 96 << 10;  // flushes and compactions happen too
    options.failpoint = [this](std::string_view name) { fuse_.reached(name); };
    store_ = must(RocksDbStore::open(data, options));
  }

  void work(int steps) {
    for (int step = 1; step <= steps; ++step) {
      const std::uint64_t next = store_->bounds().last + 1;
      must(store_->append(next, workload_.record(next)));
      journal_.note("appended " + std::to_string(next) + '\n');
      if (step % 7 == 0) {
        sync();
      }
      if (step % 30 == 0 && !store_->checkpoint_stalled()) {
        checkpoint();
      }
      if (step % 60 == 0) {
        const std::uint64_t floor = store_->state_position() - 10;
        must(store_->truncate(floor));
        // Storing the floor syncs the log's file, so a power cut must leave it too.
        journal_.note_synced(next, data_);
        journal_.note("floor " + std::to_string(floor) + '\n');
      }
    }
  }

 private:
  void sync() { journal_.note_synced(must(store_->sync()), data_); }

  void checkpoint() {
    sync();
    const std::uint64_t w = store_->bounds().last;
    const auto writer = must(store_->begin_checkpoint(w));
    for (const auto& [key, value] : workload_.changes(store_->state_position(), w)) {
      must(value ? writer->put(key, *value) : writer->erase(key));
    }
    must(writer->ingest());
    journal_.note("state " + std::to_string(w) + '\n');
  }

  fs::path data_;
  CrashWorkload workload_;
  ChildJournal journal_;
  Fuse fuse_;
  std::unique_ptr<RocksDbStore> store_;
};

}  // namespace
}  // namespace starling::test

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  starling::test::require(args.size() == 6, "wants DATA JOURNAL SEED STEPS FAILPOINT NTH");
  starling::test::Child child(args[0], args[1], std::stoull(args[2]), args[4], std::stoi(args[5]));
  child.work(std::stoi(args[3]));
  return 0;
}
