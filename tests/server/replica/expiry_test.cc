// Keys whose time is over are taken away by one node, wherever they lie (semantics.md).
#include "server/replica/expiry.h"

#include <random>
#include <set>

#include "crdt/deadline.h"
#include "server/replica/deadlines.h"
#include "server/replica/keyspace.h"
#include "server/replica/object.h"
#include "tests/server/replica/test_cluster.h"
#include "tests/server/replica/test_group.h"

namespace starling::test {
namespace {

using replica::Deadlines;
using replica::Object;
using replica::Transaction;

void put(Transaction& transaction, const std::string& key,
         std::optional<std::int64_t> deadline = {}) {
  Object object(transaction, {0, key});
  object.clear_for(ObjectType::string);
  transaction.assign(object.cell(CellKind::string_register), "v");
  if (deadline) {
    object.expire_at(*deadline);
  }
}

TEST_CASE("deadlines come in the order of time, each key once") {
  Deadlines deadlines;
  deadlines.set({0, "a"}, 30);
  deadlines.set({0, "b"}, 10);
  deadlines.set({0, "a"}, 20);
  deadlines.set({0, "c"}, 10);
  deadlines.set({0, "c"}, std::nullopt);
  CHECK(deadlines.first() == 10);
  std::vector<ObjectKey> due;
  deadlines.take_due(19, 10, due);
  CHECK(due == std::vector<ObjectKey>{{0, "b"}});
  deadlines.take_due(20, 10, due);
  CHECK(due == std::vector<ObjectKey>{{0, "b"}, {0, "a"}});
  CHECK_FALSE(deadlines.first());
}

TEST_CASE("a row of the index names its key, and rows lie in the order of time") {
  const ObjectKey key{3, std::string("a\0b", 3)};
  const auto row = replica::decode_deadline_row(replica::deadline_row(5, key));
  REQUIRE(row);
  CHECK(row->unix_ms == 5);
  CHECK(row->object == key);
  CHECK(replica::deadline_row(5, key) < replica::deadline_row(256, {0, ""}));
  CHECK_FALSE(replica::decode_deadline_row("x"));
}

TEST_CASE("what is over is in no scan and no export, though nobody has killed it yet") {
  TestGroup group(1);
  const auto now = static_cast<std::int64_t>(group.now_ms);
  group.work([&](Transaction& transaction) {
    put(transaction, "goes", now + 1000);
    put(transaction, "late", now + 5000);
    put(transaction, "stays");
  });
  REQUIRE_FALSE(group.checkpoint().error);
  const auto keys = [&] {
    auto page = group.page(replica::CutJobKind::scan);
    return std::set<std::string>(page.begin(), page.end());
  };
  const auto exported = [&] {
    auto page = group.page(replica::CutJobKind::export_);
    return std::set<std::string>(page.begin(), page.end());
  };
  CHECK(keys() == std::set<std::string>{"goes", "late", "stays"});
  group.now_ms = static_cast<std::uint64_t>(now + 1000);
  CHECK(keys() == std::set<std::string>{"late", "stays"});
  CHECK(exported() ==
        std::set<std::string>{R"({"db":0,"key":"late","type":"string","value":"v","ttl_ms":4000})",
                              R"({"db":0,"key":"stays","type":"string","value":"v"})"});
}

// Names every key whose deadline has passed, over any way that deadlines take: dirty, frozen,
// indexed, replayed, failed.
class DeadlineHistory {
 public:
  explicit DeadlineHistory(std::uint32_t seed) : random_(seed) {}

  void go(int steps) {
    for (int i = 0; i < steps; ++i) {
      switch (below(10)) {
        case 0:
        case 1:
          step_checkpoint();
          break;
        case 2:
          if (below(4) == 0) {
            group_.restart();
            owed_.clear();
          }
          break;
        case 3:
          group_.now_ms += static_cast<std::uint64_t>(below(20));
          break;
        case 4:
        case 5:
          check();
          break;
        default:
          group_.work([&](Transaction& transaction) { change(transaction); });
      }
    }
    group_.now_ms += 1000;
    check();
  }

 private:
  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }

  void change(Transaction& transaction) {
    const std::string key = "k" + std::to_string(below(10));
    const std::int64_t at = transaction.now_ms() + below(60) - 2;
    Object object(transaction, {0, key});
    const int what = below(5);
    if (what != 2 || object.exists()) {
      owed_.erase(key);
    }
    switch (what) {
      case 0:
        object.erase();
        break;
      case 1:
        put(transaction, key);
        break;
      case 2:
        if (object.exists()) {
          object.expire_at(below(4) == 0 ? never_expires : at);
        }
        break;
      default:
        put(transaction, key, at);
    }
  }

  void step_checkpoint() {
    if (group_.written()) {
      group_.told();
    } else if (group_.writing()) {
      group_.store().fail_checkpoints = below(4) == 0;
      group_.write();
      group_.store().fail_checkpoints = false;
    } else {
      group_.freeze();
    }
  }

  void check() {
    const auto now = static_cast<std::int64_t>(group_.now_ms);
    for (bool more = true; more;) {
      const auto due = group_->tables().take_due(now, 3);
      REQUIRE(due);
      more = !due->empty();
      for (const ObjectKey& key : *due) {
        owed_.insert(key.key);
      }
    }
    group_.work([&](Transaction& transaction) {
      for (int i = 0; i < 10; ++i) {
        const std::string key = "k" + std::to_string(i);
        if (Object(transaction, {0, key}).expired()) {
          REQUIRE_MESSAGE(owed_.contains(key), key);
        }
      }
    });
  }

  std::mt19937 random_;
  TestGroup group_{1};
  std::set<std::string> owed_;  // named, and not changed since
};

TEST_CASE("every key whose time is over is named, after any history") {
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    DeadlineHistory(seed).go(300);
  }
}

