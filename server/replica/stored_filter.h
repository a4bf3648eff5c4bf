// Which objects the state database may have rows of, so that a new key costs no read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace starling::replica {

// A blocked Bloom filter (Putze, Sanders, Singler 2007) over the places of objects, sixteen bits
// for each, that grows by further filters. Says yes for everything until it was told that it begins
// with nothing; may say yes for what is not there, less than once in a hundred times.
// Runs on: core strand.
class StoredFilter {
 public:
  // `most_bytes`: beyond that it gives up, and says yes for everything.
  explicit StoredFilter(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // Nothing is stored yet.
  void begin_empty() { complete_ = true; }
  [[nodiscard]] bool may_hold(std::uint64_t place) const { return !complete_ || has(place); }
  void add(std::uint64_t place);
  // Brings near what `may_hold` will look at.
  void expect(std::uint64_t place) const;
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  using Block = std::array<std::uint64_t, 8>;  // a line of the cache
  struct Part {
    std::vector<Block> blocks;
    std::size_t room = 0;  // objects
  };
  [[nodiscard]] bool has(std::uint64_t place) const;

  std::size_t most_bytes_;
  bool complete_ = false;
  std::vector<Part> parts_;
  std::size_t bytes_ = 0;
};

}  // namespace starling::replica
