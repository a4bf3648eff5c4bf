// How often each thing happened. A run that never partitioned anything proves nothing about
// partitions, so CI demands a minimum of everything.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace starling::sim {

class Coverage {
 public:
  using Counts = std::map<std::string, std::uint64_t, std::less<>>;

  void hit(std::string_view what, std::uint64_t times = 1) { counter(what) += times; }
  [[nodiscard]] std::uint64_t& counter(std::string_view what);
  [[nodiscard]] std::uint64_t count(std::string_view what) const;
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  Counts counts_;
};

// What a run of CI must have met, `enough` times each: every message type, fault kind and branch
// of the protocol, and every checker.
inline constexpr std::uint64_t enough = 100;
[[nodiscard]] std::vector<std::string> everything_to_cover();

}  // namespace starling::sim
