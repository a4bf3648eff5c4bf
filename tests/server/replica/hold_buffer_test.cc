// Entries that came too early wait within a bound (R2.1, I8).
#include "server/replica/hold_buffer.h"

#include <doctest/doctest.h>

namespace starling::test {
namespace {

using replica::HoldBuffer;

constexpr Origin one{1, 1, 1};
constexpr Origin two{2, 1, 1};

Run run(const Origin& origin, std::uint64_t first, std::uint64_t last, std::size_t bytes = 100) {
  Run run;
  run.origin = origin;
  run.first = first;
  run.last = last;
  run.entries.assign(bytes, 'x');
  return run;
}

TEST_CASE("the run that is next comes out first, and only when it is next") {
  HoldBuffer held(10'000);
  CHECK(held.hold(run(one, 9, 12)));
  CHECK(held.hold(run(one, 5, 8)));
  CHECK_FALSE(held.take(one, 4));
  CHECK_FALSE(held.holds(one, 4));
  CHECK(held.holds(one, 5));
  CHECK(held.take(one, 5)->last == 8);
  CHECK(held.take(one, 11)->first == 9);  // it may begin before
  CHECK_FALSE(held.take(one, 100));
}

TEST_CASE("origins wait for themselves") {
  HoldBuffer held(10'000);
  CHECK(held.hold(run(one, 5, 8)));
  CHECK_FALSE(held.take(two, 100));
  CHECK(held.take(one, 5));
}

TEST_CASE("of two runs that begin alike the longer one is kept") {
  HoldBuffer held(10'000);
  CHECK(held.hold(run(one, 5, 8)));
  CHECK(held.hold(run(one, 5, 6)));
  CHECK(held.hold(run(one, 5, 12)));
  CHECK(held.take(one, 5)->last == 12);
  CHECK(held.bytes() == 0);
}

TEST_CASE("beyond its bound it takes nothing, and what leaves makes room") {
  HoldBuffer held(1000);
  CHECK(held.hold(run(one, 2, 3, 400)));
  CHECK_FALSE(held.hold(run(two, 2, 3, 400)));
  CHECK(held.runs().size() == 1);
  CHECK(held.bytes() <= 1000);
  CHECK(held.take(one, 2));
  CHECK(held.bytes() == 0);
  CHECK(held.hold(run(two, 2, 3, 400)));
}

}  // namespace
}  // namespace starling::test
