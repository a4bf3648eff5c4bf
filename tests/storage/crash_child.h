// What the programs share that crash tests kill: a journal of what was promised to them, and the
// fuse that kills them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <signal.h>
#include <string>
#include <string_view>
#include <type_traits>
#include <unistd.h>
#include <utility>

#include "storage/store.h"

namespace starling::test {

inline void require(bool condition, const std::string& message) {
  if (!condition) {
    std::cerr << "a crash test's child: " << message << '\n';
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

// Everything noted is one write, so a killed child never leaves half a line behind, and one made
// after the store returned never promises too much.
class ChildJournal {
 public:
  explicit ChildJournal(const std::filesystem::path& path)
      : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
    require(file_ >= 0, "cannot write " + path.string());
  }

  void note(const std::string& bytes) const {
    require(::write(file_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
            "cannot write the journal");
  }
  // "synced N FILE:SIZE,...": what a power cut right after this sync must leave of the write-ahead
  // log.
  void note_synced(std::uint64_t position, const std::filesystem::path& data) const {
    std::string line = "synced " + std::to_string(position) + ' ';
    for (const auto& entry : std::filesystem::directory_iterator(data / "log")) {
      std::error_code gone;
      if (const auto size = entry.file_size(gone); entry.path().extension() == ".log" && !gone) {
        line += entry.path().filename().string() + ':' + std::to_string(size) + ',';
      }
    }
    note(line + '\n');
  }

 private:
  int file_;
};

// Ends the process when the named point is reached for the nth time.
class Fuse {
 public:
  Fuse(std::string point, int nth) : point_(std::move(point)), countdown_(nth) {}

  void reached(std::string_view point) {
    if (point == point_ && --countdown_ == 0) {
      ::kill(::getpid(), SIGKILL);
    }
  }

 private:
  std::string point_;
  int countdown_;
};

}  // namespace starling::test
