// The data directory itself: whose it is, which format it has, who holds it.
#pragma once

#include <filesystem>

#include "storage/rocksdb/small_file.h"
#include "storage/store.h"

namespace starling {

inline constexpr unsigned directory_format_version = 0;
// Format 0 is not settled: every change of what lies where counts this up, and a directory of
// another draft is refused, because its rows would read as absent.
inline constexpr unsigned directory_format_draft = 2;

// An opened data directory, locked against other processes until it is destroyed.
// Invariant: FORMAT names this product and a version we know, and incoming/ is empty at open.
class Directory {
 public:
  // Creates the directory if its parent exists; touches nothing in a directory that is not ours.
  [[nodiscard]] static StoreResult<Directory> open(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path log() const { return path_ / "log"; }
  [[nodiscard]] std::filesystem::path state() const { return path_ / "state"; }
  [[nodiscard]] std::filesystem::path incoming() const { return path_ / "incoming"; }
  [[nodiscard]] std::filesystem::path outside() const { return path_ / "outside"; }

 private:
  Directory(std::filesystem::path path, FileDescriptor lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path path_;
  FileDescriptor lock_;
};

}  // namespace starling
