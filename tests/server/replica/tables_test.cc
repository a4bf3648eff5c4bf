// Cells in layers over the state on disk: what is read, what a checkpoint turns into what, what may
// leave memory (R5.2, R5.3, R3.6).
#include <map>
#include <random>
#include <set>
#include <string>

#include "tests/server/replica/test_group.h"

namespace starling::test {
namespace {

std::size_t stored_rows(TestGroup& group, const std::string& key) {
  const std::string from = encode_object_prefix(0, {0, key});
  const auto cut = group.store().cut();
  std::size_t count = 0;
  for (const auto rows = cut->scan(from, replica::prefix_end(from)); rows->valid(); rows->next()) {
    ++count;
  }
  return count;
}

TEST_CASE("a read sees live over frozen over clean over the state") {
  TestGroup a(1);
  a.run(set("k", "state"));
  a.checkpoint();
  a.restart();
  CHECK(a.text(get("k")) == "state");
  a.run(set("k", "frozen"));
  a.freeze();
  CHECK(a.text(get("k")) == "frozen");
  a.run(set("k", "live"));
  CHECK(a.text(get("k")) == "live");
  a.write();
  CHECK(a.text(get("k")) == "live");
  a.told();
  CHECK(a.text(get("k")) == "live");
  a.restart();
  CHECK(a.text(get("k")) == "live");
}

TEST_CASE("a change of a cold cell waits as an operand, and every read joins it with its base") {
  TestGroup a(1);
  TestGroup b(2);
  b.run(set_add("s", {"mine"}));
  b.run(set("k", "mine"));
  b.checkpoint();
  b.restart();
  a.now_ms += 1000;  // a later HLC wins
  a.run(set_add("s", {"theirs"}));
  a.run(set("k", "theirs"));
  b.store().reads = 0;
  b.pull_from(a);
  CHECK(b.store().reads == 0);  // the apply path never waits for the disk (R4.2)
  CHECK(b.list(set_members("s")) == List{"mine", "theirs"});
  CHECK(b.text(get("k")) == "theirs");
}

TEST_CASE("a load never overwrites what is in memory") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set_add("s", {"x", "y"}));
  b.pull_from(a);
  b.checkpoint();
  b.restart();
  a.run(set_remove("s", {"x"}));
  b.pull_from(a);
  CHECK(b.list(set_members("s")) == List{"y"});
}

TEST_CASE("a base that is newer than the strand knows joins to the same value") {
  for (const auto& limits : {Group::Limits{}, small_objects(8)}) {
    TestGroup a(1);
    TestGroup b(2, limits);
    a.run(set_add("s", names(0, 12)));
    a.run(hash_incr("h", "n", 5));
    b.pull_from(a);
    b.checkpoint();
    b.restart();
    a.run(set_remove("s", {"e3"}));
    a.run(hash_incr("h", "n", 2));
    b.pull_from(a);
    b.freeze();
    a.run(set_add("s", {"e3", "new"}));
    a.run(hash_incr("h", "n", 1));
    b.pull_from(a);
    b.write();  // ingested; the strand has not heard of it (R5.3: c = the frozen one)
    CHECK(b.list(set_members("s")) == a.list(set_members("s")));
    CHECK(b.text(hash_get("h", "n")) == "8");
    b.told();
    CHECK(b.list(set_members("s")) == a.list(set_members("s")));
    CHECK(b.text(hash_get("h", "n")) == "8");
  }
}

TEST_CASE("an object in memory is killed in place, without a marker") {
  TestGroup a(1);
  a.run(set_add("s", names(0, 5)));
  a.checkpoint();
  a.run(del("s"));
  CHECK(a->tables().markers().empty());
  CHECK(a.list(set_members("s")).empty());
  a.checkpoint();
  CHECK(stored_rows(a, "s") == 0);
}

TEST_CASE("a marker hides what is cold, and ends when the checkpoint has swept it") {
  TestGroup a(1, small_objects(8));
  a.run(set_add("s", names(0, 100)));
  a.checkpoint();
  a.restart();
  a.store().reads = 0;
  a.run(del("s"));
  CHECK(a.store().reads < 20);
  CHECK(a->tables().markers().size() == 1);
  CHECK(a.list(set_members("s")).empty());
  CHECK(stored_rows(a, "s") == 101);
  a.run(set_add("s", {"reborn"}));
  a.freeze();
  CHECK(a.list(set_members("s")) == List{"reborn"});
  a.write();
  CHECK(a.list(set_members("s")) == List{"reborn"});
  a.told();
  CHECK(a->tables().markers().empty());
  CHECK(a.list(set_members("s")) == List{"reborn"});
  CHECK(stored_rows(a, "s") == 2);  // and its header
}

