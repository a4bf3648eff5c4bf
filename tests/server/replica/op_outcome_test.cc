// A retry of what was applied is answered without a second effect (R6.3).
#include "tests/server/replica/test_group.h"

namespace starling::test {
namespace {

constexpr OpId op{77, 1};

std::int64_t number(const std::expected<Group::Executed, wire::Error>& executed,
                    std::size_t i = 0) {
  REQUIRE(executed);
  return std::get<std::int64_t>(executed->results[i]);
}

TEST_CASE("a retry gets the first answer and has no effect") {
  TestGroup a(1);
  CHECK(number(a.execute({incr("n", 5)}, op)) == 5);
  a.run(incr("n", 1));
  const auto again = a.execute({incr("n", 5)}, op);
  CHECK(number(again) == 5);
  CHECK(again->repeated);
  CHECK(a.text(get("n")) == "6");
}

TEST_CASE("writes are answered as before, reads anew") {
  TestGroup a(1);
  const std::vector<Command> request{get("n"), incr("n", 2), set("k", "v"), get("n")};
  REQUIRE(a.execute(request, op));
  a.run(incr("n", 40));
  const auto again = a.execute(request, op);
  REQUIRE(again);
  CHECK(std::get<std::string>(again->results[0]) == "42");
  CHECK(number(again, 1) == 2);
  CHECK(std::holds_alternative<Ok>(again->results[2]));
  CHECK(std::get<std::string>(again->results[3]) == "42");
}

// A few keys that many retries-to-be increment are little in the tables.
TEST_CASE("answers that are kept count as dirty memory, and may fill it") {
  TestGroup a(1, {.tables = {.memory_bytes = 256u << 10}});
  std::uint64_t sequence = 0;
  const auto increment = [&] { REQUIRE(a.execute({incr("n")}, OpId{77, ++sequence})); };
  increment();
  const std::size_t one = a->dirty_bytes();
  while (sequence < 1000) {
    increment();
  }
  CHECK(a->dirty_bytes() > one + 1000 * std::size_t{64});
  CHECK_FALSE(a->full());
  while (sequence < 3000) {
    increment();
  }
  CHECK(a->full());
  a.freeze();
  CHECK(a->full());
  a.write();
  a.told();
  CHECK_FALSE(a->full());
}

TEST_CASE("the answer is kept while a checkpoint is written, after it, and across restarts") {
  TestGroup a(1);
  REQUIRE(a.execute({incr("n")}, op));
  const auto retry = [&] {
    const auto again = a.execute({incr("n")}, op);
    CHECK(number(again) == 1);
    CHECK(again->repeated);
    CHECK(a.text(get("n")) == "1");
  };
  a.restart();
  retry();
  a.freeze();
  retry();
  a.write();
  retry();
  a.told();
  retry();
  a.restart();
  retry();
  CHECK(a.failed_checkpoint().error);
  retry();
}

TEST_CASE("a failed checkpoint forgets no answer") {
  TestGroup a(1);
  REQUIRE(a.execute({incr("n")}, op));
  CHECK(a.failed_checkpoint().error);
  CHECK(a.execute({incr("n")}, op)->repeated);
  a.checkpoint();
  a.restart();
  CHECK(a.execute({incr("n")}, op)->repeated);
}

TEST_CASE("a node that has applied the entry answers for its writer") {
  TestGroup a(1);
  TestGroup b(2);
  REQUIRE(a.execute({incr("n", 3)}, op));
  b.pull_from(a);
  const auto again = b.execute({incr("n", 3)}, op);
  CHECK(number(again) == 3);
  CHECK(again->repeated);
  CHECK(b.own().empty());
}

TEST_CASE("an id that names another request is refused, not answered wrongly") {
  TestGroup a(1);
  REQUIRE(a.execute({incr("n")}, op));
  const auto other = a.execute({incr("n"), incr("n")}, op);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ErrorCode::bad_request);
}

TEST_CASE("what had no effect is not remembered: its retry is a first attempt") {
  TestGroup a(1);
  REQUIRE(a.execute({set_remove("s", {"nobody"})}, op));
  a.run(set_add("s", {"nobody", "else"}));
  CHECK(number(a.execute({set_remove("s", {"nobody"})}, op)) == 1);
}

TEST_CASE("an answer is kept for at least an hour, and not for ever") {
  TestGroup a(1);
  REQUIRE(a.execute({incr("n")}, op));
  a.checkpoint();
  a.now_ms += 3'600'000;
  a.run(set("k", "v"));
  a.checkpoint();
  CHECK(a.execute({incr("n")}, op)->repeated);
  a.now_ms += 3 * 3'600'000;
  a.run(set("k", "w"));
  a.checkpoint();
  CHECK_FALSE(a.execute({incr("n")}, op)->repeated);
}

}  // namespace
}  // namespace starling::test
