// Class D of the three lattices (R3.1): registers, flags, set elements, hash fields.
#pragma once

#include <span>
#include <string>

#include "crdt/hybrid_clock.h"
#include "crdt/origin.h"
#include "crdt/small_vector.h"
#include "crdt/version_vector.h"

namespace starling {

// One assigned dot with what it assigned. The payload of a dot never changes.
struct Sibling {
  Dot dot;
  Hlc hlc = 0;        // of the entry that wrote it; 0 in cells that carry no payload
  std::string bytes;  // empty for set elements and flags

  friend bool operator==(const Sibling&, const Sibling&) = default;
};

// The live part of one element, field or register: at most one dot per origin, each with its
// payload. Only concurrent writes leave more than one. The version vector that gives the dots their
// meaning lives in the group, not here; it is passed in (optimised OR-set, Bieniusa et al. 2012).
// Keeping only the newest dot per origin is exact: whoever saw (o, n) saw all (o, m < n).
// Invariant: siblings are sorted by origin.
class DottedCell {
 public:
  [[nodiscard]] bool empty() const { return siblings_.empty(); }
  [[nodiscard]] std::span<const Sibling> siblings() const {
    return {siblings_.data(), siblings_.size()};
  }
  // The sibling a single-valued read shows: latest HLC, ties broken by dot. nullptr if empty.
  // The losers stay in the cell: dropping them diverges (mutant lww_drop).
  [[nodiscard]] const Sibling* winner() const;

  void assign(Sibling sibling);             // keeps the newer one of that origin
  void kill(const VersionVector& context);  // drops what the context covers

  friend bool operator==(const DottedCell&, const DottedCell&) = default;

 private:
  SmallVector<Sibling, 1> siblings_;
};

}  // namespace starling
