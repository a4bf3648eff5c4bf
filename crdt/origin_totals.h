// Class L of the three lattices (R3.3): what each origin has added, in absolute totals.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "crdt/origin.h"
#include "crdt/small_vector.h"
#include "crdt/total.h"

namespace starling {

// What a reset (SET, DEL, clear, expiry) had seen of one origin: it takes away exactly this.
struct ObservedTotal {
  Origin origin;
  std::uint64_t life = 0;
  std::uint64_t n = 0;
  Total total;

  friend bool operator==(const ObservedTotal&, const ObservedTotal&) = default;
};

// One origin's part. `life`, `n` and `total` are written by the origin only; the base by resets.
// Absolute, never relative: a part received twice counts once.
struct TotalPart {
  Origin origin;
  std::uint64_t life = 0;  // n of the increment that began this life
  std::uint64_t n = 0;     // n of the latest increment
  Total total;             // everything added in this life
  std::uint64_t base_n = 0;
  Total base;    // everything taken away by resets in this life
  Dot reset_by;  // the reset that set this base; the residue may go once it is stable (R9)

  [[nodiscard]] bool live() const { return n > base_n; }
  void join(const TotalPart& other);

  friend bool operator==(const TotalPart&, const TotalPart&) = default;
};

// Value = sum over nodes, epochs in order, of (total - base): exact observed-reset, so an increment
// that no reset had seen survives alone (this repairs the embedded-counter anomaly of Baquero et
// al. 2016). A part whose increments are all reset is residue: it reads as nothing.
// Invariant: parts are sorted by origin.
class OriginTotals {
 public:
  [[nodiscard]] bool empty() const { return parts_.empty(); }
  [[nodiscard]] std::span<const TotalPart> parts() const { return {parts_.data(), parts_.size()}; }
  [[nodiscard]] const TotalPart* find(const Origin& origin) const;

  [[nodiscard]] bool exists() const;  // some part is live
  [[nodiscard]] Total value() const;

  // What a reset issued now would take away: every live part.
  [[nodiscard]] SmallVector<ObservedTotal, 2> observed() const;

  // The part that `origin` writes when it adds `delta` with operation n. Starts a new life if the
  // present one is all reset (R3.3).
  [[nodiscard]] TotalPart increment(const Origin& origin, std::uint64_t n,
                                    const Total& delta) const;

  void join(const TotalPart& part);
  void join(const OriginTotals& other);
  void reset(const ObservedTotal& observed, const Dot& reset_dot);

  friend bool operator==(const OriginTotals&, const OriginTotals&) = default;

 private:
  std::vector<TotalPart> parts_;
};

}  // namespace starling
