#include "server/replica/stored_filter.h"

#include <algorithm>
#include <bit>

#include "server/replica/splitmix.h"

namespace starling::replica {
namespace {

// Of one place: its block and six bits there.
struct Bits {
  std::uint64_t block;
  std::uint64_t bits;

  explicit Bits(std::uint64_t place) : block(place), bits(splitmix64(place)) {}

  // Whether `visit(word, bit)` holds for all of them.
  template <typename Visit>
  bool all(const Visit& visit) const {
    constexpr int hashes = 6;
    std::uint64_t rest = bits;
    for (int i = 0; i < hashes; ++i, rest >>= 9) {
      if (!visit((rest >> 6) & 7u, std::uint64_t{1} << (rest & 63u))) {
        return false;
      }
    }
    return true;
  }
};

}  // namespace

bool StoredFilter::has(std::uint64_t place) const {
  const Bits bits(place);
  return std::ranges::any_of(parts_, [&](const Part& part) {
    const Block& block = part.blocks[bits.block & (part.blocks.size() - 1)];
    return bits.all([&](std::size_t word, std::uint64_t bit) { return (block[word] & bit) != 0; });
  });
}

void StoredFilter::expect(std::uint64_t place) const {
  for (const Part& part : parts_) {
    __builtin_prefetch(&part.blocks[Bits(place).block & (part.blocks.size() - 1)]);
  }
}

void StoredFilter::add(std::uint64_t place) {
  if (!complete_ || has(place)) {
    return;
  }
  if (parts_.empty() || parts_.back().room == 0) {
    constexpr std::size_t bits_each = 16;
    constexpr std::size_t least_blocks = 64;
    const std::size_t blocks = parts_.empty() ? least_blocks : 4 * parts_.back().blocks.size();
    if (bytes_ + blocks * sizeof(Block) > most_bytes_) {
      complete_ = false;
      parts_ = {};
      bytes_ = 0;
      return;
    }
    parts_.push_back({std::vector<Block>(blocks), blocks * 8 * sizeof(Block) / bits_each});
    bytes_ += blocks * sizeof(Block);
  }
  Part& part = parts_.back();
  --part.room;
  const Bits bits(place);
  Block& block = part.blocks[bits.block & (part.blocks.size() - 1)];
  bits.all([&](std::size_t word, std::uint64_t bit) {
    block[word] |= bit;
    return true;
  });
}

}  // namespace starling::replica