TEST_CASE("index rows follow the deadlines of the stored keys") {
  TestGroup a(1);
  const auto now = static_cast<std::int64_t>(a.now_ms);
  const auto rows = [&] {
    std::map<std::string, std::int64_t> rows;
    const auto cut = a.store().cut();
    const auto it = cut->scan(replica::deadline_rows_from(0), replica::deadline_rows_end());
    for (; it->valid(); it->next()) {
      const auto row = replica::decode_deadline_row(it->key());
      REQUIRE(row);
      CHECK(rows.emplace(row->object.key, row->unix_ms).second);
    }
    return rows;
  };
  using Rows = std::map<std::string, std::int64_t>;
  a.work([&](Transaction& transaction) {
    put(transaction, "a", now + 1000);
    put(transaction, "b", now + 2000);
    put(transaction, "c", now + 3000);
    put(transaction, "d", now + 4000);
    put(transaction, "e");
  });
  a.checkpoint();
  CHECK(rows() == Rows{{"a", now + 1000}, {"b", now + 2000}, {"c", now + 3000}, {"d", now + 4000}});
  a.restart();
  a.work([&](Transaction& transaction) {
    Object(transaction, {0, "a"}).expire_at(now + 5000);
    Object(transaction, {0, "b"}).expire_at(never_expires);
    Object(transaction, {0, "c"}).erase();
  });
  a.checkpoint();
  CHECK(rows() == Rows{{"a", now + 5000}, {"d", now + 4000}});
  a.work([&](Transaction& transaction) { replica::kill_database(transaction, 0); });
  a.checkpoint();
  CHECK(rows().empty());
}

// -- a cluster --

template <typename Work>
void run(TestCluster& cluster, const std::string& name, const Work& work) {
  const auto outcome = cluster.at(name).replica->run(work, {true, 1000}, cluster.now);
  REQUIRE(outcome.ran == Replica::Ran::done);
  cluster.settle();
}

std::int64_t keys_at(TestCluster& cluster, const std::string& name) {
  std::int64_t count = -1;
  run(cluster, name, [&](Transaction& transaction) { count = replica::key_count(transaction, 0); });
  return count;
}

TEST_CASE("one node takes an expired key away; the others find nothing left to do") {
  TestCluster cluster;
  cluster.add("a");
  cluster.add("b", {"a"});
  cluster.add("c", {"a"});
  REQUIRE(cluster.within_ms(5000, [&] {
    return cluster.view("a").ready && cluster.view("b").ready && cluster.view("c").ready;
  }));
  cluster.run_ms(1000);
  const auto now = static_cast<std::int64_t>(cluster.now.unix_ms);
  constexpr int keys = 90;
  run(cluster, "a", [&](Transaction& transaction) {
    for (int i = 0; i < keys; ++i) {
      put(transaction, "k" + std::to_string(i), now + 500);
    }
    put(transaction, "later", now + 100'000);
    put(transaction, "stays");
  });
  REQUIRE(cluster.converge());
  CHECK(keys_at(cluster, "b") == keys + 2);
  cluster.run_ms(2500);
  REQUIRE(cluster.converge());
  std::uint64_t sum = 0;
  for (const std::string name : {"a", "b", "c"}) {
    CHECK(keys_at(cluster, name) == 2);
    const std::uint64_t expired = cluster.view(name).expired_keys;
    CHECK_MESSAGE(expired > keys / 6, name);  // each has its share
    sum += expired;
  }
  CHECK(sum == keys);
}

TEST_CASE("keys of a node that is away are taken away by those that are left") {
  TestCluster cluster;
  cluster.add("a");
  cluster.add("b", {"a"});
  REQUIRE(cluster.within_ms(5000, [&] { return cluster.view("b").ready; }));
  const auto now = static_cast<std::int64_t>(cluster.now.unix_ms);
  run(cluster, "a", [&](Transaction& transaction) {
    for (const std::string& name : names(0, 40)) {
      put(transaction, name, now + 3000);
    }
  });
  REQUIRE(cluster.converge());
  cluster.kill("a");
  cluster.run_ms(6000);
  CHECK(cluster.view("b").expired_keys == 40);
  CHECK(keys_at(cluster, "b") == 0);
}

TEST_CASE("keys that expired while every node was down are taken away after the start") {
  TestCluster cluster;
  cluster.add("a");
  const auto now = static_cast<std::int64_t>(cluster.now.unix_ms);
  run(cluster, "a", [&](Transaction& transaction) {
    for (const std::string& name : names(0, 500)) {
      put(transaction, name, now + 50);
    }
  });
  cluster.kill("a");
  cluster.now.unix_ms += 10'000;
  cluster.restart("a");
  CHECK(keys_at(cluster, "a") == 500);
  cluster.run_ms(2000);
  CHECK(keys_at(cluster, "a") == 0);
  CHECK(cluster.view("a").expired_keys == 500);
}

TEST_CASE("a deadline that was moved or lifted takes nothing away") {
  TestCluster cluster;
  cluster.add("a");
  const auto now = static_cast<std::int64_t>(cluster.now.unix_ms);
  run(cluster, "a", [&](Transaction& transaction) {
    put(transaction, "moved", now + 100);
    put(transaction, "lifted", now + 100);
  });
  run(cluster, "a", [&](Transaction& transaction) {
    Object(transaction, {0, "moved"}).expire_at(now + 1500);
    Object(transaction, {0, "lifted"}).expire_at(never_expires);
  });
  cluster.run_ms(1000);
  CHECK(keys_at(cluster, "a") == 2);
  cluster.run_ms(1500);
  CHECK(keys_at(cluster, "a") == 1);
}

}  // namespace
}  // namespace starling::test
