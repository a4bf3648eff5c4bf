#include "crdt/version_vector.h"

#include <algorithm>

namespace starling {
namespace {

template <typename Components>
auto lower_bound_origin(Components& components, const Origin& origin) {
  return std::lower_bound(
      components.begin(), components.end(), origin,
      [](const VersionVector::Component& c, const Origin& o) { return c.origin < o; });
}

template <typename Seals>
auto lower_bound_node(Seals& seals, std::uint64_t node) {
  return std::lower_bound(seals.begin(), seals.end(), node,
                          [](const VersionVector::Seal& s, std::uint64_t n) { return s.node < n; });
}

}  // namespace

std::uint64_t VersionVector::at(const Origin& origin) const {
  const auto it = lower_bound_origin(components_, origin);
  return it != components_.end() && it->origin == origin ? it->n : 0;
}

std::uint32_t VersionVector::sealed_epoch(std::uint64_t node) const {
  const auto it = lower_bound_node(seals_, node);
  return it != seals_.end() && it->node == node ? it->epoch : 0;
}

bool VersionVector::sealed(const Origin& origin) const {
  const auto it = lower_bound_node(seals_, origin.node);
  return it != seals_.end() && it->node == origin.node && origin.epoch <= it->epoch;
}

bool VersionVector::covers(const Dot& dot) const {
  return dot.n <= at(dot.origin) || sealed(dot.origin);
}

bool VersionVector::leq(const VersionVector& other) const {
  auto theirs =
      other.components_.begin();  // both are sorted: one walk, as the gate asks this often
  for (const Component& c : components_) {
    while (theirs != other.components_.end() && theirs->origin < c.origin) {
      ++theirs;
    }
    const bool held =
        theirs != other.components_.end() && theirs->origin == c.origin && c.n <= theirs->n;
    if (!held && !other.sealed(c.origin)) {
      return false;
    }
  }
  return true;
}

void VersionVector::advance(const Dot& dot) {
  if (dot.n == 0 || sealed(dot.origin)) {
    return;
  }
  const auto it = lower_bound_origin(components_, dot.origin);
  if (it != components_.end() && it->origin == dot.origin) {
    it->n = std::max(it->n, dot.n);
  } else {
    components_.insert(it, Component{dot.origin, dot.n});
  }
}

void VersionVector::seal(std::uint64_t node, std::uint32_t epoch) {
  const auto it = lower_bound_node(seals_, node);
  if (it != seals_.end() && it->node == node) {
    it->epoch = std::max(it->epoch, epoch);
  } else {
    seals_.insert(it, Seal{node, epoch});
  }
  const std::uint32_t sealed = sealed_epoch(node);
  const auto covered = [&](const Component& c) {
    return c.origin.node == node && c.origin.epoch <= sealed;
  };
  components_.erase(std::remove_if(components_.begin(), components_.end(), covered),
                    components_.end());
}

void VersionVector::join(const VersionVector& other) {
  for (const Seal& seal : other.seals_) {
    this->seal(seal.node, seal.epoch);
  }
  for (const Component& c : other.components_) {
    advance({c.origin, c.n});
  }
}

void VersionVector::meet(const VersionVector& other) {
  SmallVector<Component, 4> kept;
  for (const Component& c : components_) {
    const std::uint64_t n = other.sealed(c.origin) ? c.n : std::min(c.n, other.at(c.origin));
    if (n > 0) {
      kept.push_back({c.origin, n});
    }
  }
  // What only we have sealed is bounded by the other's component.
  for (const Component& c : other.components_) {
    if (sealed(c.origin)) {
      kept.push_back(c);
    }
  }
  std::ranges::sort(kept, {}, &Component::origin);
  SmallVector<Seal, 1> seals;
  for (const Seal& seal : seals_) {
    const auto theirs = lower_bound_node(other.seals_, seal.node);
    if (theirs != other.seals_.end() && theirs->node == seal.node) {
      seals.push_back({seal.node, std::min(seal.epoch, theirs->epoch)});
    }
  }
  components_ = std::move(kept);
  seals_ = std::move(seals);
}

void VersionVector::clear() {
  components_.clear();
  seals_.clear();
}

}  // namespace starling