TEST_CASE("there is one marker for each key, however many, and each is found by its name") {
  TestGroup a(1, small_objects(2));
  for (int i = 0; i < 50; ++i) {
    a.run(set_add("s" + std::to_string(i), names(0, 10)));
  }
  a.checkpoint();
  a.restart();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 50; i += 2) {
      a.run(del("s" + std::to_string(i)));
    }
  }
  CHECK(a->tables().markers().size() == 25);
  for (int i = 0; i < 50; ++i) {
    CHECK(a.number(set_size("s" + std::to_string(i))) == (i % 2 == 0 ? 0 : 10));
  }
  a.checkpoint();
  CHECK(a->tables().markers().empty());
  CHECK(stored_rows(a, "s2") == 0);
  CHECK(stored_rows(a, "s3") == 11);
}

TEST_CASE("a failed checkpoint goes back, under what was written since") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set("old", "1"));
  a.run(set("k", "1"));
  b.run(set_add("s", {"theirs"}));
  a.freeze();
  a.run(set("k", "2"));
  a.pull_from(b);
  a.store().fail_checkpoints = true;
  a.write();
  a.told();
  a.store().fail_checkpoints = false;
  CHECK(a->tables().dirty());
  CHECK(a.text(get("old")) == "1");
  CHECK(a.text(get("k")) == "2");
  a.checkpoint();
  a.restart();
  CHECK(a->tables().dirty_bytes() == 0);  // nothing was left to the log
  CHECK(a.text(get("old")) == "1");
  CHECK(a.text(get("k")) == "2");
  CHECK(a.list(set_members("s")) == List{"theirs"});
}

TEST_CASE("a failed checkpoint keeps its markers") {
  TestGroup a(1, small_objects(8));
  a.run(set_add("s", names(0, 100)));
  a.checkpoint();
  a.restart();
  a.run(del("s"));
  CHECK(a.failed_checkpoint().error);
  CHECK(a->tables().markers().size() == 1);
  CHECK(a.list(set_members("s")).empty());
  a.checkpoint();
  CHECK(stored_rows(a, "s") == 0);
}

TEST_CASE("only clean cells leave memory") {
  constexpr std::uint64_t memory = 100'000;
  TestGroup a(1, small_objects(8, memory));
  for (int i = 0; i < 100; ++i) {
    a.run(set("k" + std::to_string(i), std::string(1000, 'x')));
  }
  a->tables().evict();
  CHECK(a->tables().dirty_bytes() > memory);
  CHECK(a.text(get("k0")).size() == 1000);
  a.checkpoint();
  CHECK(a->tables().bytes() <= memory);
  for (int i = 0; i < 100; ++i) {
    CHECK(a.text(get("k" + std::to_string(i))).size() == 1000);
    a->tables().evict();
    CHECK(a->tables().bytes() <= memory);
  }
}

TEST_CASE("a cell of a large object that was read once is not read again") {
  TestGroup a(1, small_objects(8));
  a.run(hash_set("h", [] {
    List fields;
    for (const std::string& name : names(0, 100)) {
      fields.push_back(name);
      fields.push_back("value of " + name);
    }
    return fields;
  }()));
  a.checkpoint();
  a.restart();
  CHECK(a.text(hash_get("h", "e7")) == "value of e7");
  a.store().reads = 0;
  CHECK(a.text(hash_get("h", "e7")) == "value of e7");
  CHECK(a.store().reads == 0);
}

// Whatever happens in between, a lone group reads what was written last.
TEST_CASE("reads are what was written, through any freeze, failure, eviction and restart") {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](int bound) {
      return std::uniform_int_distribution<int>(0, bound - 1)(random);
    };
    TestGroup a(1, small_objects(8, 8'000));
    std::map<std::string, std::string> written;
    std::map<std::string, std::int64_t> sums;
    for (int step = 0; step < 400; ++step) {
      const std::string key = "k" + std::to_string(below(6));
      const std::string field = "e" + std::to_string(below(20));
      switch (below(10)) {
        case 0:
          if (a.written()) {
            a.told();
          } else if (a.writing()) {
            a.store().fail_checkpoints = below(3) == 0;
            a.write();
            a.store().fail_checkpoints = false;
          } else {
            a.freeze();
          }
          break;
        case 1:
          if (below(10) == 0) {
            a.restart();
          }
          break;
        case 2:
          a->tables().evict();
          break;
        case 3:
          a.run(del(key));
          std::erase_if(written, [&](const auto& w) { return w.first.starts_with(key + '/'); });
          std::erase_if(sums, [&](const auto& w) { return w.first.starts_with(key + '/'); });
          break;
        case 4:
          REQUIRE(a.number(hash_incr(key, "sum" + field, 3)) == (sums[key + '/' + field] += 3));
          break;
        case 5:
          a.run(hash_del(key, {field}));
          written.erase(key + '/' + field);
          break;
        default: {
          const std::string value = std::to_string(step);
          a.run(hash_set(key, {field, value}));
          written[key + '/' + field] = value;
        }
      }
      const auto expected = written.find(key + '/' + field);
      const Result read = a.run(hash_get(key, field));
      if (expected == written.end()) {
        REQUIRE(std::holds_alternative<Nil>(read));
      } else {
        REQUIRE(std::get<std::string>(read) == expected->second);
      }
    }
  }
}

