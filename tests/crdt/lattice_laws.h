// What every join must obey. `make` draws a random value, `join(a, b)` gives the joined one.
#pragma once

#include <string>

#include "tests/crdt/property.h"

namespace starling::test {

inline constexpr int law_cases = 10'000;

template <typename Make, typename Join>
void check_join_laws(const std::string& what, Make make, Join join) {
  check_property(what + ": join is associative, commutative and idempotent", law_cases, [&] {
    const auto a = make();
    const auto b = make();
    const auto c = make();
    RC_ASSERT(join(a, b) == join(b, a));
    RC_ASSERT(join(a, join(b, c)) == join(join(a, b), c));
    RC_ASSERT(join(a, a) == a);
    RC_ASSERT(join(a, join(a, b)) == join(a, b));  // an upper bound: nothing shrinks
  });
}

template <typename Make, typename Join, typename Meet>
void check_lattice_laws(const std::string& what, Make make, Join join, Meet meet) {
  check_join_laws(what, make, join);
  check_join_laws(what + ", meet", make, meet);
  check_property(what + ": join and meet absorb each other", law_cases, [&] {
    const auto a = make();
    const auto b = make();
    RC_ASSERT(join(a, meet(a, b)) == a);
    RC_ASSERT(meet(a, join(a, b)) == a);
  });
}

}  // namespace starling::test
