// What is said of a database as a whole (keyspace.h), compared with a look at every key.
#include "server/replica/keyspace.h"

#include <map>
#include <random>
#include <set>

#include "crdt/deadline.h"
#include "server/replica/counts.h"
#include "server/replica/object.h"
#include "server/replica/object_walk.h"
#include "server/replica/shown.h"
#include "tests/server/replica/test_group.h"
#include "tests/server/replica/two_groups.h"

namespace starling::test {
namespace {

using replica::KeyPage;
using replica::ListedKey;
using replica::Object;
using replica::Transaction;
using Keys = std::map<std::string, ObjectType>;

bool there(Transaction& transaction, const ObjectKey& key) {
  replica::ExistsFinder finder;
  transaction.for_each(
      key, CellName::first_at(CellKind{0}), CellKind{0xFF},
      [&](const CellName& name, const CellValue& value) { return finder.see(name, value); });
  REQUIRE_FALSE(transaction.error());
  return finder.exists();
}

std::int64_t counted(TestGroup& group, std::uint8_t db = 0) {
  std::int64_t count = 0;
  group.work([&](Transaction& transaction) { count = key_count(transaction, db); });
  return count;
}

// What is stored, looked at key by key, and what the derived rows say.
std::map<std::uint8_t, std::int64_t> stored_keys(Store& store) {
  const auto cut = store.cut();
  OriginTable origins;
  if (const auto bytes = *cut->get(replica::checkpoint_key())) {
    const auto row = replica::CheckpointRow::decode(*bytes);
    REQUIRE(row);
    for (const Origin& origin : row->origins) {
      origins.intern(origin);
    }
  }
  std::set<ObjectKey> objects;
  const auto rows = cut->scan({}, meta_prefix);
  for (; rows->valid(); rows->next()) {
    const CellKey key = *decode_cell_key(rows->key());
    if (replica::is_value(key.cell.kind()) &&
        is_present(*decode_stored(key.cell.kind(), rows->value(), origins))) {
      objects.insert(key.object);
    }
  }
  std::map<std::uint8_t, std::int64_t> counts;
  for (const ObjectKey& object : objects) {
    ++counts[object.db];
  }
  return counts;
}
std::map<std::uint8_t, std::int64_t> key_count_rows(Store& store) {
  std::map<std::uint8_t, std::int64_t> counts;
  const auto cut = store.cut();
  const auto rows = cut->scan(replica::key_counts_begin(), replica::key_counts_end());
  for (; rows->valid(); rows->next()) {
    counts[static_cast<std::uint8_t>(rows->key().back())] =
        replica::decode_key_count(std::string(rows->value()));
  }
  return counts;
}

// All pages; a key may come twice only if two pages answer it.
Keys scanned(Transaction& transaction, std::uint8_t db, std::size_t count) {
  Keys keys;
  std::uint64_t cursor = 0;
  do {
    const KeyPage page = scan(transaction, db, cursor, count);
    for (const ListedKey& key : page.keys) {
      CHECK_MESSAGE(keys.emplace(key.key, key.type).second, key.key);
    }
    REQUIRE((page.next == 0 || page.next > cursor));
    cursor = page.next;
  } while (cursor != 0);
  REQUIRE_FALSE(transaction.error());
  return keys;
}

Keys scanned(TestGroup& group, std::size_t count = 3, std::uint8_t db = 0) {
  Keys keys;
  group.work([&](Transaction& transaction) { keys = scanned(transaction, db, count); });
  return keys;
}

void put(Transaction& transaction, const std::string& key, const std::string& value,
         std::optional<std::int64_t> deadline = {}, std::uint8_t db = 0) {
  Object object(transaction, {db, key});
  object.clear_for(ObjectType::string);
  transaction.assign(object.cell(CellKind::string_register), value);
  if (deadline) {
    object.expire_at(*deadline);
  }
}

TEST_CASE("a scan meets every key once, wherever it lies") {
  TestGroup a(1, small_objects(4));
  Keys expected;
  for (const std::string& name : names(0, 40)) {
    a.run(set(name, "v"));
    expected[name] = ObjectType::string;
  }
  a.run(set_add("s", names(0, 100)));
  expected["s"] = ObjectType::set;
  CHECK(scanned(a) == expected);  // live
  a.freeze();
  a.run(hash_incr("h", "f"));
  expected["h"] = ObjectType::hash;
  CHECK(scanned(a) == expected);  // frozen, and live
  a.write();
  CHECK(scanned(a) == expected);  // ingested, untold
  a.told();
  CHECK(scanned(a) == expected);  // clean
  a.restart();
  CHECK(scanned(a) == expected);  // cold, and replayed
  CHECK(scanned(a, 1) == expected);
  CHECK(scanned(a, 1000) == expected);
  a.run(del("e7"));
  a.run(del("s"));  // cold: under a marker
  expected.erase("e7");
  expected.erase("s");
  CHECK(scanned(a) == expected);
}

TEST_CASE("a scan loads nothing") {
  TestGroup a(1);
  for (const std::string& name : names(0, 200)) {
    a.run(set(name, "v"));
  }
  a.checkpoint();
  a.restart();
  const std::size_t before = a->tables().bytes();
  CHECK(scanned(a, 10).size() == 200);
  CHECK(a->tables().bytes() == before);
}

TEST_CASE("a cursor is good whatever happens between two pages") {
  TestGroup a(1);
  for (const std::string& name : names(0, 100)) {
    a.run(set(name, "v"));
  }
  std::set<std::string> met;
  std::uint64_t cursor = 0;
  int page_number = 0;
  do {
    a.work([&](Transaction& transaction) {
      const KeyPage page = scan(transaction, 0, cursor, 7);
      for (const ListedKey& key : page.keys) {
        met.insert(key.key);
      }
      cursor = page.next;
    });
    ++page_number;
    a.run(del("e" + std::to_string(50 + page_number)));
    a.run(set("new" + std::to_string(page_number), "v"));
    if (page_number % 3 == 0) {
      a.checkpoint();
    }
    if (page_number % 5 == 0) {
      a.restart();
    }
  } while (cursor != 0);
  for (const std::string& name : names(0, 50)) {
    CHECK_MESSAGE(met.contains(name), name);
  }
}

TEST_CASE("expired keys are hidden, keys of other databases too, and any number is a cursor") {
  TestGroup a(1);
  const auto now = static_cast<std::int64_t>(a.now_ms);
  a.work([&](Transaction& transaction) {
    put(transaction, "gone", "v", now);
    put(transaction, "stays", "v", now + 1'000'000);
    put(transaction, "elsewhere", "v", std::nullopt, 1);
  });
  for (int cold = 0; cold < 2; ++cold) {
    CHECK(scanned(a) == Keys{{"stays", ObjectType::string}});
    CHECK(scanned(a, 3, 1) == Keys{{"elsewhere", ObjectType::string}});
    CHECK(scanned(a, 3, 2).empty());
    a.work([&](Transaction& transaction) {
      const KeyPage page = scan(transaction, 0, ~std::uint64_t{0}, 10);
      CHECK(page.keys.empty());
      CHECK(page.next == 0);
      CHECK(scan(transaction, 0, (std::uint64_t{1} << place_bits) - 1, 10).next == 0);
    });
    a.checkpoint();
    a.restart();
  }
}

TEST_CASE("a small database among many keys of another is passed in bounded pages") {
  TestGroup a(1);
  a.work([&](Transaction& transaction) {
    for (const std::string& name : names(0, 2500)) {
      put(transaction, name, "v");
    }
    put(transaction, "here", "v", std::nullopt, 1);
  });
  a.checkpoint();
  a.work([&](Transaction& transaction) {
    int pages = 0;
    std::size_t found = 0;
    std::uint64_t cursor = 0;
    do {
      const KeyPage page = scan(transaction, 1, cursor, 10);
      found += page.keys.size();
      cursor = page.next;
      ++pages;
    } while (cursor != 0);
    CHECK(found == 1);
    CHECK(pages == 3);
  });
}

TEST_CASE("keys are counted wherever they lie, and without a walk where possible") {
  TestGroup a(1, small_objects(4));
  for (const std::string& name : names(0, 40)) {
    a.run(set(name, "v"));
  }
  a.run(set("e0", "again"));
  a.run(set_add("s", names(0, 100)));
  CHECK(counted(a) == 41);
  a.freeze();
  a.run(hash_incr("h", "f"));
  a.run(del("e1"));
  CHECK(counted(a) == 41);
  a.write();
  CHECK(counted(a) == 41);
  a.told();
  CHECK(counted(a) == 41);
  a.checkpoint();
  a.restart();
  a.store().reads = 0;
  CHECK(counted(a) == 41);
  a.run(del("s"));  // cold: under a marker
  a.run(set("e2", "v"));
  a.run(set("new", "v"));
  CHECK(counted(a) == 41);
  CHECK(a.store().reads < 40);
  a.failed_checkpoint();
  CHECK(counted(a) == 41);
  a.checkpoint();
  CHECK(counted(a) == 41);
  CHECK(key_count_rows(a.store()) == stored_keys(a.store()));
  CHECK(counted(a, 1) == 0);
}

TEST_CASE("a deadline is no key; an expired key is one until it is killed") {
  TestGroup a(1);
  const auto now = static_cast<std::int64_t>(a.now_ms);
  a.work([&](Transaction& transaction) {
    put(transaction, "gone", "v", now);
    CHECK(key_count(transaction, 0) == 1);
    Object(transaction, {0, "nothing"}).expire_at(now + 1000);
    CHECK(key_count(transaction, 0) == 1);
  });
  CHECK(counted(a) == 1);
  a.checkpoint();
  CHECK(counted(a) == 1);
  CHECK(scanned(a).empty());
  a.work([&](Transaction& transaction) { Object(transaction, {0, "gone"}).erase(); });
  CHECK(counted(a) == 0);
}

TEST_CASE("entries of others over cold keys are counted") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set("old", "v"));
  b.pull_from(a);
  b.checkpoint();
  b.restart();
  a.run(set("old", "w"));
  a.run(set("new", "v"));
  b.pull_from(a);
  CHECK(counted(b) == 2);
  a.run(del("old"));
  b.pull_from(a);
  CHECK(counted(b) == 1);
  b.checkpoint();
  CHECK(counted(b) == 1);
  CHECK(key_count_rows(b.store()) == stored_keys(b.store()));
}

