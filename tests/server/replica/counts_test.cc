// How many elements and fields there are, known without walking them (R4.1).
#include "server/replica/counts.h"

#include <map>
#include <random>
#include <set>

#include "crdt/aw_set.h"
#include "tests/server/replica/test_group.h"
#include "tests/server/replica/two_groups.h"

namespace starling::test {
namespace {

using replica::Counts;

Command hset(const std::string& key, const std::string& field) {
  return hash_set(key, {field, "1"});
}
Command hdel(const std::string& key, const std::string& field) { return hash_del(key, {field}); }

// What is stored, counted cell by cell, and what the derived rows say.
std::map<std::string, Counts> counted(Store& store) {
  const auto cut = store.cut();
  OriginTable origins;
  if (const auto bytes = *cut->get(replica::checkpoint_key())) {
    const auto row = replica::CheckpointRow::decode(*bytes);
    REQUIRE(row);
    for (const Origin& origin : row->origins) {
      origins.intern(origin);
    }
  }
  std::map<std::string, Counts> counts;
  std::map<std::string, std::set<std::string>> fields;
  const auto rows = cut->scan({}, meta_prefix);
  for (; rows->valid(); rows->next()) {
    const CellKey key = *decode_cell_key(rows->key());
    if (!is_present(*decode_stored(key.cell.kind(), rows->value(), origins))) {
      continue;
    }
    const std::string object = encode_object_prefix(0, key.object);
    counts[object].elements += key.cell.kind() == CellKind::set_element ? 1 : 0;
    counts[object].field_totals += key.cell.kind() == CellKind::hash_totals ? 1 : 0;
    if (object_type(key.cell.kind()) == ObjectType::hash) {
      fields[object].insert(key.cell.subkey());
      counts[object].fields = static_cast<std::int64_t>(fields[object].size());
    }
  }
  std::erase_if(counts, [](const auto& object) { return object.second.zero(); });
  return counts;
}

std::map<std::string, Counts> derived_rows(Store& store) {
  std::map<std::string, Counts> rows;
  const std::string from = replica::counts_key({});
  const auto found = store.cut();
  const auto it = found->scan(from, replica::counts_end());
  for (; it->valid(); it->next()) {
    rows[std::string(it->key().substr(from.size()))] = *replica::decode_counts(it->value());
  }
  return rows;
}

}  // namespace
}  // namespace starling::test

namespace doctest {
template <>
struct StringMaker<std::map<std::string, starling::replica::Counts>> {
  static String convert(const std::map<std::string, starling::replica::Counts>& counts) {
    std::string text;
    for (const auto& [object, c] : counts) {
      text += object.substr(6) + ": " + std::to_string(c.elements) + " elements, " +
              std::to_string(c.fields) + " fields, " + std::to_string(c.field_totals) + " totals; ";
    }
    return String(text.c_str());
  }
};
}  // namespace doctest