// Strings and counters lie in memory in other ways, as a write or a checkpoint has left them.
TEST_CASE("reads of a string are what was written, whether it is packed or not") {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](int bound) {
      return std::uniform_int_distribution<int>(0, bound - 1)(random);
    };
    TestGroup a(1, small_objects(8, seed % 2 == 0 ? 4'000 : 1u << 30));
    std::map<std::string, std::int64_t> written;
    for (int step = 0; step < 400; ++step) {
      const std::string key = "key number " + std::to_string(below(12));
      switch (below(8)) {
        case 0:
          if (a.written()) {
            a.told();
          } else if (a.writing()) {
            a.store().fail_checkpoints = below(3) == 0;
            a.write();
            a.store().fail_checkpoints = false;
          } else {
            a.freeze();
          }
          break;
        case 1:
          a->tables().thaw(static_cast<std::size_t>(below(20)));
          break;
        case 2:
          a->tables().evict();
          break;
        case 3:
          a.run(del(key));
          written.erase(key);
          break;
        case 4:
          REQUIRE(a.number(incr(key, 3)) == (written[key] += 3));
          break;
        case 5:
          a.run(set(key, std::to_string(step)));
          written[key] = step;
          break;
        default:
          break;
      }
      const auto expected = written.find(key);
      const Result read = a.run(get(key));
      if (expected == written.end()) {
        REQUIRE(std::holds_alternative<Nil>(read));
      } else {
        REQUIRE(std::get<std::string>(read) == std::to_string(expected->second));
      }
    }
  }
}

TEST_CASE("a string that is on disk takes little memory, and is read as it lies there") {
  TestGroup a(1);
  constexpr int many = 1000;
  const auto key = [](int i) { return "key:" + std::to_string(1'000'000'000'000 + i); };
  for (int i = 0; i < many; ++i) {
    a.run(set(key(i), std::string(64, 'x')));
  }
  a.checkpoint();
  a->tables().thaw(SIZE_MAX);
  const std::size_t packed = a->tables().bytes();
  CHECK(packed < many * 200);
  a.store().reads = 0;
  for (int i = 0; i < many; ++i) {
    CHECK(a.text(get(key(i))) == std::string(64, 'x'));
  }
  CHECK(a.store().reads == 0);
  CHECK(a->tables().bytes() == packed);
}

TEST_CASE("a small object that eviction has packed is as it was") {
  TestGroup a(1, small_objects(1000, 60'000));
  for (int i = 0; i < 40; ++i) {
    a.run(hash_set("h" + std::to_string(i), {"a", "1", "b", std::to_string(i)}));
    a.run(hash_incr("h" + std::to_string(i), "b", 1000));
  }
  a.checkpoint();
  a->tables().thaw(SIZE_MAX);
  a->tables().evict();  // used
  a->tables().evict();
  a.store().reads = 0;
  for (int i = 39; i >= 0; --i) {
    CHECK(a.text(hash_get("h" + std::to_string(i), "b")) == std::to_string(1000 + i));
    CHECK(a.number(hash_size("h" + std::to_string(i))) == 2);
  }
  CHECK(a.store().reads == 0);
}

std::set<std::string> members(TestGroup& group) {
  const auto list = group.list(set_members("s"));
  return {list.begin(), list.end()};
}

TEST_CASE(
    "a kill of a large object covers what a checkpoint is writing, and what it has just written") {
  for (const bool told_first : {false, true}) {
    CAPTURE(told_first);
    TestGroup a(1, small_objects(4));
    for (int i = 0; i < 30; ++i) {
      a.run(set_add("s", {"e" + std::to_string(i)}));
    }
    a.freeze();
    a.run(set_add("s", {"dirty"}));
    if (told_first) {
      a.write();
      a.told();  // a few of the cells have thawed
    }
    a.run(del("s"));
    CHECK(a.number(set_size("s")) == 0);
    CHECK(a.text(type("s")) == "none");
    a.run(set_add("s", {"e7", "new"}));
    CHECK(members(a) == std::set<std::string>{"e7", "new"});
    if (!told_first) {
      a.write();
      a.told();
    }
    CHECK(members(a) == std::set<std::string>{"e7", "new"});
    a.checkpoint();
    CHECK(a.number(set_size("s")) == 2);
    a.restart();
    CHECK(members(a) == std::set<std::string>{"e7", "new"});
  }
}

TEST_CASE("a large kill survives a checkpoint that fails") {
  TestGroup a(1, small_objects(4));
  for (int i = 0; i < 30; ++i) {
    a.run(set_add("s", {"e" + std::to_string(i)}));
  }
  a.checkpoint();
  a.run(del("s"));
  a.run(set_add("s", {"after"}));
  a.failed_checkpoint();
  CHECK(members(a) == std::set<std::string>{"after"});
  a.checkpoint();
  a.restart();
  CHECK(members(a) == std::set<std::string>{"after"});
}

}  // namespace
}  // namespace starling::test
