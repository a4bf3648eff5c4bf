// What the machine under us is called and allows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace starling {

// The smaller of what the machine has and what cgroups (v1 and v2, with their parents) allow.
// `root` stands before /proc and /sys, for tests.
[[nodiscard]] std::uint64_t usable_memory_bytes(const std::filesystem::path& root = "/");

// The host name, made fit for --name.
[[nodiscard]] std::string host_name();
// "Linux 6.1.0 x86_64".
[[nodiscard]] std::string system_name();

// Raises the soft limit of open files to the hard one and returns it.
[[nodiscard]] std::uint64_t raise_open_files_limit();

struct ProcessUsage {
  double cpu_seconds = 0;       // all of it
  double user_cpu_seconds = 0;  // without what the kernel took
  std::uint64_t resident_bytes = 0;
  std::uint64_t peak_resident_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t max_open_files = 0;
};
[[nodiscard]] ProcessUsage process_usage();
// Of the above only this, which costs one system call.
[[nodiscard]] double process_cpu_seconds();

struct DiskUsage {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  // for an ordinary user
};
[[nodiscard]] DiskUsage disk_usage(const std::filesystem::path& directory);

}  // namespace starling
