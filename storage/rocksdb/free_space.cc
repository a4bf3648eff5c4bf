#include "storage/rocksdb/free_space.h"

#include <algorithm>
#include <chrono>
#include <sys/statvfs.h>
#include <utility>

namespace starling {
namespace {

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::chrono::nanoseconds between_questions = std::chrono::milliseconds(100);

std::uint64_t default_reserve(const std::filesystem::path& directory) {
  struct statvfs disk{};
  if (::statvfs(directory.c_str(), &disk) != 0) {
    return 64 * mib;
  }
  return std::clamp(std::uint64_t{disk.f_blocks} * disk.f_frsize / 100, 16 * mib, 64 * mib);
}

}  // namespace

FreeSpace::FreeSpace(std::filesystem::path directory, std::optional<std::uint64_t> reserve_bytes,
                     std::uint64_t buffered_bytes)
    : directory_(std::move(directory)),
      reserve_bytes_(reserve_bytes ? *reserve_bytes
                                   : std::max(default_reserve(directory_), 4 * buffered_bytes)) {}

void FreeSpace::spend(std::uint64_t bytes) {
  const std::uint64_t free = free_bytes_.load(std::memory_order_relaxed);
  free_bytes_ = free - std::min(free, bytes);
}

std::uint64_t FreeSpace::free_bytes() const {
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  if (now >= next_question_ns_.load(std::memory_order_relaxed)) {
    struct statvfs disk{};
    if (::statvfs(directory_.c_str(), &disk) == 0) {  // else the last answer stands
      free_bytes_ = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    }
    next_question_ns_ = now + between_questions.count();
  }
  return free_bytes_.load(std::memory_order_relaxed);
}

}  // namespace starling
