// Runs independent parts of work in processes of their own, because a planted mistake, or a found
// one, may well crash.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

namespace starling::sim {

struct WorkerReport {
  std::vector<std::string> lines;  // what it printed
  int signal = 0;                  // that ended it; 0: it came to its end
};

// Runs work(0) … work(parts − 1), at most `jobs` at a time. Reports are in the order of the parts.
[[nodiscard]] std::vector<WorkerReport> run_in_processes(
    std::size_t parts, std::size_t jobs,
    const std::function<void(std::size_t part, std::FILE* out)>& work);

}  // namespace starling::sim
