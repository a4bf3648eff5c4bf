// Small files that a data directory keeps beside its databases.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "storage/store.h"

namespace starling {

// An open file, closed with its owner.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

// At most `limit` bytes from the start of the file.
[[nodiscard]] StoreResult<std::string> read_small_file(const std::filesystem::path& path,
                                                       std::size_t limit = 4096);
// Durable and whole, or not there at all: temporary file, fsync, rename, fsync of the directory.
[[nodiscard]] StoreResult<void> write_small_file(const std::filesystem::path& path,
                                                 std::string_view bytes);
[[nodiscard]] StoreResult<void> sync_directory(const std::filesystem::path& directory);

}  // namespace starling
