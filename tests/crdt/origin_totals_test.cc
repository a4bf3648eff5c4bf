#include "crdt/origin_totals.h"

#include <doctest/doctest.h>

#include "tests/crdt/lattice_laws.h"
#include "tests/crdt/random_values.h"

namespace starling::test {
namespace {

std::int64_t value(const OriginTotals& totals) { return saturate(totals.value().units); }

void add(OriginTotals& totals, const Origin& origin, std::uint64_t n, std::int64_t delta) {
  totals.join(totals.increment(origin, n, Total::of(delta)));
}

void reset_all(OriginTotals& totals, const Dot& dot) {
  for (const ObservedTotal& seen : totals.observed()) {
    totals.reset(seen, dot);
  }
}

}  // namespace

TEST_CASE("the value is the sum of what every origin added") {
  OriginTotals totals;
  add(totals, a, 1, 5);
  add(totals, b, 1, 7);
  add(totals, a, 2, -2);
  CHECK(value(totals) == 10);
  CHECK(totals.exists());
}

TEST_CASE("a part received twice counts once") {
  OriginTotals totals;
  const TotalPart part = totals.increment(a, 1, Total::of(5));
  totals.join(part);
  totals.join(part);
  CHECK(value(totals) == 5);
}

TEST_CASE("a counter that was increased and decreased to zero exists") {
  OriginTotals totals;
  add(totals, a, 1, 5);
  add(totals, a, 2, -5);
  CHECK(totals.exists());
  CHECK(value(totals) == 0);
}

TEST_CASE("a reset takes away exactly what it saw") {
  OriginTotals here;
  add(here, a, 1, 5);
  OriginTotals there = here;
  add(here, a, 2, 3);  // unseen by the reset
  reset_all(there, {b, 1});
  CHECK_FALSE(there.exists());
  here.join(there);
  CHECK(value(here) == 3);
  there.join(here);
  CHECK(there == here);
}

TEST_CASE("two resets that saw the same take it away once") {
  OriginTotals x;
  add(x, a, 1, 5);
  OriginTotals y = x;
  reset_all(x, {a, 2});
  reset_all(y, {b, 1});
  OriginTotals joined = x;
  joined.join(y);
  OriginTotals other_way = y;
  other_way.join(x);
  CHECK(joined == other_way);
  CHECK(value(joined) == 0);
  CHECK(joined.parts()[0].reset_by == std::min(Dot{a, 2}, Dot{b, 1}));
}

TEST_CASE("the first increment after a reset of everything begins a new life") {
  OriginTotals totals;
  add(totals, a, 1, 5);
  reset_all(totals, {a, 2});
  add(totals, a, 3, 2);
  CHECK(totals.parts()[0].life == 3);
  CHECK(value(totals) == 2);
}

TEST_CASE("a reset of an earlier life does nothing to a later one") {
  OriginTotals totals;
  add(totals, a, 1, 5);
  const auto seen_elsewhere = totals.observed();
  reset_all(totals, {a, 2});
  add(totals, a, 3, 2);
  for (const ObservedTotal& seen : seen_elsewhere) {
    totals.reset(seen, {b, 1});
  }
  CHECK(value(totals) == 2);
}

TEST_CASE("a later life replaces an earlier one together with its base, in any order") {
  OriginTotals totals;
  add(totals, a, 1, 5);
  reset_all(totals, {a, 2});
  const OriginTotals first_life = totals;
  add(totals, a, 3, 2);
  OriginTotals late;
  late.join(totals);
  late.join(first_life);
  CHECK(late == totals);
}

TEST_CASE("a reset that arrives before the cell's stored part still takes away what it saw") {
  OriginTotals stored;
  add(stored, a, 1, 5);
  OriginTotals pending;
  for (const ObservedTotal& seen : stored.observed()) {
    pending.reset(seen, {b, 1});
  }
  CHECK_FALSE(pending.exists());
  stored.join(pending);
  CHECK_FALSE(stored.exists());
}

TEST_CASE("float sums have the same bits in whatever order parts arrive") {
  check_property("float sums do not depend on order", 10'000, [] {
    std::vector<TotalPart> parts;
    for (std::uint64_t i = 1; i <= 6; ++i) {
      OriginTotals one;
      const auto tenths = static_cast<double>(number(0, 100'000)) / 10 * (coin() ? 1 : 1e-9);
      parts.push_back(one.increment(origin_of(i % 3 + 1, static_cast<std::uint32_t>(i)), i,
                                    Total::of_real(tenths)));
    }
    OriginTotals forward;
    OriginTotals backward;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      forward.join(parts[i]);
      backward.join(parts[parts.size() - 1 - i]);
    }
    RC_ASSERT(forward.value() == backward.value());
  });
}

TEST_CASE("totals are a lattice") {
  check_join_laws(
      "per-origin totals",
      [] { return std::get<OriginTotals>(random_delta(CellKind::string_totals).value()); },
      [](OriginTotals x, const OriginTotals& y) {
        x.join(y);
        return x;
      });
}

}  // namespace starling::test
