// A process that dies anywhere, or a power cut right then, loses nothing that was promised (R5.2,
// R5.4, I3). A child works on a store and is killed; we open what it left.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>
#include <signal.h>
#include <sstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <spawn.h>

#include "storage/rocksdb/outside_position.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "tests/storage/crash_workload.h"
#include "tests/storage/store_helpers.h"
#include "tests/support/temp_dir.h"

namespace starling::test {
namespace {

namespace fs = std::filesystem;

// What the child was promised, over all its lives in one directory.
struct Promises {
  std::uint64_t appended = 0;
  std::uint64_t synced = 0;
  std::uint64_t state = 0;
  std::uint64_t floor = 0;
  std::map<std::string, std::uint64_t> wal_sizes;  // at the last sync
};

Promises read_journal(const fs::path& path) {
  Promises promises;
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string what;
    std::uint64_t position = 0;
    words >> what >> position;
    if (what == "appended") {
      promises.appended = position;  // may go back after a power cut
    } else if (what == "synced") {
      promises.synced = position;
      promises.wal_sizes.clear();
      std::string name;
      std::string size;
      words >> std::ws;
      while (std::getline(words, name, ':') && std::getline(words, size, ',')) {
        promises.wal_sizes[name] = std::stoull(size);
      }
    } else if (what == "state") {
      promises.state = position;
    } else {
      promises.floor = position;
    }
  }
  return promises;
}

enum class End { finished, killed, failed };

// One directory that a child works on in several lives.
class CrashSite {
 public:
  explicit CrashSite(std::uint64_t seed) : workload_(seed), seed_(seed) {}

  [[nodiscard]] fs::path data() const { return dir_ / "data"; }

  // Until it kills itself at the failpoint, is killed after `patience`, or is done.
  End live(int steps, std::string failpoint, int nth,
           std::chrono::microseconds patience = std::chrono::seconds(60)) {
    const pid_t child = start(steps, std::move(failpoint), nth);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > deadline) {
        ::kill(child, SIGKILL);
        ::waitpid(child, &status, 0);
        break;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    if (WIFSIGNALED(status)) {
      return WTERMSIG(status) == SIGKILL ? End::killed : End::failed;
    }
    return WEXITSTATUS(status) == 0 ? End::finished : End::failed;
  }

  // Takes back from the write-ahead log everything that no sync covered, and lets the outside
  // position lag: what a power cut may leave. The state's files are synced before they count.
  void cut_power(std::mt19937_64& random) {
    const Promises promises = read_journal(journal());
    if (!fs::exists(data() / "log")) {
      return;
    }
    for (const auto& entry : fs::directory_iterator(data() / "log")) {
      if (entry.path().extension() != ".log") {
        continue;
      }
      const auto synced = promises.wal_sizes.find(entry.path().filename().string());
      const std::uint64_t keep = synced == promises.wal_sizes.end() ? 0 : synced->second;
      const std::uint64_t size = entry.file_size();
      if (size > keep) {
        fs::resize_file(entry.path(), keep + random() % (size - keep + 1));
        dropped_bytes_ += size - entry.file_size();
      }
    }
    // The last sync may have been one the child could not note any more; its position goes with it.
    const std::uint64_t lag = random() % 2 == 0 ? 0 : promises.synced / 3;
    if (fs::exists(data() / "FORMAT")) {
      std::ofstream(data() / "outside", std::ios::binary)
          << encode_outside_position(promises.synced - lag);
    }
    power_was_cut_ = true;
  }

