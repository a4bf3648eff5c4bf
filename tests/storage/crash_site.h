// A directory in which a program works in several lives, each of which ends with a kill.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <signal.h>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <spawn.h>

#include "storage/rocksdb/outside_position.h"
#include "tests/support/temp_dir.h"

namespace starling::test {

// What the child was promised, over all its lives in one directory.
struct Promises {
  std::uint64_t appended = 0;
  std::uint64_t synced = 0;
  std::uint64_t state = 0;
  std::uint64_t floor = 0;
  std::map<std::string, std::uint64_t> wal_sizes;  // at the last sync
  std::uint64_t checkpoints = 0;
  std::uint64_t evictions = 0;
};

inline Promises read_promises(const std::filesystem::path& journal) {
  Promises promises;
  std::ifstream in(journal);
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
      ++promises.checkpoints;
    } else if (what == "evicted") {
      ++promises.evictions;
    } else {
      promises.floor = position;
    }
  }
  return promises;
}

enum class End { finished, killed, failed };

class CrashSite {
 public:
  // The name of the program, which lies beside this one.
  explicit CrashSite(std::string program) : program_(std::move(program)) {}

  [[nodiscard]] std::filesystem::path data() const { return dir_ / "data"; }
  [[nodiscard]] std::filesystem::path journal() const { return dir_ / "journal"; }
  [[nodiscard]] Promises promises() const { return read_promises(journal()); }
  [[nodiscard]] std::uint64_t dropped_bytes() const { return dropped_bytes_; }
  [[nodiscard]] bool power_was_cut() const { return power_was_cut_; }

  // Until it kills itself, is killed after `patience`, or is done. Its arguments follow the data
  // and the journal.
  End live(const std::vector<std::string>& args, std::chrono::microseconds patience) {
    const pid_t child = start(args);
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
    const Promises promises = this->promises();
    if (!std::filesystem::exists(data() / "log")) {
      return;
    }
    for (const auto& entry : std::filesystem::directory_iterator(data() / "log")) {
      if (entry.path().extension() != ".log") {
        continue;
      }
      const auto synced = promises.wal_sizes.find(entry.path().filename().string());
      const std::uint64_t keep = synced == promises.wal_sizes.end() ? 0 : synced->second;
      const std::uint64_t size = entry.file_size();
      if (size > keep) {
        std::filesystem::resize_file(entry.path(), keep + random() % (size - keep + 1));
        dropped_bytes_ += size - entry.file_size();
      }
    }
    // The last sync may have been one the child could not note any more; its position goes with it.
    const std::uint64_t lag = random() % 2 == 0 ? 0 : promises.synced / 3;
    if (std::filesystem::exists(data() / "FORMAT")) {
      std::ofstream(data() / "outside", std::ios::binary)
          << encode_outside_position(promises.synced - lag);
    }
    power_was_cut_ = true;
  }

 protected:
  // The next life continues from here: what an earlier one had appended beyond it is void.
  void inspected(std::uint64_t last) {
    power_was_cut_ = false;
    std::ofstream(journal(), std::ios::app) << "appended " << last << '\n';
  }

 private:
  pid_t start(const std::vector<std::string>& more) {
    const std::string program =
        (std::filesystem::read_symlink("/proc/self/exe").parent_path() / program_).string();
    std::vector<std::string> args{program, data().string(), journal().string()};
    args.insert(args.end(), more.begin(), more.end());
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

  std::string program_;
  TempDir dir_;
  bool power_was_cut_ = false;
  std::uint64_t dropped_bytes_ = 0;
};

}  // namespace starling::test
