// What is said of a database as a whole (keyspace.h), compared with a look at every key.
#include "server/replica/keyspace.h"

#include <map>
#include <random>
#include <set>

#include "crdt/deadline.h"
#include "server/replica/object.h"
#include "tests/server/replica/test_group.h"

namespace starling::test {
namespace {

using replica::KeyPage;
using replica::ListedKey;
using replica::Object;
using replica::Transaction;
using Keys = std::map<std::string, ObjectType>;

// Objects of more than 4 rows are never loaded whole, so every path is met with a few cells.
Group::Limits small_objects(std::uint64_t memory_bytes = 1u << 30) {
  return {.tables = {.memory_bytes = memory_bytes, .whole_object_rows = 4}};
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
  TestGroup a(1, small_objects());
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

// Two groups and all that can happen to keys; then every key is looked at.
class KeyHistory {
 public:
  explicit KeyHistory(std::uint32_t seed) : random_(seed) {}

  void go(int steps) {
    for (int i = 0; i < steps; ++i) {
      TestGroup& at = any_group();
      switch (below(16)) {
        case 0:
          any_group().pull_from(any_group());
          break;
        case 1:
        case 2:
          step_checkpoint(at);
          break;
        case 3:
          if (below(4) == 0) {
            at.restart();
          }
          break;
        case 4:
          at->tables().evict();
          break;
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
              change(transaction);
            }
            if (below(8) == 0) {
              check(transaction);
            }
          });
      }
    }
    for (TestGroup& at : groups_) {
      if (at.writing()) {
        at.write();
      }
      if (at.written()) {
        at.told();
      }
      at.work([&](Transaction& transaction) { check(transaction); });
      at.checkpoint();
      at.work([&](Transaction& transaction) { check(transaction); });
      at.restart();
      at.work([&](Transaction& transaction) { check(transaction); });
    }
  }

 private:
  static constexpr int key_names = 12;

  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  TestGroup& any_group() { return groups_[static_cast<std::size_t>(below(2))]; }
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

  void step_checkpoint(TestGroup& at) {
    if (at.written()) {
      at.told();
    } else if (at.writing()) {
      at.store().fail_checkpoints = below(4) == 0;
      at.write();
      at.store().fail_checkpoints = false;
    } else {
      at.freeze();
    }
  }

  // In either order: each of the two may load what the other then finds.
  void check(Transaction& transaction) {
    const std::uint8_t db = any_db();
    const std::size_t count = static_cast<std::size_t>(1 + below(20));
    Keys looked_first;
    const bool look_first = below(2) == 0;
    if (look_first) {
      looked_first = looked(transaction, db);
    }
    const Keys keys = scanned(transaction, db, count);
    const Keys there = looked(transaction, db);
    REQUIRE(keys == there);
    REQUIRE((!look_first || looked_first == there));
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

  std::mt19937 random_;
  TestGroup groups_[2] = {TestGroup(1, small_objects(20'000)), TestGroup(2, small_objects())};
};

TEST_CASE("keys are exact after any history") {
  for (std::uint32_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    KeyHistory(seed).go(300);
  }
}

}  // namespace
}  // namespace starling::test
