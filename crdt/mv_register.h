// A multi-value register: reads show every concurrent write until one that saw them replaces them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "crdt/dotted_cell.h"

namespace starling {

// The distinct live values, sorted by bytes, so that every replica answers alike.
[[nodiscard]] inline std::vector<std::string> mv_values(const DottedCell& cell) {
  std::vector<std::string> values;
  for (const Sibling& sibling : cell.siblings()) {
    values.push_back(sibling.bytes);
  }
  std::ranges::sort(values);
  const auto repeated = std::ranges::unique(values);
  values.erase(repeated.begin(), repeated.end());
  return values;
}

}  // namespace starling
