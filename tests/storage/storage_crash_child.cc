// Works on a store until it is killed, and notes in a journal what the store has promised so far.
//
// usage: storage_crash_child DATA JOURNAL SEED STEPS FAILPOINT NTH
//        FAILPOINT is a name of failpoint.h, reached for the NTH time, or "none".
//
// Journal lines: "appended N", "synced N FILE:SIZE,...", "state N", "floor N". Each is one write,
// made after the store returned, so a killed child never promises too much.
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <signal.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "storage/rocksdb/rocksdb_store.h"
#include "tests/storage/crash_workload.h"

namespace starling::test {
namespace {

namespace fs = std::filesystem;

void require(bool condition, const std::string& message) {
  if (!condition) {
    std::cerr << "storage_crash_child: " << message << '\n';
    std::_Exit(2);
  }
}

template <typename T>
T must(StoreResult<T> result) {
  require(result.has_value(), result ? "" : result.error().message);
  if constexpr (!std::is_void_v<T>) {
    return *std::move(result);
  }
}

class Child {
 public:
  Child(const fs::path& data, const char* journal, std::uint64_t seed, std::string failpoint,
        int nth)
      : data_(data),
        workload_(seed),
        journal_(::open(journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)),
        failpoint_(std::move(failpoint)),
        countdown_(nth) {
    require(journal_ >= 0, "cannot write the journal");
    RocksDbOptions options;
    options.log_write_buffer_bytes = 96 << 10;  // flushes and compactions happen too
    options.failpoint = [this](std::string_view name) { die_at(name); };
    store_ = must(RocksDbStore::open(data, options));
  }

  void work(int steps) {
    for (int step = 1; step <= steps; ++step) {
      const std::uint64_t next = store_->bounds().last + 1;
      must(store_->append(next, workload_.record(next)));
      note("appended " + std::to_string(next));
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
        note("synced " + std::to_string(next) + ' ' + wal_sizes());
        note("floor " + std::to_string(floor));
      }
    }
  }

 private:
  void die_at(std::string_view name) {
    if (name == failpoint_ && --countdown_ == 0) {
      ::kill(::getpid(), SIGKILL);
    }
  }

  void sync() {
    const std::uint64_t position = must(store_->sync());
    note("synced " + std::to_string(position) + ' ' + wal_sizes());
  }

  void checkpoint() {
    sync();
    const std::uint64_t w = store_->bounds().last;
    const auto writer = must(store_->begin_checkpoint(w));
    for (const auto& [key, value] : workload_.changes(store_->state_position(), w)) {
      must(value ? writer->put(key, *value) : writer->erase(key));
    }
    must(writer->ingest());
    note("state " + std::to_string(w));
  }

  // What a power cut right after this sync must leave of the write-ahead log.
  std::string wal_sizes() const {
    std::string sizes;
    for (const auto& entry : fs::directory_iterator(data_ / "log")) {
      std::error_code gone;
      if (const auto size = entry.file_size(gone); entry.path().extension() == ".log" && !gone) {
        sizes += entry.path().filename().string() + ':' + std::to_string(size) + ',';
      }
    }
    return sizes;
  }

  void note(const std::string& line) {
    const std::string bytes = line + '\n';
    require(::write(journal_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
            "cannot write the journal");
  }

  fs::path data_;
  CrashWorkload workload_;
  int journal_;
  std::string failpoint_;
  int countdown_;
  std::unique_ptr<RocksDbStore> store_;
};

}  // namespace
}  // namespace starling::test

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  starling::test::require(args.size() == 6, "wants DATA JOURNAL SEED STEPS FAILPOINT NTH");
  starling::test::Child child(args[0], args[1].c_str(), std::stoull(args[2]), args[4],
                              std::stoi(args[5]));
  child.work(std::stoi(args[3]));
  return 0;
}
