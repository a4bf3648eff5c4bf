// Where replica_crash_child stops besides the store's failpoints: between what the core decides and
// what is done about it.
#pragma once

#include <array>
#include <string_view>

namespace starling::test {

inline constexpr std::array<std::string_view, 5> replica_crash_points{
    "tick ended",           // nothing of it is done yet
    "clean cells evicted",  // by this tick, of which nothing is done yet
    "tick promised",        // its record is in the log, and said to be
    "table frozen",         // the job is at hand, the log not synced up to it
    "checkpoint told",      // the frozen cells are on their way to the clean ones
};

}  // namespace starling::test
