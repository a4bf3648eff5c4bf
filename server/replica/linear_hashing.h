// Where an element of a table lies that grows by one shard at a time (Litwin, VLDB 1980).
#pragma once

#include <bit>
#include <cstddef>

namespace starling::replica {

// Of 2^k <= shards < 2^(k+1), those that were split already are told apart by one bit more.
[[nodiscard]] inline std::size_t linear_shard(std::size_t hash, std::size_t shards) {
  const std::size_t whole = std::bit_floor(shards);
  const std::size_t shard = hash & (2 * whole - 1);
  return shard < shards ? shard : shard & (whole - 1);
}

// The shard whose elements the next new one shares.
[[nodiscard]] inline std::size_t next_to_split(std::size_t shards) {
  return shards - std::bit_floor(shards);
}

}  // namespace starling::replica
