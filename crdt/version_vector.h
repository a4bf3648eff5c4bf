// What a replica has applied: for every origin a contiguous prefix of its operations (R1.5, R1.6).
#pragma once

#include <cstdint>
#include <span>

#include "crdt/origin.h"
#include "crdt/small_vector.h"

namespace starling {

// A map origin -> n, plus, per node, the epoch up to which all its origins are sealed (complete
// everywhere and dropped from the map). One type serves as applied vector, dependencies, kill
// context, marker and session token, because "everything this write had seen" is exactly the
// version vector at its origin (Parker et al. 1983; the observed set of an add-wins set, cf.
// Bieniusa et al. 2012).
// Invariant: components are sorted by origin, have n > 0, and none belongs to a sealed epoch.
// A plain value: copies, compares, no locks.
class VersionVector {
 public:
  struct Component {
    Origin origin;
    std::uint64_t n = 0;
    friend bool operator==(const Component&, const Component&) = default;
  };
  struct Seal {
    std::uint64_t node = 0;
    std::uint32_t epoch = 0;
    friend bool operator==(const Seal&, const Seal&) = default;
  };

  // The newest operation known of this origin; 0 if none. Sealed origins have no component: ask
  // `covers` instead when they matter.
  [[nodiscard]] std::uint64_t at(const Origin& origin) const;
  [[nodiscard]] std::uint32_t sealed_epoch(
      std::uint64_t node) const;  // 0 if none: epochs count from 1
  [[nodiscard]] bool covers(const Dot& dot) const;
  [[nodiscard]] bool empty() const { return components_.empty() && seals_.empty(); }

  // Every component of this vector is covered by `other`. Seals are left out of the comparison on
  // both sides: a seal is only made when all members hold the whole epoch (R1.6, R8.1).
  [[nodiscard]] bool leq(const VersionVector& other) const;

  // at(dot.origin) := max(at(dot.origin), dot.n). No effect on a sealed epoch.
  void advance(const Dot& dot);
  // All origins of `node` with an epoch up to `epoch` become covered without a component.
  void seal(std::uint64_t node, std::uint32_t epoch);
  void join(const VersionVector& other);  // pointwise max
  void meet(const VersionVector& other);  // pointwise min; an absent component is 0
  void clear();

  [[nodiscard]] std::span<const Component> components() const {
    return {components_.data(), components_.size()};
  }
  [[nodiscard]] std::span<const Seal> seals() const { return {seals_.data(), seals_.size()}; }

  friend bool operator==(const VersionVector& a, const VersionVector& b) {
    return a.components_ == b.components_ && a.seals_ == b.seals_;
  }

 private:
  [[nodiscard]] bool sealed(const Origin& origin) const;

  SmallVector<Component, 4> components_;
  SmallVector<Seal, 1> seals_;
};

}  // namespace starling