TEST_CASE("a random key is any key that is seen, each as likely as the others") {
  TestGroup a(1);
  const auto now = static_cast<std::int64_t>(a.now_ms);
  a.work([&](Transaction& transaction) {
    for (const std::string& name : names(0, 100)) {
      put(transaction, name, "v");
    }
    put(transaction, "gone", "v", now);
    put(transaction, "elsewhere", "v", std::nullopt, 1);
  });
  std::mt19937_64 random(1);
  const auto bits = [&] { return random(); };
  for (int cold = 0; cold < 2; ++cold) {
    std::map<std::string, int> met;
    constexpr int rounds = 20'000;
    a.work([&](Transaction& transaction) {
      for (int i = 0; i < rounds; ++i) {
        ++met[random_key(transaction, 0, bits)->key];
      }
      CHECK(random_key(transaction, 1, bits)->key == "elsewhere");
      const auto fresh = static_cast<std::uint8_t>(2 + cold);
      CHECK_FALSE(random_key(transaction, fresh, bits));
      put(transaction, "mine", "v", std::nullopt, fresh);
      CHECK(random_key(transaction, fresh, bits)->key == "mine");
    });
    CHECK(met.size() == 100);
    double squares = 0;  // chi-square with 99 degrees of freedom: beyond 160 once in 10,000
    for (const auto& [key, times] : met) {
      const double off = times - rounds / 100.0;
      squares += off * off / (rounds / 100.0);
    }
    CHECK(squares < 160);
    a.checkpoint();
    a.restart();
  }
}

