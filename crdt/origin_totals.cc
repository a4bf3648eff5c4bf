#include "crdt/origin_totals.h"

#include <algorithm>

#include "crdt/mutants.h"

namespace starling {

void TotalPart::join(const TotalPart& other) {
  if (other.life != life) {
    if (other.life > life) {
      *this = other;  // a new life replaces the whole entry, base included
    }
    return;
  }
  if (other.n > n) {
    n = other.n;
    total = other.total;
  }
  // Two resets may have seen the same n; the least dot keeps the choice the same everywhere.
  if (other.base_n > base_n || (other.base_n == base_n && other.reset_by < reset_by)) {
    base_n = other.base_n;
    base = other.base;
    reset_by = other.reset_by;
  }
}

const TotalPart* OriginTotals::find(const Origin& origin) const {
  const auto it =
      std::lower_bound(parts_.begin(), parts_.end(), origin,
                       [](const TotalPart& part, const Origin& o) { return part.origin < o; });
  return it != parts_.end() && it->origin == origin ? &*it : nullptr;
}

bool OriginTotals::exists() const { return std::ranges::any_of(parts_, &TotalPart::live); }

Total OriginTotals::value() const {
  Total sum;
  // Node by node and, within a node, epoch by epoch, so that folding sealed epochs (R3.3) cannot
  // change the bits of a float sum.
  for (std::size_t i = 0; i < parts_.size();) {
    const std::uint64_t node = parts_[i].origin.node;
    Total of_node;
    for (; i < parts_.size() && parts_[i].origin.node == node; ++i) {
      if (parts_[i].live()) {
        of_node = of_node + (parts_[i].total - parts_[i].base);
      }
    }
    sum = sum + of_node;
  }
  return sum;
}

SmallVector<ObservedTotal, 2> OriginTotals::observed() const {
  SmallVector<ObservedTotal, 2> seen;
  for (const TotalPart& part : parts_) {
    if (part.live()) {
      seen.push_back({part.origin, part.life, part.n, part.total});
    }
  }
  return seen;
}

TotalPart OriginTotals::increment(const Origin& origin, std::uint64_t n, const Total& delta) const {
  const TotalPart* own = find(origin);
  if (own == nullptr || !own->live()) {
    return {.origin = origin,
            .life = n,
            .n = n,
            .total = delta,
            .base_n = 0,
            .base = {},
            .reset_by = {}};
  }
  TotalPart next = *own;
  next.n = n;
  next.total = own->total + delta;
  return next;
}

void OriginTotals::join(const TotalPart& part) {
  const auto it =
      std::lower_bound(parts_.begin(), parts_.end(), part.origin,
                       [](const TotalPart& p, const Origin& o) { return p.origin < o; });
  if (it == parts_.end() || it->origin != part.origin) {
    parts_.insert(it, part);
  } else {
    it->join(part);
  }
}

void OriginTotals::join(const OriginTotals& other) {
  for (const TotalPart& part : other.parts_) {
    join(part);
  }
}

void OriginTotals::reset(const ObservedTotal& observed, const Dot& reset_dot) {
  join(TotalPart{.origin = observed.origin,
                 .life = observed.life,
                 .n = observed.n,
                 .total = observed.total,
                 .base_n = observed.n,
                 .base = observed.total,
                 .reset_by = reset_dot});
  const auto part = std::ranges::find(parts_, observed.origin, &TotalPart::origin);
  if (mutant("oblivious_counter") && !part->live()) {
    parts_.erase(part);
  } else if (mutant("blind_reset") && part->live()) {
    part->base_n = part->n;
    part->base = part->total;
    part->reset_by = reset_dot;
  }
}

}  // namespace starling
