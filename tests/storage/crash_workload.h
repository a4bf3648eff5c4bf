// The work that storage_crash_child does and crash_test.cc checks: all of it follows from a seed,
// so both know what a log prefix must contain and what state it adds up to.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "crdt/cell_key.h"

namespace starling::test {

class CrashWorkload {
 public:
  explicit CrashWorkload(std::uint64_t seed) : seed_(seed) {}

  [[nodiscard]] std::string record(std::uint64_t position) const {
    const std::uint64_t bits = mix(position, 0);
    return "record " + std::to_string(position) + " of " + std::to_string(seed_) +
           std::string(bits % 1500, static_cast<char>(bits >> 32));
  }

  // What the records in (after, upto] do to the rows; nothing = erased.
  [[nodiscard]] std::map<std::string, std::optional<std::string>> changes(
      std::uint64_t after, std::uint64_t upto) const {
    std::map<std::string, std::optional<std::string>> rows;
    for (std::uint64_t position = after + 1; position <= upto; ++position) {
      for (std::uint64_t i = 1; i <= 5; ++i) {
        const std::uint64_t bits = mix(position, i);
        const std::string key =
            encode_cell_key(0, {{0, "set" + std::to_string(bits % 10)},
                                {CellKind::set_element, std::to_string(bits / 16 % 40)}});
        rows[key] = bits >> 62 == 0 ? std::nullopt : std::optional(std::to_string(position));
      }
    }
    return rows;
  }

  [[nodiscard]] std::map<std::string, std::string, std::less<>> state_at(std::uint64_t w) const {
    std::map<std::string, std::string, std::less<>> state;
    for (auto& [key, value] : changes(0, w)) {
      if (value) {
        state.emplace(key, std::move(*value));
      }
    }
    return state;
  }

 private:
  [[nodiscard]] std::uint64_t mix(std::uint64_t position, std::uint64_t i) const {
    std::uint64_t x = seed_ * 0x9E3779B97F4A7C15 + position * 0xBF58476D1CE4E5B9 + i;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  }

  std::uint64_t seed_;
};

}  // namespace starling::test