void bump(Transaction& transaction, const std::string& key) {
  Object object(transaction, {0, key});
  object.create(ObjectType::string);
  transaction.increment(object.cell(CellKind::string_totals), Total::of(1));
}

TEST_CASE("a flush takes away what it sees, hot or cold, and nothing of other databases") {
  TestGroup a(1, small_objects(4));
  for (const bool cold : {false, true}) {
    a.work([&](Transaction& transaction) {
      for (const std::string& name : names(0, 20)) {
        put(transaction, name, "v");
      }
      bump(transaction, "sum");
      put(transaction, "elsewhere", "v", std::nullopt, 1);
    });
    a.run(set_add("s", names(0, 100)));
    a.run(hash_incr("h", "f"));
    if (cold) {
      a.checkpoint();
      a.restart();
    }
    a.work([&](Transaction& transaction) { replica::kill_database(transaction, 0); });
    CHECK(counted(a) == 0);
    CHECK(scanned(a).empty());
    CHECK(counted(a, 1) == 1);
    CHECK(a.number(exists("s")) == 0);
    CHECK(std::holds_alternative<Nil>(a.run(get("sum"))));
    a.work([&](Transaction& transaction) { bump(transaction, "sum"); });
    CHECK(a.text(get("sum")) == "1");
    CHECK(counted(a) == 1);
    a.checkpoint();
    CHECK(a->tables().markers().empty());
    CHECK(counted(a) == 1);
    CHECK(key_count_rows(a.store()) == stored_keys(a.store()));
    a.work([&](Transaction& transaction) { replica::kill_group(transaction); });
    CHECK(counted(a) == 0);
    CHECK(counted(a, 1) == 0);
    a.restart();
    CHECK(counted(a, 1) == 0);
    CHECK(scanned(a, 3, 1).empty());
  }
}

