// Named places where a crash test stops the process: see tests/storage/crash_test.cc.
#pragma once

#include <array>
#include <functional>
#include <string_view>

namespace starling {

using Failpoint = std::function<void(std::string_view name)>;

// Every name the store reports, in the order one round of work meets them.
inline constexpr std::array<std::string_view, 11> failpoint_names{
    "log appended",          "log before sync",        "log synced",
    "outside written",       "checkpoint begun",       "checkpoint in mid-file",
    "checkpoint file ready", "checkpoint visible",     "checkpoint ingested",
    "truncate floor stored", "truncate files dropped",
};

inline void hit(const Failpoint& failpoint, std::string_view name) {
  if (failpoint) {
    failpoint(name);
  }
}

}  // namespace starling
