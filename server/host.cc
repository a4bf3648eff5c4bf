#include "server/host.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace starling {
namespace {

namespace fs = std::filesystem;

std::optional<std::uint64_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  std::string text;
  if (!(in >> text)) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;  // "max" is no number
}

// The least limit on the way from the controller's root down to `group`.
std::uint64_t least_limit(const fs::path& controller, std::string_view group, const char* file) {
  std::uint64_t least = UINT64_MAX;
  fs::path at = controller;
  const fs::path relative = fs::path(group).relative_path();
  const auto look = [&] {
    if (const auto limit = number_in(at / file)) {
      least = std::min(least, *limit);
    }
  };
  look();
  for (const auto& part : relative) {
    at /= part;
    look();
  }
  return least;
}

std::uint64_t cgroup_limit(const fs::path& root) {
  const fs::path mount = root / "sys/fs/cgroup";
  std::uint64_t least = UINT64_MAX;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // hierarchy:controllers:path
    const auto first = line.find(':');
    const auto second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string_view group = std::string_view(line).substr(second + 1);
    if (controllers == ",,") {
      least = std::min(least, least_limit(mount, group, "memory.max"));
      least = std::min(least, least_limit(mount / "unified", group, "memory.max"));
    } else if (controllers.contains(",memory,")) {
      least = std::min(least, least_limit(mount / "memory", group, "memory.limit_in_bytes"));
    }
  }
  return least;
}

std::uint64_t machine_memory(const fs::path& root) {
  std::ifstream in(root / "proc/meminfo");
  std::string name;
  std::uint64_t kib = 0;
  while (in >> name >> kib) {
    if (name == "MemTotal:") {
      return kib * 1024;
    }
    in.ignore(1000, '\n');
  }
  return std::uint64_t{1} << 30;
}

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

}  // namespace

std::uint64_t usable_memory_bytes(const fs::path& root) {
  return std::min(machine_memory(root), cgroup_limit(root));
}

std::string host_name() {
  std::array<char, 256> buffer{};
  if (gethostname(buffer.data(), buffer.size() - 1) != 0) {
    return "node";
  }
  std::string name = std::string(buffer.data()).substr(0, 64);
  for (char& c : name) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_';
    c = fine ? c : '-';
  }
  return name.empty() ? "node" : name;
}

std::uint64_t raise_open_files_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return 1024;
  }
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1u << 20);
    if (raised.rlim_cur > limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0) {
      limit = raised;
    }
  }
  return limit.rlim_cur;
}

std::string system_name() {
  utsname name{};
  return uname(&name) == 0 ? std::string(name.sysname) + " " + name.release + " " + name.machine
                           : "unknown";
}

double process_cpu_seconds() {
  rusage times{};
  getrusage(RUSAGE_SELF, &times);
  return seconds(times.ru_utime) + seconds(times.ru_stime);
}

ProcessUsage process_usage() {
  ProcessUsage usage;
  rusage times{};
  getrusage(RUSAGE_SELF, &times);
  usage.user_cpu_seconds = seconds(times.ru_utime);
  usage.cpu_seconds = seconds(times.ru_utime) + seconds(times.ru_stime);
  usage.peak_resident_bytes = static_cast<std::uint64_t>(times.ru_maxrss) * 1024;
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  if (statm >> pages >> pages) {
    usage.resident_bytes = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  std::error_code ignored;
  for (fs::directory_iterator it("/proc/self/fd", ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    ++usage.open_files;
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    usage.max_open_files = limit.rlim_cur;
  }
  return usage;
}

DiskUsage disk_usage(const fs::path& directory) {
  struct statvfs disk{};
  if (statvfs(directory.c_str(), &disk) != 0) {
    return {};
  }
  return {std::uint64_t{disk.f_blocks} * disk.f_frsize,
          std::uint64_t{disk.f_bavail} * disk.f_frsize};
}

}  // namespace starling