TEST_CASE("later commands of the transaction that flushed find nothing, and may begin anew") {
  TestGroup a(1, small_objects(4));
  a.work([&](Transaction& transaction) {
    put(transaction, "x", "old");
    bump(transaction, "sum");
  });
  a.run(set_add("s", names(0, 100)));
  a.checkpoint();
  a.work([&](Transaction& transaction) {
    put(transaction, "y", "mine");
    bump(transaction, "sum");
    CHECK(key_count(transaction, 0) == 4);
    replica::kill_database(transaction, 0);
    CHECK(key_count(transaction, 0) == 0);
    CHECK(scanned(transaction, 0, 10).empty());
    for (const char* key : {"x", "y", "sum", "s"}) {
      CHECK_FALSE(Object(transaction, {0, key}).exists());
    }
    put(transaction, "x", "new");
    bump(transaction, "sum");
    Object set(transaction, {0, "s"});
    set.create(ObjectType::set);
    transaction.assign(set.cell(CellKind::set_element, "e1"), "");
    CHECK(set.size(ObjectType::set) == 1);
    CHECK(key_count(transaction, 0) == 3);
    CHECK(scanned(transaction, 0, 10).size() == 3);
  });
  CHECK(counted(a) == 3);
  CHECK(a.text(get("x")) == "new");
  CHECK(a.text(get("sum")) == "1");
  CHECK(a.list(set_members("s")) == List{"e1"});
}

TEST_CASE("a flush spares what it has not seen, and every node counts what is left") {
  TestGroup a(1, small_objects(4));
  TestGroup b(2, small_objects(4));
  a.work([&](Transaction& transaction) {
    put(transaction, "x", "v");
    bump(transaction, "sum");
  });
  b.pull_from(a);
  b.work([&](Transaction& transaction) {
    put(transaction, "y", "v");
    bump(transaction, "sum");
  });
  b.checkpoint();
  b.restart();
  a.work([&](Transaction& transaction) { replica::kill_database(transaction, 0); });
  b.pull_from(a);
  CHECK(counted(b) == 2);
  CHECK(b.text(get("sum")) == "1");
  b.freeze();
  CHECK(counted(b) == 2);
  b.write();
  b.told();
  CHECK(counted(b) == 2);
  CHECK(key_count_rows(b.store()) == stored_keys(b.store()));
  a.pull_from(b);
  CHECK(counted(a) == 2);
  CHECK(scanned(a).size() == 2);
}

TEST_CASE("totals can be reset in parts before a flush that would be too large") {
  TestGroup a(1);
  a.work([&](Transaction& transaction) {
    for (const std::string& name : names(0, 50)) {
      bump(transaction, name);
    }
  });
  a.checkpoint();
  std::uint64_t cursor = 0;
  int parts = 0;
  do {
    a.work([&](Transaction& transaction) {
      cursor = replica::reset_totals(transaction, 0, cursor, 500);
      CHECK(transaction.op_count() < 20);
    });
    ++parts;
  } while (cursor != 0);
  CHECK(parts > 3);
  a.work([&](Transaction& transaction) {
    replica::kill_database(transaction, 0);
    CHECK(transaction.op_count() == 1);
  });
  CHECK(counted(a) == 0);
}

