// What the keys of all stored rows begin with.
#pragma once

#include <cstdint>
#include <string>

#include "storage/store.h"

namespace starling::replica {

inline constexpr std::uint16_t only_group = 0;  // keys are not divided into groups yet

// Of the replica's own rows.
[[nodiscard]] inline std::string meta_key(char kind) { return std::string(meta_prefix) + kind; }

// The first key after all those that begin with it.
[[nodiscard]] inline std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) {
    prefix.pop_back();
  }
  if (!prefix.empty()) {
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  }
  return prefix;
}

}  // namespace starling::replica
