// The cells that a prefix of a log gives, computed in the plainest way.
#pragma once

#include <map>

#include "crdt/cell.h"
#include "crdt/digest.h"
#include "crdt/entry.h"

namespace starling::sim {

// One map, changed entry by entry with the joins of crdt/: no layers, no partial cells, no markers,
// no eviction, no replay from the middle. That the joins themselves are right is the oracle's
// business.
class ReferenceState {
 public:
  void apply(const Entry& entry);
  [[nodiscard]] const std::map<CellKey, CellValue>& cells() const { return cells_; }
  [[nodiscard]] Digest digest() const;
  friend bool operator==(const ReferenceState&, const ReferenceState&) = default;

 private:
  std::map<CellKey, CellValue> cells_;
};

}  // namespace starling::sim
