#include "crdt/version_vector.h"

#include <doctest/doctest.h>

#include "tests/crdt/lattice_laws.h"
#include "tests/crdt/random_values.h"

namespace starling::test {
namespace {

VersionVector joined(VersionVector x, const VersionVector& y) {
  x.join(y);
  return x;
}
VersionVector met(VersionVector x, const VersionVector& y) {
  x.meet(y);
  return x;
}

}  // namespace

TEST_CASE("a version vector covers a prefix of each origin and nothing of others") {
  VersionVector v;
  v.advance({a, 3});
  CHECK(v.covers({a, 1}));
  CHECK(v.covers({a, 3}));
  CHECK_FALSE(v.covers({a, 4}));
  CHECK_FALSE(v.covers({b, 1}));
  CHECK(v.at(a) == 3);
  CHECK(v.at(b) == 0);
}

TEST_CASE("a version vector never goes back") {
  VersionVector v;
  v.advance({a, 3});
  v.advance({a, 2});
  v.advance({b, 0});
  CHECK(v.at(a) == 3);
  CHECK(v.components().size() == 1);
}

TEST_CASE("two starts of one node are different origins, even in the same epoch") {
  VersionVector v;
  v.advance({origin_of(1, 5, 1), 9});
  CHECK_FALSE(v.covers({origin_of(1, 6, 1), 1}));
  CHECK_FALSE(v.covers({origin_of(1, 5, 2), 1}));
}

TEST_CASE("a sealed epoch covers all earlier starts of the node without a component") {
  VersionVector v;
  v.advance({origin_of(1, 1), 10});
  v.advance({origin_of(1, 2), 20});
  v.advance({origin_of(2, 1), 30});
  v.seal(1, 1);
  CHECK(v.components().size() == 2);
  CHECK(v.covers({origin_of(1, 1), 1'000'000}));
  CHECK_FALSE(v.covers({origin_of(1, 2), 21}));
  v.advance({origin_of(1, 1), 99});
  CHECK(v.components().size() == 2);
}

TEST_CASE("a node without a seal has no sealed epoch, not epoch 0") {
  VersionVector sealed;
  sealed.seal(1, 3);
  CHECK_FALSE(sealed.covers({origin_of(2, 0), 1}));
  VersionVector v;
  v.advance({origin_of(2, 0), 4});
  v.meet(sealed);
  CHECK(v.empty());
}

TEST_CASE("leq compares components and leaves the seals of both sides out") {
  VersionVector older;
  VersionVector newer;
  older.advance({a, 3});
  newer.advance({a, 4});
  CHECK(older.leq(newer));
  CHECK_FALSE(newer.leq(older));
  newer.seal(1, 1);
  CHECK(older.leq(newer));
  older.seal(2, 7);
  CHECK(older.leq(newer));
}

TEST_CASE("a meet with an absent component is absent") {
  VersionVector x;
  VersionVector y;
  x.advance({a, 3});
  x.advance({b, 1});
  y.advance({a, 2});
  x.meet(y);
  CHECK(x.at(a) == 2);
  CHECK(x.at(b) == 0);
  CHECK(x.components().size() == 1);
}

TEST_CASE("a meet keeps a component that the other side has sealed") {
  VersionVector x;
  VersionVector y;
  x.advance({a, 3});
  y.seal(1, 1);
  CHECK(met(x, y) == x);
  CHECK(met(y, x) == x);
}

TEST_CASE("version vectors form a lattice") {
  check_lattice_laws("version vectors", [] { return random_vector(false); }, joined, met);
}

TEST_CASE("version vectors with seals form a lattice") {
  check_lattice_laws("version vectors with seals", [] { return random_vector(true); }, joined, met);
}

TEST_CASE("a join covers what either covers, a meet what both cover") {
  check_property("covers agrees with join and meet", 10'000, [] {
    const VersionVector x = random_vector(true);
    const VersionVector y = random_vector(true);
    const Dot dot = random_dot();
    RC_ASSERT(joined(x, y).covers(dot) == (x.covers(dot) || y.covers(dot)));
    RC_ASSERT(met(x, y).covers(dot) == (x.covers(dot) && y.covers(dot)));
    RC_ASSERT(met(x, y).leq(x));
    bool every_component = true;
    for (const auto& c : x.components()) {
      every_component = every_component && y.covers({c.origin, c.n});
    }
    RC_ASSERT(x.leq(y) == every_component);
    RC_ASSERT(x.leq(joined(x, y)));
  });
}

}  // namespace starling::test
