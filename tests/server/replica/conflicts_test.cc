// What goes to the conflict journal, when, and that it stays there (replication.md R5.2, R5.4, §11;
// semantics.md says which pairs).
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "crdt/sorted_set.h"
#include "server/replica/conflict_finder.h"
#include "server/replica/keyspace.h"
#include "server/replica/valued.h"
#include "tests/server/replica/two_groups.h"

namespace starling::test {
namespace {

using replica::Conflict;
using replica::ConflictClass;
using replica::ConflictFinder;
using replica::ConflictId;
using replica::ConflictKind;
using replica::Object;
using replica::ShownFinder;
using replica::Tables;
using replica::Transaction;
using replica::Valued;

std::vector<Conflict> lines(const TestGroup& at) {
  std::vector<Conflict> lines;
  at->conflicts().for_each([&](const Conflict& conflict) {
    lines.push_back(conflict);
    return true;
  });
  return lines;
}

std::set<ConflictId> ids(const TestGroup& at) {
  std::set<ConflictId> ids;
  for (const Conflict& conflict : lines(at)) {
    ids.insert(conflict.id());
  }
  return ids;
}

void exchange(TestGroup& a, TestGroup& b) {
  a.pull_from(b);
  b.pull_from(a);
}

// The only line there is.
Conflict only_line(const TestGroup& at) {
  const auto all = lines(at);
  REQUIRE(all.size() == 1);
  return all.front();
}

void zadd(TestGroup& at, const std::string& key, const std::string& member, const Score& score) {
  at.work([&](Transaction& transaction) {
    Object object(transaction, {0, key});
    object.create(ObjectType::sorted_set);
    Valued::member(object, member).assign(encode_score(score));
  });
}

Command mv_set(const std::string& key, const std::string& value) {
  return command(CommandCode::mv_set, key, {value});
}
Command flag_enable(const std::string& key) { return command(CommandCode::flag_enable, key); }

// ---------------------------------------------------------------- what is a conflict

TEST_CASE("set ‖ set: the loser is in the journal of both nodes, under one name") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set("k", "earlier"));
  b.now_ms += 10;
  b.run(set("k", "later"));
  exchange(a, b);
  for (TestGroup* at : {&a, &b}) {
    const Conflict line = only_line(*at);
    CHECK(line.kind == ConflictKind::overwritten);
    CHECK(line.cell.object == ObjectKey{0, "k"});
    CHECK(line.type() == ObjectType::string);
    CHECK(line.lost.preview == "earlier");
    CHECK(line.lost.dot == Dot{a->self(), 1});
    CHECK(line.won.preview == "later");
    CHECK(line.won.dot == Dot{b->self(), 1});
    CHECK(line.lost.hlc < line.won.hlc);
    CHECK((*at)->conflicts().count(ConflictClass::string) == 1);
  }
}

TEST_CASE("a field of a hash is a value of its own") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(hash_set("h", {"f", "1", "g", "2"}));
  b.now_ms += 10;
  b.run(hash_set("h", {"f", "3", "i", "4"}));
  exchange(a, b);
  for (TestGroup* at : {&a, &b}) {
    const Conflict line = only_line(*at);
    CHECK(line.cell == CellKey{{0, "h"}, {CellKind::hash_field, "f"}});
    CHECK(line.lost.preview == "1");
    CHECK((*at)->conflicts().count(ConflictClass::hash) == 1);
  }
}

