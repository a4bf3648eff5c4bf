#include "server/host.h"

#include <fstream>

#include <doctest/doctest.h>

#include "tests/support/temp_dir.h"

namespace starling {
namespace {

void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

TEST_CASE("memory is what the machine has where no cgroup limits it") {
  const test::TempDir root;
  write(root / "proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
  CHECK(usable_memory_bytes(root.path()) == 2048 * 1024);
  write(root / "proc/self/cgroup", "0::/a/b\n");
  write(root / "sys/fs/cgroup/a/b/memory.max", "max\n");
  CHECK(usable_memory_bytes(root.path()) == 2048 * 1024);
}

TEST_CASE("cgroup v2: the least limit on the way to our group counts") {
  const test::TempDir root;
  write(root / "proc/meminfo", "MemTotal: 1048576 kB\n");
  write(root / "proc/self/cgroup", "0::/a/b\n");
  write(root / "sys/fs/cgroup/a/memory.max", "1000000\n");
  write(root / "sys/fs/cgroup/a/b/memory.max", "2000000\n");
  CHECK(usable_memory_bytes(root.path()) == 1000000);
}

TEST_CASE("cgroup v1: the memory controller's limit counts") {
  const test::TempDir root;
  write(root / "proc/meminfo", "MemTotal: 1048576 kB\n");
  write(root / "proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/1\n");
  write(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write(root / "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "3000000\n");
  CHECK(usable_memory_bytes(root.path()) == 3000000);
}

TEST_CASE("cgroup v1 inside a container sees its own limit at the root") {
  const test::TempDir root;
  write(root / "proc/meminfo", "MemTotal: 1048576 kB\n");
  write(root / "proc/self/cgroup", "4:memory:/docker/1\n");
  write(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "4000000\n");
  CHECK(usable_memory_bytes(root.path()) == 4000000);
}

TEST_CASE("this process has a size, files and a disk") {
  const ProcessUsage usage = process_usage();
  CHECK(usage.resident_bytes > 0);
  CHECK(usage.open_files > 0);
  CHECK(usage.max_open_files >= usage.open_files);
  CHECK(disk_usage("/").total_bytes > 0);
  CHECK(disk_usage("/does/not/exist").total_bytes == 0);
}

}  // namespace
}  // namespace starling
