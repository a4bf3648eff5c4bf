#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "crdt/cell_key.h"

namespace starling::replica {

// For tables in memory; where a key lies on disk is `place_of`.
struct ObjectKeyHash {
  [[nodiscard]] std::size_t operator()(const ObjectKey& key) const {
    return std::hash<std::string_view>()(key.key) * 31 + key.db;
  }
};

}  // namespace starling::replica