TEST_CASE("a plain score loses to a later one; raised ones merge") {
  TestGroup a(1);
  TestGroup b(2);
  zadd(a, "z", "plain", {.value = 4});
  zadd(a, "z", "raised", {.value = 9, .rule = ScoreRule::raised});
  zadd(a, "z", "mixed", {.value = 9, .rule = ScoreRule::raised});
  b.now_ms += 10;
  zadd(b, "z", "plain", {.value = 3.5});
  zadd(b, "z", "raised", {.value = 5, .rule = ScoreRule::raised});
  zadd(b, "z", "mixed", {.value = 5});
  exchange(a, b);
  for (TestGroup* at : {&a, &b}) {
    CHECK((*at)->conflicts().count(ConflictClass::zset) == 2);
    const auto all = lines(*at);
    REQUIRE(all.size() == 2);
    CHECK(all[0].cell.cell.subkey() == "mixed");
    CHECK(all[1].cell.cell.subkey() == "plain");
    CHECK(all[1].lost.preview == "4");
    CHECK(all[1].won.preview == "3.5");
  }
}

TEST_CASE("increments that text hides are one line for each node that added, with its sum") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set("k", "text"));
  a.run(hash_set("h", {"f", "text"}));
  for (int i = 0; i < 5; ++i) {
    b.run(incr("k", 2));
  }
  b.run(hash_incr("h", "f", 7));
  exchange(a, b);
  CHECK(ids(a) == ids(b));
  for (TestGroup* at : {&a, &b}) {
    CHECK((*at)->conflicts().count(ConflictClass::counter) == 2);
    const auto all = lines(*at);
    REQUIRE(all.size() == 2);
    const auto of_string =
        std::ranges::find(all, ObjectKey{0, "k"}, [](const Conflict& c) { return c.cell.object; });
    REQUIRE(of_string != all.end());
    CHECK(of_string->kind == ConflictKind::hidden);
    CHECK(of_string->lost.dot == Dot{b->self(), 1});
    CHECK(of_string->lost.preview == "10");
    CHECK(of_string->won.preview == "text");
  }
}

TEST_CASE("a sum that leaves the range is reported, by the same name everywhere") {
  TestGroup a(1);
  TestGroup b(2);
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  a.run(incr("n", most));
  b.run(incr("n", 5));
  a.run(hash_incr("h", "f", -most));
  b.run(hash_incr("h", "f", -most));
  exchange(a, b);
  CHECK(ids(a) == ids(b));
  for (TestGroup* at : {&a, &b}) {
    CHECK((*at)->conflicts().count(ConflictClass::counter) == 2);
    for (const Conflict& line : lines(*at)) {
      CHECK(line.kind == ConflictKind::saturated);
      CHECK(line.lost.dot.origin == b->self());
      CHECK(line.won.dot.origin == a->self());
      CHECK(line.won.preview == std::to_string(line.type() == ObjectType::string
                                                   ? most
                                                   : std::numeric_limits<std::int64_t>::min()));
    }
  }
}

TEST_CASE("of two types under one key the one that is not shown is in the journal") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set_add("k", {"e"}));
  b.now_ms += 10;
  b.run(set("k", "v"));
  exchange(a, b);
  for (TestGroup* at : {&a, &b}) {
    const Conflict line = only_line(*at);
    CHECK(line.kind == ConflictKind::hidden_type);
    CHECK(line.type() == ObjectType::set);
    CHECK(line.lost.preview == "set");
    CHECK(line.won.preview == "string");
    CHECK((*at)->conflicts().count(ConflictClass::type) == 1);
  }
}

TEST_CASE("an element that survives a key's change of type meets the new one") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set_add("k", {"old"}));
  b.pull_from(a);
  a.now_ms += 10;
  a.run(set("k", "v"));          // kills the set it saw, its header too
  b.run(set_add("k", {"new"}));  // writes no header
  exchange(a, b);
  CHECK(only_line(a).type() == ObjectType::set);
  CHECK(ids(a) == ids(b));
}