// Two groups and all that can happen to keys; then every key is looked at.
class KeyHistory final : public TwoGroups {
 public:
  explicit KeyHistory(std::uint32_t seed)
      : TwoGroups(seed, small_objects(4, 20'000), small_objects(4)) {}

  void go(int steps) {
    for (int i = 0; i < steps; ++i) {
      TestGroup& at = any_group();
      const int choice = below(16);
      if (disturb(choice, at)) {
        continue;
      }
      switch (choice) {
        case 5:
        case 6:
        case 7:
          at.work([&](Transaction& transaction) { check(transaction); });
          break;
        case 8:
          at.now_ms += static_cast<std::uint64_t>(below(5));
          break;
        default:
          at.work([&](Transaction& transaction) {
            for (int n = 1 + below(4); n > 0; --n) {
              if (below(60) == 0) {
                replica::kill_database(transaction, any_db());
              } else if (below(120) == 0) {
                replica::kill_group(transaction);
              } else {
                change(transaction);
              }
            }
            if (below(8) == 0) {
              check(transaction);
            }
          });
      }
    }
    for (TestGroup& at : groups_) {
      end_checkpoint(at);
      at.work([&](Transaction& transaction) { check(transaction); });
      at.checkpoint();
      check_rows(at);
      at.work([&](Transaction& transaction) { check(transaction); });
      at.restart();
      at.work([&](Transaction& transaction) { check(transaction); });
    }
  }

 private:
  static constexpr int key_names = 12;

  std::uint8_t any_db() { return below(4) == 0 ? 1 : 0; }

  void change(Transaction& transaction) {
    const ObjectKey key{any_db(), "k" + std::to_string(below(key_names))};
    const std::string item = "e" + std::to_string(below(12));
    Object object(transaction, key);
    const auto element = [&](CellKind kind) { return object.cell(kind, item); };
    switch (below(14)) {
      case 0:
      case 1:
        put(transaction, key.key, "v", std::nullopt, key.db);
        break;
      case 2:
        put(transaction, key.key, "v", static_cast<std::int64_t>(transaction.now_ms()) + below(10),
            key.db);
        break;
      case 3:
        object.create(ObjectType::string);
        transaction.increment(object.cell(CellKind::string_totals), Total::of(1));
        break;
      case 4:
      case 5:
        object.erase();
        break;
      case 6:
        object.create(ObjectType::set);
        for (int i = 0; i < 12; ++i) {
          transaction.assign(object.cell(CellKind::set_element, "e" + std::to_string(i)), "");
        }
        break;
      case 7:
        object.create(ObjectType::set);
        transaction.assign(element(CellKind::set_element), "");
        break;
      case 8:
      case 9:
        if (object.holds(ObjectType::set)) {
          for (int i = below(12); i < 12; ++i) {
            transaction.remove(object.cell(CellKind::set_element, "e" + std::to_string(i)));
          }
          object.settle(ObjectType::set);
        }
        break;
      case 10:
        object.create(ObjectType::hash);
        transaction.assign(element(CellKind::hash_field), "v");
        break;
      case 11:
        object.create(ObjectType::hash);
        transaction.increment(element(CellKind::hash_totals), Total::of(1));
        break;
      case 12:
        if (object.holds(ObjectType::hash)) {
          transaction.remove(element(CellKind::hash_field));
          transaction.reset(element(CellKind::hash_totals));
          object.settle(ObjectType::hash);
        }
        break;
      default:
        if (object.exists()) {
          object.expire_at(below(3) == 0
                               ? never_expires
                               : static_cast<std::int64_t>(transaction.now_ms()) + below(10));
        }
    }
  }

  void check_rows(TestGroup& at) override {
    REQUIRE(key_count_rows(at.store()) == stored_keys(at.store()));
  }

  // In either order: each of the two may load what the other then finds.
  void check(Transaction& transaction) {
    const std::uint8_t db = any_db();
    const std::size_t count = 1 + static_cast<std::size_t>(below(20));
    Keys looked_first;
    const bool look_first = below(2) == 0;
    if (look_first) {
      looked_first = looked(transaction, db);
    }
    const Keys keys = scanned(transaction, db, count);
    const Keys there = looked(transaction, db);
    REQUIRE(keys == there);
    REQUIRE((!look_first || looked_first == there));
    std::int64_t counted_first = 0;
    const bool count_first = below(2) == 0;
    if (count_first) {
      counted_first = key_count(transaction, db);
    }
    std::int64_t each = 0;
    for (int i = 0; i < key_names; ++i) {
      each += test::there(transaction, {db, "k" + std::to_string(i)}) ? 1 : 0;
    }
    REQUIRE((!count_first || counted_first == each));
    REQUIRE(key_count(transaction, db) == each);
    const auto any = random_key(transaction, db, [&] { return random_(); });
    REQUIRE(any.has_value() == !there.empty());
  }

  static Keys looked(Transaction& transaction, std::uint8_t db) {
    Keys keys;
    for (int i = 0; i < key_names; ++i) {
      const std::string key = "k" + std::to_string(i);
      if (const ObjectType type = Object(transaction, {db, key}).type(); type != ObjectType::none) {
        keys[key] = type;
      }
    }
    REQUIRE_FALSE(transaction.error());
    return keys;
  }
};

TEST_CASE("keys are exact after any history") {
  for (std::uint32_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    KeyHistory(seed).go(300);
  }
}

}  // namespace
}  // namespace starling::test
