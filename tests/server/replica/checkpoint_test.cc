// A checkpoint: the state exactly as of one log position (R5.2, I3).
#include "tests/server/replica/test_group.h"

namespace starling::test {
namespace {

std::vector<std::string> rows_from(TestGroup& group, const std::string& from,
                                   const std::string& to) {
  std::vector<std::string> keys;
  const auto cut = group.store().cut();
  for (const auto rows = cut->scan(from, to); rows->valid(); rows->next()) {
    keys.emplace_back(rows->key());
  }
  return keys;
}

TEST_CASE("what is stored at W has the digest of the prefix up to W, on every replica (I6)") {
  TestGroup a(1);
  TestGroup b(2);
  a.run({set("text", "v"), incr("n", 7), set_add("s", {"x", "y"}), hash_incr("h", "f", 3)});
  b.pull_from(a);
  b.run({set("text", "w"), set_remove("s", {"x"}), del("n"), hash_set("h", {"f", "1"})});
  a.pull_from(b);
  a.checkpoint();
  b.checkpoint();
  CHECK(a.digest().applied == a->applied());
  CHECK(a.digest().applied == b.digest().applied);
  CHECK(a.digest().digest == b.digest().digest);
  CHECK(a.digest().cells > 0);
}

TEST_CASE("what is written after the freeze belongs to the next checkpoint") {
  TestGroup a(1);
  a.run(set("k", "before"));
  const VersionVector at_freeze = a->applied();
  a.freeze();
  a.run(set("k", "after"));
  a.write();
  CHECK(a.digest().applied == at_freeze);
  a.told();
  a.checkpoint();
  CHECK(a.digest().applied == a->applied());
}

TEST_CASE("pending operands meet their base: the same state as where they were never cold") {
  TestGroup a(1);
  TestGroup b(2);
  b.run({set_add("s", {"x"}), hash_set("h", {"f", "1"}), hash_incr("h", "f", 1)});
  a.pull_from(b);
  b.checkpoint();
  b.restart();
  a.run({set_add("s", {"y"}), hash_incr("h", "f", 5), set_remove("s", {"x"})});
  b.pull_from(a);
  b.checkpoint();
  a.checkpoint();
  CHECK(b.digest().digest == a.digest().digest);
  b.restart();
  CHECK(b.list(set_members("s")) == List{"y"});
  CHECK(b.text(hash_get("h", "f")) == "7");
}

TEST_CASE("a swept object has the same state as one that was killed in memory") {
  TestGroup a(1, {.tables = {.whole_object_rows = 8}});
  TestGroup b(2);
  a.run({set_add("s", names(0, 50)), hash_incr("h", "f", 3)});
  b.pull_from(a);
  a.checkpoint();
  a.restart();  // cold here
  b.run({set_add("s", {"unseen"}), hash_incr("h", "f", 1)});
  a.run({del("s"), del("h")});
  a.pull_from(b);
  b.pull_from(a);
  a.checkpoint();
  b.checkpoint();
  CHECK(a.digest().applied == b.digest().applied);
  CHECK(a.digest().digest == b.digest().digest);
  CHECK(a.list(set_members("s")) == List{"unseen"});
  CHECK(a.text(hash_get("h", "f")) == "1");
}

TEST_CASE("empty is absent: a cell that shows nothing leaves no row (R3.8)") {
  TestGroup a(1);
  a.run(set_add("s", {"x"}));
  a.checkpoint();
  a.run(set_remove("s", {"x"}));
  a.checkpoint();
  CHECK(rows_from(a, {}, std::string(meta_prefix)).empty());
}

TEST_CASE("a restart takes V, the streams and the clock from the checkpoint row") {
  TestGroup a(1);
  a.now_ms += 3'600'000;
  a.run(set("k", "v"));
  a.checkpoint();
  const VersionVector applied = a->applied();
  const auto streams = a->streams();
  const Hlc clock = a->clock().last();
  REQUIRE(a.store().truncate(a->log_position() + 1));
  a.now_ms -= 3'600'000;
  a.restart();
  CHECK(a->applied() == applied);
  for (const auto& [origin, stream] : streams) {
    CHECK(a->streams().at(origin).n == stream.n);
    CHECK(a->streams().at(origin).hash == stream.hash);
  }
  CHECK(a->clock().last() >= clock);
}

TEST_CASE("places of truncated records and outcomes beyond the window go") {
  TestGroup a(1);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    a.run({incr("n")}, OpId{9, i});
  }
  a.checkpoint();
  const Origin origin = a.own()[0].origin;
  const auto places = [&] {
    return rows_from(a, replica::place_key(origin, 0), replica::places_end(origin)).size();
  };
  const auto outcomes = [&] {
    return rows_from(a, replica::outcome_key(0, {}), replica::outcome_key(UINT64_MAX, {})).size();
  };
  CHECK(places() == 3);
  CHECK(outcomes() == 3);
  REQUIRE(a.store().truncate(3));
  a.now_ms += 4 * 3'600'000;
  a.run(incr("n"));
  a.checkpoint();
  CHECK(places() == 2);
  CHECK(outcomes() == 0);
}

TEST_CASE("bytes that do not decode are kept, counted and read as an error (R3.8)") {
  TestGroup a(1);
  TestGroup b(2);
  b.run(set_add("s", {"x", "y"}));
  b.checkpoint();
  const std::string row = encode_cell_key(0, {{0, "s"}, {CellKind::set_element, "x"}});
  {
    auto writer = *b.store().begin_checkpoint(b.store().state_position());
    REQUIRE(writer->put(row, "nonsense"));
    REQUIRE(writer->ingest());
  }
  b.restart();
  a.run(set_add("s", {"x"}));
  b.pull_from(a);
  CHECK(b.checkpoint().quarantined > 0);
  CHECK(*b.store().get(row) == "nonsense");
  CHECK(b.refusal(set_members("s")) == ErrorCode::storage);
  CHECK(b.digest().error);
}

}  // namespace
}  // namespace starling::test