TEST_CASE("no conflict: a write that saw the other, what merges, and who wrote the same") {
  TestGroup a(1);
  TestGroup b(2);
  a.run({set("seen", "1"), set("deleted", "1"), hash_set("h", {"f", "1"})});
  b.pull_from(a);
  b.run({set("seen", "2"), hash_set("h", {"f", "2"})});
  a.pull_from(b);
  a.run({set("same", "v"), incr("n", 1), set_add("s", {"x"}), mv_set("mv", "a"), flag_enable("on"),
         set("deleted", "2"), hash_set("h", {"g", "1"})});
  b.run({set("same", "v"), incr("n", 2), set_add("s", {"x"}), mv_set("mv", "b"), flag_enable("on"),
         del("deleted"), hash_set("h", {"i", "1"})});
  exchange(a, b);
  CHECK(lines(a).empty());
  CHECK(lines(b).empty());
}

TEST_CASE("an entry is one moment: what it has replaced at its end met nobody") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set("k", "mine"));
  b.now_ms += 10;
  b.run({set("k", "1"), set("k", "2"), set("k", "3")});
  exchange(a, b);
  CHECK(only_line(a).won.preview == "3");
  CHECK(ids(a) == ids(b));
}

TEST_CASE("the next write that saw both replaces them, and the line stays") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set("k", "1"));
  b.run(set("k", "2"));
  exchange(a, b);
  a.run(set("k", "3"));
  exchange(a, b);
  CHECK(lines(a).size() == 1);
  CHECK(lines(b).size() == 1);
}

// ---------------------------------------------------------------- cold cells

// Everything of `b` is on its disk and nothing in its memory when what `a` writes arrives.
struct Cold {
  TestGroup a{1};
  TestGroup b{2};

  void meet(const std::vector<Command>& of_a, const std::vector<Command>& of_b) {
    b.run(of_b);
    b.checkpoint();
    b.restart();
    a.now_ms += 10;
    a.run(of_a);
    b.pull_from(a);
  }
};

TEST_CASE("on a cold cell the checkpoint tells, from the stored base") {
  Cold cold;
  cold.meet({set("k", "of a"), hash_set("h", {"f", "of a"}), set("hidden", "text"),
             set_add("types", {"e"}), incr("n", std::numeric_limits<std::int64_t>::max())},
            {set("k", "of b"), hash_set("h", {"f", "of b"}), incr("hidden", 3), set("types", "v"),
             incr("n", 5)});
  CHECK(lines(cold.b).empty());
  cold.b.checkpoint();
  const auto at_b = ids(cold.b);
  CHECK(at_b.size() == 5);
  for (const auto of : {ConflictClass::string, ConflictClass::hash, ConflictClass::type}) {
    CHECK(cold.b->conflicts().count(of) == 1);
  }
  CHECK(cold.b->conflicts().count(ConflictClass::counter) == 2);
  cold.a.pull_from(cold.b);  // warm here
  CHECK(ids(cold.a) == at_b);
}

TEST_CASE("the checkpoint tells of what is under a marker, too") {
  Cold cold;
  cold.b.run(set("other", "v"));
  cold.meet({set("k", "of a")}, {set("k", "of b")});
  cold.b.work([](Transaction& transaction) { replica::kill_database(transaction, 1); });
  cold.b.checkpoint();
  CHECK(only_line(cold.b).lost.preview == "of b");
}

TEST_CASE("a large object is never in memory as a whole: its fields are told of all the same") {
  TestGroup a(1);
  TestGroup b(2, {.tables = {.whole_object_rows = 8}});
  List pairs;
  for (int i = 0; i < 50; ++i) {
    pairs.insert(pairs.end(), {"f" + std::to_string(i), "of b"});
  }
  b.run(hash_set("h", pairs));
  b.checkpoint();
  b.restart();
  CHECK(b.text(hash_get("h", "f7")) == "of b");
  a.now_ms += 10;
  a.run(hash_set("h", {"f7", "of a", "f9", "of a", "new", "of a"}));
  b.pull_from(a);
  b.checkpoint();
  CHECK(lines(b).size() == 2);
}

