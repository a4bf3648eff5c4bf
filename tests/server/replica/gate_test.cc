// The gate: the only door through which entries become state (R2.1, I4).
#include "tests/server/replica/test_group.h"

namespace starling::test {
namespace {

using Admission = Group::Admission;

TEST_CASE("the next entry of its origin is applied, and V moves to its end") {
  TestGroup a(1);
  TestGroup b(2);
  a.run({set("x", "1"), set("y", "2")});
  const Run run = a.own().front();
  CHECK(b.admit(run).admission == Admission::applied);
  CHECK(b->applied().at(run.origin) == 2);
  CHECK(b->applied() == a->applied());
  CHECK(b.text(get("y")) == "2");
}

TEST_CASE("what is known is dropped, whole or in part") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(incr("n"));
  a.run(incr("n"));
  const auto both = a->log().read(a.own()[0].origin, 0, 2, SIZE_MAX);
  REQUIRE(both);
  Run long_run = both->runs[0];
  long_run.entries += both->runs[1].entries;
  long_run.last = 2;
  b.admit(a.own()[0]);
  CHECK(b.admit(a.own()[0]).admission == Admission::duplicate);
  CHECK(b->duplicates() == 1);
  CHECK(b.admit(long_run).entries == 1);  // the second entry of it
  CHECK(b.text(get("n")) == "2");
  CHECK(b.admit(long_run).admission == Admission::duplicate);
  CHECK(b.text(get("n")) == "2");
}

TEST_CASE("an entry that comes too early is held until the one before it is here") {
  TestGroup a(1);
  TestGroup b(2);
  for (int i = 0; i < 3; ++i) {
    a.run(incr("n"));
  }
  CHECK(b.admit(a.own()[2]).admission == Admission::held);
  CHECK(b.admit(a.own()[1]).admission == Admission::held);
  CHECK(b->applied().empty());
  const auto admitted = b.admit(a.own()[0]);
  CHECK(admitted.admission == Admission::applied);
  CHECK(admitted.entries == 3);
  CHECK(b.text(get("n")) == "3");
  CHECK(b->held().bytes() == 0);
}

TEST_CASE("an entry waits for what its writer had seen of others") {
  TestGroup a(1);
  TestGroup b(2);
  TestGroup c(3);
  a.run(set("k", "old"));
  b.pull_from(a);
  b.run(set("k", "new"));
  CHECK(c.admit(b.own()[0]).admission == Admission::held);
  CHECK(std::holds_alternative<Nil>(c.run(get("k"))));
  CHECK(c.admit(a.own()[0]).entries == 2);
  CHECK(c.text(get("k")) == "new");
}

TEST_CASE("without room an early entry is dropped, and loses nothing by coming again") {
  TestGroup a(1);
  TestGroup b(2, {.hold_bytes = 1000});
  for (int i = 0; i < 3; ++i) {
    a.run(set("k" + std::to_string(i), std::string(400, 'x')));
  }
  CHECK(b.admit(a.own()[1]).admission == Admission::held);
  CHECK(b.admit(a.own()[2]).admission == Admission::dropped);
  CHECK(b->runs_dropped() == 1);
  CHECK(b->held().bytes() <= 1000);
  CHECK(b.admit(a.own()[0]).entries == 2);
  CHECK(b.admit(a.own()[2]).admission == Admission::applied);
}

TEST_CASE("damaged entries stall their origin, visibly, and nothing of them is applied") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set("k", "v"));
  Run damaged = a.own()[0];
  damaged.entries.pop_back();
  const auto admitted = b.admit(damaged);
  CHECK(admitted.admission == Admission::stalled);
  CHECK_FALSE(admitted.problem.empty());
  CHECK(b->stalled().contains(damaged.origin));
  CHECK(b->applied().empty());
  CHECK(b.admit(a.own()[0]).admission == Admission::applied);  // an intact copy heals it
  CHECK(b->stalled().empty());
}

TEST_CASE("one origin with two histories is a fork: its entries are not accepted (I1)") {
  TestGroup a(1);
  TestGroup clone(1);
  TestGroup b(2);
  a.run(set("k", "one history"));
  clone.run(set("k", "another"));
  clone.run(set("k", "and on"));
  REQUIRE(a.own()[0].origin == clone.own()[0].origin);
  b.admit(a.own()[0]);
  const auto admitted = b.admit(clone.own()[1]);
  CHECK(admitted.admission == Admission::stalled);
  CHECK(admitted.problem.contains("fork"));
  CHECK(b.text(get("k")) == "one history");
}

TEST_CASE("a full memory lets nothing in until a checkpoint has gone through (R5.2)") {
  TestGroup a(1);
  TestGroup b(2, {.tables = {.memory_bytes = 64 << 10}});
  for (int i = 0; i < 400; ++i) {
    a.run(set("k" + std::to_string(i), std::string(200, 'x')));
  }
  std::uint64_t applied = 0;
  for (const Run& run : a.own()) {
    applied += b.admit(run).entries;
  }
  CHECK(applied < 400);
  CHECK(b->full());
  CHECK(b->tables().bytes() < 64 << 10);
  CHECK(b.failed_checkpoint().error);  // makes no room, not even for a moment
  b.freeze();
  CHECK(b->admit_held(b.now_ms) == 0);
  b.write();
  b.told();
  const std::uint64_t before = b->applied().at(a.own()[0].origin);
  b.checkpoint();
  CHECK(b->admit_held(b.now_ms) > 0);
  b.tick();
  CHECK(b->applied().at(a.own()[0].origin) > before);
  for (int rounds = 0; rounds < 10; ++rounds) {
    b.checkpoint();
    b->admit_held(b.now_ms);
    b.tick();
  }
  CHECK(b->applied() == a->applied());
}

}  // namespace
}  // namespace starling::test
