// How much room the disk has left, asked rarely and answered cheaply.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace starling {

// The reserve exists because RocksDB must never meet a full disk: Debian's build aborts (R2.4).
//   free < reserve      no room: nothing new is taken in, checkpoints still run, so that the log
//                       can be truncated
//   free < reserve / 4  exhausted: the store itself writes nothing more
// May be called from any thread.
class FreeSpace {
 public:
  // Without a reserve: 1 % of the disk, from 16 MiB to 64 MiB, but so much that what is buffered
  // can still be flushed when the disk counts as exhausted.
  FreeSpace(std::filesystem::path directory, std::optional<std::uint64_t> reserve_bytes,
            std::uint64_t buffered_bytes);

  // Beyond the reserve, for so many bytes more.
  [[nodiscard]] bool has_room(std::uint64_t bytes) const {
    const std::uint64_t free = free_bytes();
    return free >= reserve_bytes_ && free - reserve_bytes_ >= bytes;
  }
  [[nodiscard]] bool exhausted() const { return free_bytes() < reserve_bytes_ / 4; }
  [[nodiscard]] std::uint64_t reserve_bytes() const { return reserve_bytes_; }
  // So much was written since the last question.
  void spend(std::uint64_t bytes);
  // A write failed: the last answer is worth nothing.
  void ask_again() { next_question_ns_ = 0; }

 private:
  [[nodiscard]] std::uint64_t free_bytes() const;

  std::filesystem::path directory_;
  std::uint64_t reserve_bytes_;
  mutable std::atomic<std::int64_t> next_question_ns_{0};
  mutable std::atomic<std::uint64_t> free_bytes_{UINT64_MAX};
};

}  // namespace starling