TEST_CASE("who reads a cold conflict and answers it does not take it from the journal") {
  Cold cold;
  cold.meet({set("k", "of a"), hash_set("h", {"f", "of a"})},
            {set("k", "of b"), hash_set("h", {"f", "of b"})});
  CHECK(cold.b.text(get("k")) == "of a");
  cold.b.run(set("k", "both seen"));
  cold.b.run(del("h"));
  CHECK(lines(cold.b).size() == 2);
  const auto before = ids(cold.b);
  SUBCASE("not even a crash does") {
    cold.b.restart();
    cold.b.checkpoint();
    CHECK(ids(cold.b) == before);
  }
  SUBCASE("a checkpoint says nothing twice") {
    cold.b.checkpoint();
    CHECK(ids(cold.b) == before);
    CHECK(cold.b->conflicts().count(ConflictClass::string) == 1);
  }
}

TEST_CASE("what the checkpoint job found is kept even if its file did not become state") {
  Cold cold;
  cold.meet({set("k", "of a")}, {set("k", "of b")});
  cold.b.failed_checkpoint();
  CHECK(cold.b->tables().any_undecided());
  cold.b.checkpoint();
  CHECK(lines(cold.b).size() == 1);
  cold.b.restart();
  CHECK(lines(cold.b).size() == 1);
}

// ---------------------------------------------------------------- durability

TEST_CASE("a checkpoint keeps the lines, and the next start has them at once") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set("k", "1"));
  b.run(set("k", "2"));
  exchange(a, b);
  const auto before = lines(a);
  a.checkpoint();
  a.restart();
  CHECK((lines(a) == before));
  CHECK(a->conflicts().count(ConflictClass::string) == 0);  // of this process
}

TEST_CASE("a crash before the checkpoint: the log tells again, once") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set("first", "1"));
  b.run(set("first", "2"));
  exchange(a, b);
  a.checkpoint();
  a.run(set("second", "1"));
  b.run(set("second", "2"));
  exchange(a, b);
  const auto before = ids(a);
  REQUIRE(before.size() == 2);
  for (int crash = 0; crash < 3; ++crash) {
    a.restart();
  }
  a.checkpoint();
  CHECK(ids(a) == before);
  a.restart();
  CHECK(ids(a) == before);
}

TEST_CASE("a crash between the file and its news: the rows are there, and nothing twice") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set("k", "1"));
  b.run(set("k", "2"));
  exchange(a, b);
  const auto before = ids(a);
  a.freeze();
  a.write();
  a.restart();
  CHECK(ids(a) == before);
  a.run(set("other", "v"));
  a.checkpoint();
  CHECK(ids(a) == before);
}

TEST_CASE("the bound holds over checkpoints and restarts, and what was dropped is counted once") {
  TestGroup a(1, {.conflicts = {.lines = 3, .bytes = 1 << 20}});
  TestGroup b(2);
  for (int i = 0; i < 5; ++i) {
    const std::string key = "k" + std::to_string(i);
    a.run(set(key, "1"));
    b.run(set(key, "2"));
    exchange(a, b);
    if (i == 3) {
      a.checkpoint();
    }
  }
  const auto before = ids(a);
  CHECK(before.size() == 3);
  CHECK(a->conflicts().dropped() == 2);
  a.restart();
  a.checkpoint();
  a.restart();
  CHECK(ids(a) == before);
  CHECK(a->conflicts().dropped() == 2);
  CHECK(lines(b).size() == 5);
}

TEST_CASE("the journal is local: replicas with different ones have the same digest (R7.2)") {
  TestGroup a(1, {.conflicts = {.lines = 0, .bytes = 0}});
  TestGroup b(2);
  a.run(set("k", "1"));
  b.run(set("k", "2"));
  exchange(a, b);
  a.checkpoint();
  b.checkpoint();
  CHECK(lines(a).empty());
  CHECK(lines(b).size() == 1);
  CHECK(a.digest().applied == b.digest().applied);
  CHECK(a.digest().digest == b.digest().digest);
}

// ---------------------------------------------------------------- histories

