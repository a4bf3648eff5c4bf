#include "crdt/dotted_cell.h"

#include <doctest/doctest.h>

#include "tests/crdt/random_values.h"

namespace starling::test {
namespace {

VersionVector seen(const Origin& origin, std::uint64_t n) {
  VersionVector v;
  v.advance({origin, n});
  return v;
}

}  // namespace

TEST_CASE("one client's writes replace each other, concurrent ones stand side by side") {
  DottedCell cell;
  cell.assign({{a, 1}, 10, "old"});
  cell.assign({{a, 2}, 11, "new"});
  CHECK(cell.siblings().size() == 1);
  CHECK(cell.siblings()[0].bytes == "new");
  cell.assign({{b, 1}, 12, "elsewhere"});
  CHECK(cell.siblings().size() == 2);
}

TEST_CASE("an older dot of the same origin changes nothing") {
  DottedCell cell;
  cell.assign({{a, 2}, 11, "new"});
  cell.assign({{a, 1}, 10, "old"});
  CHECK(cell.siblings()[0].bytes == "new");
}

TEST_CASE("a kill drops exactly what its context covers") {
  DottedCell cell;
  cell.assign({{a, 2}, 11, "seen"});
  cell.assign({{b, 5}, 11, "unseen"});
  cell.kill(seen(a, 2));
  REQUIRE(cell.siblings().size() == 1);
  CHECK(cell.siblings()[0].bytes == "unseen");
  cell.kill(seen(b, 4));
  CHECK_FALSE(cell.empty());
  cell.kill(seen(b, 5));
  CHECK(cell.empty());
}

TEST_CASE("the later timestamp wins and the dot breaks ties") {
  DottedCell cell;
  CHECK(cell.winner() == nullptr);
  cell.assign({{a, 9}, 20, "later"});
  cell.assign({{b, 1}, 10, "earlier"});
  CHECK(cell.winner()->bytes == "later");
  cell.assign({{origin_of(3), 1}, 20, "tie"});
  CHECK(cell.winner()->bytes == "tie");
}

TEST_CASE("the loser is kept: when a write that saw only the winner arrives, it is read") {
  DottedCell cell;
  cell.assign({{a, 1}, 10, "loser"});
  cell.assign({{b, 1}, 20, "winner"});
  cell.kill(seen(b, 1));
  CHECK(cell.winner()->bytes == "loser");
}

}  // namespace starling::test
