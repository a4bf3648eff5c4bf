#include "tests/sim/trace.h"

#include <cstdio>

#include "crdt/entry.h"

namespace starling::sim {

void Trace::note(std::uint64_t now_us, std::string_view line) {
  mix(now_us, line.size(), roll_hash(0, line));
  show(now_us, line);
}

void Trace::show(std::uint64_t now_us, std::string_view line) {
  if (keep_lines_) {
    char time[32];
    std::snprintf(time, sizeof time, "%10.5f  ", static_cast<double>(now_us) / 1e6);
    lines_.push_back(time + std::string(line));
  }
}

void Trace::mix(std::uint64_t now_us, std::uint64_t a, std::uint64_t b) {  // as splitmix64 does
  std::uint64_t z = digest_ ^ (a * 0x9E3779B97F4A7C15ULL) ^ (now_us << 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL + b;
  digest_ = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
}

}  // namespace starling::sim