namespace starling::test {
namespace {

TEST_CASE("a set has as many elements as were added and not removed") {
  TestGroup a(1);
  CHECK(a.number(set_size("s")) == 0);
  a.run(set_add("s", {"x", "y", "y", "z"}));
  CHECK(a.number(set_size("s")) == 3);
  a.run(set_remove("s", {"y", "nobody"}));
  CHECK(a.number(set_size("s")) == 2);
  a.run(set_add("s", {"x"}));
  CHECK(a.number(set_size("s")) == 2);
}

TEST_CASE("a field is one field, whether it is a register, a sum, or both") {
  TestGroup a(1);
  a.run(hset("h", "register"));
  a.run(hash_incr("h", "sum"));
  CHECK(a.number(hash_size("h")) == 2);
  a.run(hset("h", "both"));
  a.run(hash_incr("h", "both"));
  CHECK(a.number(hash_size("h")) == 3);
  a.run(hset("h", "sum"));
  CHECK(a.number(hash_size("h")) == 3);
  for (const char* field : {"register", "sum", "both"}) {
    a.run(hdel("h", field));
  }
  CHECK(a.number(hash_size("h")) == 0);
  CHECK(a.text(type("h")) == "none");
}

TEST_CASE("sizes are of the type that readers see") {
  TestGroup a(1);
  a.run(hset("h", "f"));
  CHECK(a.refusal(set_size("h")) == ErrorCode::wrong_type);
  a.run(set("text", "v"));
  CHECK(a.refusal(hash_size("text")) == ErrorCode::wrong_type);
}

TEST_CASE("later commands of one entry count what earlier ones did") {
  TestGroup a(1);
  const auto results = a.run({set_add("s", {"x", "y"}), set_size("s"), set_remove("s", {"x"}),
                              set_size("s"), del("s"), set_size("s"), set_add("s", {"z"}),
                              set_size("s"), hash_incr("h", "f"), hset("h", "f"), hash_size("h"),
                              del("h"), hash_size("h"), hash_incr("h", "g"), hash_size("h")});
  const auto number = [&](std::size_t i) { return std::get<std::int64_t>(results[i]); };
  CHECK(number(1) == 2);
  CHECK(number(3) == 1);
  CHECK(number(5) == 0);
  CHECK(number(7) == 1);
  CHECK(number(10) == 1);
  CHECK(number(12) == 0);
  CHECK(number(14) == 1);
  CHECK(a.number(set_size("s")) == 1);
  CHECK(a.number(hash_size("h")) == 1);
}

TEST_CASE("the count of a large set is read, not walked") {
  TestGroup a(1, small_objects(8));
  a.run(set_add("s", names(0, 1000)));
  a.checkpoint();
  a.restart();
  CHECK(a.number(set_size("s")) == 1000);
  a.store().reads = 0;
  a.run(set_add("s", names(990, 1010)));
  CHECK(a.number(set_size("s")) == 1010);
  CHECK(a.store().reads <= 40);
}

TEST_CASE("a delete of a large set leaves zero, at once and without a look at its elements") {
  TestGroup a(1, small_objects(8));
  a.run(set_add("s", names(0, 1000)));
  a.checkpoint();
  a.restart();
  CHECK(a.number(set_size("s")) == 1000);
  a.store().reads = 0;
  a.run(del("s"));
  CHECK(a.number(set_size("s")) == 0);
  a.run(set_add("s", {"new"}));
  CHECK(a.number(set_size("s")) == 1);
  CHECK(a.store().reads <= 20);
  CHECK(a->tables().markers().size() == 1);
  a.checkpoint();
  CHECK(a.number(set_size("s")) == 1);
  CHECK(derived_rows(a.store()) == counted(a.store()));
}

TEST_CASE("a delete elsewhere takes what it had seen, and the rest still counts") {
  TestGroup a(1, small_objects(8));
  TestGroup b(2, small_objects(8));
  a.run(set_add("s", names(0, 100)));
  b.pull_from(a);
  b.run(set_add("s", names(100, 150)));
  b.checkpoint();
  a.run(del("s"));
  b.restart();  // so that b holds nothing of the set in memory
  b.pull_from(a);
  CHECK(b.number(set_size("s")) == 50);
  b.checkpoint();
  CHECK(b.number(set_size("s")) == 50);
  CHECK(derived_rows(b.store()) == counted(b.store()));
}

TEST_CASE("an ingested checkpoint that the strand has not heard of is not counted twice") {
  TestGroup a(1, small_objects(8));
  a.run(set_add("s", names(0, 100)));
  a.checkpoint();
  a.restart();
  TestGroup b(2, small_objects(8));
  b.pull_from(a);
  b.run(set_add("s", names(100, 120)));
  a.pull_from(b);  // cold at a: pending operands
  a.freeze();
  a.write();
  CHECK(a.number(set_size("s")) == 120);
  a.told();
  CHECK(a.number(set_size("s")) == 120);
}

TEST_CASE(
    "a delete that arrives while a checkpoint is being written counts the frozen cells once") {
  TestGroup a(1, small_objects(8));
  TestGroup b(2, small_objects(8));
  a.run(set_add("s", names(0, 100)));
  b.pull_from(a);
  b.checkpoint();
  b.restart();
  a.run(set_add("s", names(100, 105)));
  b.pull_from(a);
  CHECK(b.number(set_size("s")) == 105);
  b.freeze();
  a.run(del("s"));
  b.pull_from(a);
  a.run(set_add("s", {"z"}));
  b.pull_from(a);
  CHECK(b.number(set_size("s")) == 1);
  b.write();
  CHECK(b.number(set_size("s")) == 1);
  b.told();
  CHECK(b.number(set_size("s")) == 1);
}

TEST_CASE("rows of another version are derived anew by the next checkpoint, right until then too") {
  TestGroup a(1, small_objects(8));
  a.run(set_add("s", names(0, 100)));
  a.run(hash_incr("h", "f"));
  a.checkpoint();
  {
    auto writer = *a.store().begin_checkpoint(a.store().state_position());
    std::map<std::string, std::string> rows;  // they are written in order
    rows[replica::derived_version_key()] = "another";
    rows[replica::counts_key(encode_object_prefix(0, {0, "nobody"}))] = "\1\1\1";
    rows[replica::counts_key(encode_object_prefix(0, {0, "s"}))] = "\1\1\1";
    for (const auto& [row, value] : rows) {
      REQUIRE(writer->put(row, value));
    }
    REQUIRE(writer->ingest());
  }
  a.restart();
  CHECK(a.number(set_size("s")) == 100);
  a.run(set_add("s", {"one more"}));
  a.checkpoint();
  CHECK(derived_rows(a.store()) == counted(a.store()));
  CHECK(*a.store().get(replica::derived_version_key()) == std::string(replica::derived_version));
  CHECK(a.number(set_size("s")) == 101);
}

// Two groups, all that can happen to a count, and a brute-force count at any time.
class History final : public TwoGroups {
 public:
  explicit History(std::uint32_t seed)
      : TwoGroups(seed, small_objects(8, 12'000), small_objects(8)) {}

  void go(int steps) {
    for (int i = 0; i < steps; ++i) {
      TestGroup& at = any_group();
      const int choice = below(24);
      if (disturb(choice, at)) {
        continue;
      }
      switch (choice) {
        case 5:
        case 6:
        case 7:
        case 8:
          check(at);
          break;
        default:
          at.run(random_commands());
      }
    }
    for (TestGroup& at : groups_) {
      end_checkpoint(at);
      check(at);
      at.checkpoint();
      check_rows(at);
    }
  }

 private:
  std::vector<Command> random_commands() {
    std::vector<Command> commands;
    for (int n = 1 + below(4); n > 0; --n) {
      const std::string key = std::to_string(below(2));
      const std::string name = "e" + std::to_string(below(24));
      switch (below(16)) {
        case 0:
          commands.push_back(del(below(2) == 0 ? "s" + key : "h" + key));
          break;
        case 1:
        case 2:
        case 3:
        case 4:
          commands.push_back(set_add("s" + key, names(below(24), 24)));
          break;
        case 5:
        case 6:
        case 7:
          commands.push_back(set_remove("s" + key, {name}));
          break;
        case 8:
        case 9:
        case 10:
          commands.push_back(hset("h" + key, name));
          break;
        case 11:
        case 12:
          commands.push_back(hash_incr("h" + key, "sum" + std::to_string(below(12))));
          break;
        case 13:
          commands.push_back(hset("h" + key, "sum" + std::to_string(below(12))));
          break;
        default:
          commands.push_back(
              hdel("h" + key, below(2) == 0 ? name : "sum" + std::to_string(below(12))));
      }
    }
    return commands;
  }

  // In either order: each of the two may load what the other then finds.
  void check(TestGroup& at) {
    const std::string key = std::to_string(below(2));
    const bool set = below(2) == 0;
    const Command size = set ? set_size("s" + key) : hash_size("h" + key);
    const Command all =
        command(set ? CommandCode::set_members : CommandCode::hash_get_all, size.key);
    const auto walked = [&] {
      return static_cast<std::int64_t>(at.list(all).size()) / (set ? 1 : 2);
    };
    const std::int64_t walked_first = below(2) == 0 ? walked() : -1;
    const std::int64_t counted = at.number(size);
    const std::int64_t there = walked();
    REQUIRE(counted == there);
    REQUIRE((walked_first == -1 || walked_first == there));
    REQUIRE((at.text(type(size.key)) == "none") == (there == 0));
  }

  void check_rows(TestGroup& at) override {
    REQUIRE(derived_rows(at.store()) == counted(at.store()));
  }
};

TEST_CASE("counts are exact after any history") {
  const std::uint32_t first = 1;
  for (std::uint32_t seed = first; seed < first + 150; ++seed) {
    CAPTURE(seed);
    History(seed).go(400);
  }
}

}  // namespace
}  // namespace starling::test
