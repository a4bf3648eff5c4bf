// Who wrote something, and which of their operations it was.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace starling {

// One process lifetime of one node (R1.2). The node id is minted with the data directory; every
// start takes a higher epoch and a fresh nonce, so a dot can never mean two things, whatever a
// crash, a restored backup or a cloned disk did.
// Ordered by node, then epoch, then nonce: the order in which totals are added and ties are broken.
struct Origin {
  std::uint64_t node = 0;
  std::uint32_t epoch = 0;
  std::uint32_t nonce = 0;

  friend auto operator<=>(const Origin&, const Origin&) = default;
};

// Names one operation for ever (R1.3): the n-th of its origin, counted from 1. n = 0 names nothing.
struct Dot {
  Origin origin;
  std::uint64_t n = 0;

  friend auto operator<=>(const Dot&, const Dot&) = default;
};

struct OriginHash {
  [[nodiscard]] std::size_t operator()(const Origin& origin) const {
    const std::uint64_t start = (static_cast<std::uint64_t>(origin.epoch) << 32) | origin.nonce;
    return static_cast<std::size_t>(origin.node ^ (start * 0x9E3779B97F4A7C15ULL));
  }
};

}  // namespace starling