  // Opens what is left and holds it against the promises and the workload.
  void inspect() {
    const Promises promises = read_journal(journal());
    const auto store = must(RocksDbStore::open(data()));
    const LogBounds bounds = store->bounds();
    const std::uint64_t w = store->state_position();
    CHECK(bounds.last >= (power_was_cut_ ? promises.synced : promises.appended));
    CHECK(bounds.last >= w);
    CHECK(w >= promises.state);
    CHECK(bounds.first <= w + 1);
    CHECK(bounds.first >= promises.floor);
    for (std::uint64_t position = bounds.first; position <= bounds.last; ++position) {
      const bool same = must(store->read_record(position)) == workload_.record(position);
      REQUIRE(same);
    }
    const bool exact = rows_of(*store) == workload_.state_at(w);
    CHECK_MESSAGE(exact, "the state is not the log's prefix up to ", w);
    CHECK(fs::is_empty(data() / "incoming"));
    for (const auto& entry : fs::directory_iterator(data())) {
      CHECK(entry.path().extension() != ".tmp");
    }
    power_was_cut_ = false;
    // The next life continues from here: what an earlier one had appended beyond it is void.
    std::ofstream(journal(), std::ios::app) << "appended " << bounds.last << '\n';
    records_checked_ += bounds.last + 1 - bounds.first;
  }

  [[nodiscard]] std::uint64_t dropped_bytes() const { return dropped_bytes_; }
  [[nodiscard]] std::uint64_t records_checked() const { return records_checked_; }

 private:
  [[nodiscard]] fs::path journal() const { return dir_ / "journal"; }

  pid_t start(int steps, std::string failpoint, int nth) {
    const std::string program =
        (fs::read_symlink("/proc/self/exe").parent_path() / "storage_crash_child").string();
    std::vector<std::string> args{program,
                                  data().string(),
                                  journal().string(),
                                  std::to_string(seed_),
                                  std::to_string(steps),
                                  std::move(failpoint),
                                  std::to_string(nth)};
    std::vector<char*> argv;
    argv.reserve(args.size() + 1);
    for (auto& arg : args) {
      argv.push_back(arg.data());
    }
    argv.push_back(nullptr);
    pid_t child = -1;
    REQUIRE(::posix_spawn(&child, program.c_str(), nullptr, nullptr, argv.data(), environ) == 0);
    return child;
  }

  TempDir dir_;
  CrashWorkload workload_;
  std::uint64_t seed_;
  bool power_was_cut_ = false;
  std::uint64_t dropped_bytes_ = 0;
  std::uint64_t records_checked_ = 0;
};

TEST_CASE("a process killed at any failpoint loses nothing it was promised") {
  CrashSite site(1);
  int kills = 0;
  for (const std::string_view failpoint : failpoint_names) {
    for (const int nth : {1, 3}) {
      CAPTURE(failpoint);
      CAPTURE(nth);
      REQUIRE(site.live(400, std::string(failpoint), nth) == End::killed);
      site.inspect();
      ++kills;
    }
  }
  MESSAGE(kills, " kills at ", failpoint_names.size(), " failpoints, ", site.records_checked(),
          " records checked");
}

TEST_CASE("a power cut at any failpoint loses nothing that was synced") {
  std::mt19937_64 random(2);
  std::uint64_t dropped = 0;
  int cuts = 0;
  CrashSite site(2);
  for (const std::string_view failpoint : failpoint_names) {
    for (const int nth : {2, 5}) {
      CAPTURE(failpoint);
      CAPTURE(nth);
      REQUIRE(site.live(400, std::string(failpoint), nth) == End::killed);
      site.cut_power(random);
      site.inspect();
      ++cuts;
    }
  }
  dropped = site.dropped_bytes();
  CHECK(dropped > 0);
  MESSAGE(cuts, " power cuts, ", dropped, " unsynced bytes dropped, ", site.records_checked(),
          " records checked");
}

TEST_CASE("a process killed at random moments, during start too, loses nothing") {
  std::mt19937_64 random(3);
  CrashSite site(3);
  int killed = 0;
  for (int round = 0; round < 40; ++round) {
    CAPTURE(round);
    const std::chrono::microseconds patience(random() % 250'000);
    const End end = site.live(1'000'000, "none", 0, patience);
    REQUIRE(end != End::failed);
    killed += end == End::killed ? 1 : 0;
    if (!fs::exists(site.data())) {
      continue;  // killed before it did anything
    }
    if (round % 3 == 0) {
      site.cut_power(random);
    }
    site.inspect();
  }
  CHECK(killed == 40);
  MESSAGE(killed, " kills, ", site.dropped_bytes(), " unsynced bytes dropped, ",
          site.records_checked(), " records checked");
}

}  // namespace
}  // namespace starling::test