// What a reader has seen meet is never lost, whatever happens to memory, disk and process.
class ConflictHistory : TwoGroups {
 public:
  explicit ConflictHistory(std::uint32_t seed) : TwoGroups(seed, {}, {}) {}

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      const auto at = static_cast<std::size_t>(below(2));
      ++groups_[at].now_ms;
      if (!disturb(below(12), groups_[at])) {
        const std::string key = "k" + std::to_string(below(6));
        if (below(2) == 0) {
          read(at, key);
        }
        write(groups_[at], key, step);
      }
    }
    for (std::size_t at = 0; at < 2; ++at) {
      end_checkpoint(groups_[at]);
      groups_[at].checkpoint();
      const auto known = ids(groups_[at]);
      for (const auto& [id, line] : seen_[at]) {
        CAPTURE(at);
        CAPTURE(name(line.kind));
        CAPTURE(line.cell.object.key);
        CAPTURE(line.lost.preview);
        CAPTURE(line.won.preview);
        CHECK((known.contains(id) || knows_types(groups_[at], line)));
      }
      total_ += seen_[at].size();
      groups_[at].restart();
      CHECK(ids(groups_[at]) == known);
    }
  }
  [[nodiscard]] std::size_t total() const { return total_; }

 private:
  void check_rows(TestGroup&) override {}

  // A type is known by the oldest write that is left of it, which its owner may replace while it
  // lies under the key: that is another name for the conflict, not another conflict.
  static bool knows_types(const TestGroup& at, const Conflict& seen) {
    return seen.kind == ConflictKind::hidden_type &&
           std::ranges::any_of(lines(at), [&](const Conflict& line) {
             return line.kind == seen.kind && line.cell == seen.cell &&
                    line.won.preview == seen.won.preview;
           });
  }

  static void write(TestGroup& at, const std::string& key, int step) {
    const std::string value = "v" + std::to_string(step);
    // Some of them are refused, because the key holds something else.
    switch (step % 7) {
      case 0:
      case 1:
        (void)at.execute({set(key, value)});
        break;
      case 2:
        (void)at.execute({incr(key, step)});
        break;
      case 3:
        (void)at.execute({hash_set(key, {"f", value})});
        break;
      case 4:
        (void)at.execute({hash_incr(key, "f", step)});
        break;
      case 5:
        (void)at.execute({set_add(key, {"e"})});
        break;
      case 6:
        (void)at.execute({del(key)});
        break;
      default:
        break;
    }
  }

  // As a client does: what lies under the key now has been seen together.
  void read(std::size_t at, const std::string& key) {
    const ObjectKey object{0, key};
    Group& group = *groups_[at];
    const ConflictFinder::Note note = [&](const Conflict& line) {
      seen_[at].emplace(line.id(), line);
    };
    const ConflictFinder finder(group.streams(), note);
    for (const CellName& name :
         {CellName(CellKind::string_register, ""), CellName(CellKind::hash_field, "f")}) {
      const auto base = group.tables().read({object, name});
      REQUIRE(base);
      const auto kept = std::get<DottedCell>(**base);
      const auto increments = group.tables().read({object, replica::increments_of(name)});
      REQUIRE(increments);
      finder.compare(object, name, kept, std::get<OriginTotals>(**increments));
    }
    ShownFinder shown;
    REQUIRE(group.tables().for_each(
        object, CellName::first_at(CellKind{0}), CellKind{0xFF},
        [&](const CellName& name, const CellValue& value) { return shown.see(name, value); }));
    finder.compare(object, shown);
  }

  std::map<ConflictId, Conflict> seen_[2];
  std::size_t total_ = 0;
};

TEST_CASE("random histories: whatever a reader has seen meet is in the journal at the end") {
  std::size_t total = 0;
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    ConflictHistory history(seed);
    history.run(300);
    total += history.total();
  }
  CHECK(total > 500);
}

}  // namespace
}  // namespace starling::test
