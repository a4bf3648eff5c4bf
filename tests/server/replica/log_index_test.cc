// Entries found in the log by their dots: what serves pulls and late pushes (R5.1).
#include "tests/server/replica/test_group.h"

namespace starling::test {
namespace {

struct Written {
  TestGroup a{1};
  Origin origin;
  Written() {
    for (int i = 0; i < 10; ++i) {
      a.run({incr("n"), incr("m")});  // dots 1-2, 3-4, …
    }
    origin = a.own()[0].origin;
  }
  replica::LogIndex::Found read(std::uint64_t after, std::uint64_t upto,
                                std::size_t max_bytes = SIZE_MAX) {
    auto found = a->log().read(origin, after, upto, max_bytes);
    REQUIRE(found);
    return std::move(*found);
  }
};

TEST_CASE("runs come whole and consecutive; the first holds the dot that was asked for") {
  Written written;
  const auto found = written.read(4, 9);
  REQUIRE(found.runs.size() == 3);
  CHECK(found.runs[0].first == 5);
  CHECK(found.runs[2].last == 10);
  CHECK(written.read(5, 6).runs.front().first ==
        5);  // begins before: the receiver drops what it has
  CHECK(written.read(20, 20).runs.empty());
}

TEST_CASE("the answer keeps to its bound; a first run that is larger comes alone") {
  Written written;
  CHECK(written.read(0, 20, 1).runs.size() == 1);
  const auto own = written.a.own();
  const std::size_t two = own[0].entries.size() + own[1].entries.size();
  CHECK(written.read(0, 20, two).runs.size() == 2);
  CHECK(written.read(0, 20, two - 1).runs.size() == 1);
}

TEST_CASE("places are found in memory, in the state, and across the two") {
  Written written;
  written.a.checkpoint();
  CHECK(written.read(0, 20).runs.size() == 10);
  written.a.run(incr("n"));
  CHECK(written.read(0, 21).runs.size() == 11);
  written.a.restart();
  CHECK(written.read(0, 21).runs.size() == 11);
}

TEST_CASE("places of a failed checkpoint are saved by the next one") {
  Written written;
  CHECK(written.a.failed_checkpoint().error);
  CHECK(written.read(0, 20).runs.size() == 10);
  written.a.checkpoint();
  REQUIRE(written.a.store().truncate(1));
  CHECK(written.read(0, 20).runs.size() == 10);
}

TEST_CASE("what was truncated is below the floor, and so is an origin nobody knows") {
  Written written;
  written.a.checkpoint();
  REQUIRE(written.a.store().truncate(6));
  CHECK(written.read(0, 20).below_floor);
  CHECK(written.read(9, 20).below_floor);
  written.a.run(incr("n"));
  written.a.checkpoint();  // drops the places of what was truncated
  CHECK(written.read(0, 20).below_floor);
  CHECK(written.read(9, 20).below_floor);
  const auto rest = written.read(10, 20);
  CHECK_FALSE(rest.below_floor);
  CHECK(rest.runs.size() == 5);
  const auto nobody = written.a->log().read({99, 1, 1}, 0, 5, SIZE_MAX);
  REQUIRE(nobody);
  CHECK(nobody->below_floor);
}

}  // namespace
}  // namespace starling::test
