// A hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", OPODIS 2014): close to wall
// time, never going back, always after everything it has seen.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "crdt/mutants.h"

namespace starling {

// 48 bits of Unix milliseconds above 16 bits of counter, so that timestamps compare as integers.
using Hlc = std::uint64_t;

[[nodiscard]] constexpr Hlc hlc_at(std::uint64_t unix_ms) { return unix_ms << 16; }
[[nodiscard]] constexpr std::uint64_t hlc_unix_ms(Hlc hlc) { return hlc >> 16; }

// A clock far ahead must not win for ever: timestamps from elsewhere pull this clock forward by at
// most this much beyond its own physical time (R6.2). The entry itself is applied all the same.
inline constexpr std::chrono::milliseconds max_clock_adoption{500};

// Time is an argument: the clock owns no time source.
class HybridClock {
 public:
  // A fresh timestamp for a local event, greater than all before it.
  [[nodiscard]] Hlc tick(std::uint64_t unix_ms) {
    last_ = std::max(last_ + 1, hlc_at(unix_ms));
    return last_;
  }

  // Adopts a timestamp seen elsewhere, clamped to physical time + max_clock_adoption.
  void observe(Hlc seen, std::uint64_t unix_ms) {
    const Hlc limit = hlc_at(unix_ms + static_cast<std::uint64_t>(max_clock_adoption.count()));
    last_ = std::max(last_, mutant("clock_unclamped") ? seen : std::min(seen, limit));
  }

  // Restores the high-water mark after a restart, without a clamp: it was ours.
  void restore(Hlc high_water) { last_ = std::max(last_, high_water); }

  [[nodiscard]] Hlc last() const { return last_; }

 private:
  Hlc last_ = 0;
};

}  // namespace starling
