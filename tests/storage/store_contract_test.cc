// What every store promises (storage/store.h), checked on both.
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "storage/memory_store.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "tests/storage/store_helpers.h"
#include "tests/support/temp_dir.h"

namespace starling::test {
namespace {

class Memory {
 public:
  Store& store() { return *store_; }
  void reopen() { store_ = store_->clone(); }

 private:
  std::unique_ptr<MemoryStore> store_ = std::make_unique<MemoryStore>();
};

class OnDisk {
 public:
  Store& store() { return *store_; }
  void reopen() {
    store_.reset();
    store_ = must(RocksDbStore::open(directory_ / "data"));
  }

 private:
  TempDir directory_;
  std::unique_ptr<RocksDbStore> store_ = must(RocksDbStore::open(directory_ / "data"));
};

#define EVERY_STORE Memory, OnDisk

// A store with a log of `count` synced records "r1", "r2", ...
template <typename Harness>
Store& with_records(Harness& harness, std::uint64_t count) {
  Store& store = harness.store();
  for (std::uint64_t position = 1; position <= count; ++position) {
    append(store, "r" + std::to_string(position));
  }
  must(store.sync());
  return store;
}

const std::string apple = member_key("fruit", "apple");
const std::string pear = member_key("fruit", "pear");
const std::string rose = member_key("flowers", "rose");

TEST_CASE_TEMPLATE("a new store is empty", Harness, EVERY_STORE) {
  Harness harness;
  Store& store = harness.store();
  CHECK(store.bounds().first == 1);
  CHECK(store.bounds().last == 0);
  CHECK(store.state_position() == 0);
  CHECK(must(store.sync()) == 0);
  CHECK(must(store.read_record(1)) == std::nullopt);
  CHECK(must(store.get(apple)) == std::nullopt);
  CHECK(must(store.get_fact("node id")) == std::nullopt);
  CHECK(rows_of(store).empty());
  CHECK(store.has_room(1 << 20));
  CHECK_FALSE(store.checkpoint_stalled());
}

TEST_CASE_TEMPLATE("records are read back at their positions, whatever bytes they hold", Harness,
                   EVERY_STORE) {
  Harness harness;
  Store& store = harness.store();
  const std::vector<std::string> records{"one", "", std::string("\0\xFF\n", 3),
                                         std::string(300'000, 'x')};
  for (const auto& record : records) {
    append(store, record);
  }
  CHECK(must(store.sync()) == records.size());
  for (std::uint64_t i = 0; i < records.size(); ++i) {
    const bool same = must(store.read_record(i + 1)) == records[i];
    CHECK(same);
  }
  CHECK(must(store.read_record(0)) == std::nullopt);
  CHECK(must(store.read_record(records.size() + 1)) == std::nullopt);
}

TEST_CASE_TEMPLATE("positions must be consecutive", Harness, EVERY_STORE) {
  Harness harness;
  Store& store = with_records(harness, 2);
  CHECK_FALSE(store.append(2, "again").has_value());
  CHECK_FALSE(store.append(4, "gap").has_value());
  CHECK(store.bounds().last == 2);
  must(store.append(3, "next"));
  CHECK(must(store.read_record(3)) == "next");
}

TEST_CASE_TEMPLATE("sync returns the position up to which the log is durable", Harness,
                   EVERY_STORE) {
  Harness harness;
  Store& store = harness.store();
  append(store, "a");
  append(store, "b");
  CHECK(must(store.sync()) == 2);
  append(store, "c");
  CHECK(must(store.sync()) == 3);
}

TEST_CASE_TEMPLATE("the log continues where it ended when the store is reopened", Harness,
                   EVERY_STORE) {
  Harness harness;
  with_records(harness, 3);
  harness.reopen();
  CHECK(harness.store().bounds().first == 1);
  CHECK(harness.store().bounds().last == 3);
  CHECK(must(harness.store().read_record(2)) == "r2");
  append(harness.store(), "r4");
  CHECK(must(harness.store().read_record(4)) == "r4");
}

TEST_CASE_TEMPLATE("truncation drops what the state has, and nothing more", Harness, EVERY_STORE) {
  Harness harness;
  Store& store = with_records(harness, 6);
  must(store.truncate(4));
  CHECK(store.bounds().first == 1);  // nothing is in the state yet

  checkpoint(store, 4, {{apple, "1"}});
  must(store.truncate(3));
  CHECK(store.bounds().first == 3);
  CHECK(must(store.read_record(2)) == std::nullopt);
  CHECK(must(store.read_record(3)) == "r3");
  must(store.truncate(2));
  CHECK(store.bounds().first == 3);  // never downwards
  must(store.truncate(100));
  CHECK(store.bounds().first == 5);  // W + 1
  CHECK(store.bounds().last == 6);

  harness.reopen();
  CHECK(harness.store().bounds().first == 5);
  CHECK(harness.store().bounds().last == 6);
  CHECK(must(harness.store().read_record(4)) == std::nullopt);
  CHECK(must(harness.store().read_record(5)) == "r5");
}

TEST_CASE_TEMPLATE("a log truncated to nothing remembers its end", Harness, EVERY_STORE) {
  Harness harness;
  Store& store = with_records(harness, 5);
  checkpoint(store, 5, {{apple, "1"}});
  must(store.truncate(6));
  CHECK(store.bounds().first == 6);
  CHECK(store.bounds().last == 5);
  harness.reopen();
  CHECK(harness.store().bounds().first == 6);
  CHECK(harness.store().bounds().last == 5);
  append(harness.store(), "r6");
  CHECK(must(harness.store().read_record(6)) == "r6");
}

TEST_CASE_TEMPLATE("a checkpoint shows all its rows and its position at once", Harness,
                   EVERY_STORE) {
  Harness harness;
  Store& store = with_records(harness, 2);
  auto writer = written(store, 2, {{apple, "1"}, {pear, "2"}});
  CHECK(store.state_position() == 0);
  CHECK(must(store.get(apple)) == std::nullopt);
  must(writer->ingest());
  CHECK(store.state_position() == 2);
  CHECK(must(store.get(apple)) == "1");
  CHECK(must(store.get(pear)) == "2");
  writer.reset();
  harness.reopen();
  CHECK(harness.store().state_position() == 2);
  CHECK(rows_of(harness.store()) == Rows{{apple, "1"}, {pear, "2"}});
}

TEST_CASE_TEMPLATE("a checkpoint that is dropped leaves nothing behind", Harness, EVERY_STORE) {
  Harness harness;
  Store& store = with_records(harness, 2);
  (void)written(store, 1, {{apple, "1"}});
  CHECK(store.state_position() == 0);
  CHECK(rows_of(store).empty());
  checkpoint(store, 2, {{pear, "2"}});
  CHECK(rows_of(store) == Rows{{pear, "2"}});
}

TEST_CASE_TEMPLATE("later checkpoints replace and erase rows", Harness, EVERY_STORE) {
  Harness harness;
  Store& store = with_records(harness, 3);
  checkpoint(store, 1, {{apple, "1"}, {pear, "1"}});
  checkpoint(store, 2, {{apple, "2"}, {pear, std::nullopt}, {rose, std::nullopt}});
  CHECK(rows_of(store) == Rows{{apple, "2"}});
  CHECK(must(store.get(pear)) == std::nullopt);
  checkpoint(store, 3, {});
  CHECK(store.state_position() == 3);
  CHECK(rows_of(store) == Rows{{apple, "2"}});
}

TEST_CASE_TEMPLATE("rows out of order are refused", Harness, EVERY_STORE) {
  Harness harness;
  auto writer = must(harness.store().begin_checkpoint(0));
  must(writer->put("b", "1"));
  CHECK_FALSE(writer->put("a", "1").has_value());
  CHECK_FALSE(writer->put("b", "2").has_value());
  CHECK_FALSE(writer->erase("b").has_value());
}

TEST_CASE_TEMPLATE("meta rows live beside cells and sort after them", Harness, EVERY_STORE) {
  Harness harness;
  Store& store = with_records(harness, 1);
  const std::string meta = std::string(meta_prefix) + "\x01row";
  const std::string bare(meta_prefix);
  checkpoint(store, 1, {{apple, "1"}, {bare, "b"}, {meta, "m"}});
  CHECK(must(store.get(meta)) == "m");
  CHECK(rows_of(store) == Rows{{apple, "1"}, {bare, "b"}, {meta, "m"}});
  CHECK(rows_of(*store.cut(), meta_prefix) == Rows{{bare, "b"}, {meta, "m"}});
  CHECK(rows_of(*store.cut(), {}, meta_prefix) == Rows{{apple, "1"}});
}

TEST_CASE_TEMPLATE("a cut does not move while later checkpoints are ingested", Harness,
                   EVERY_STORE) {
  Harness harness;
  Store& store = with_records(harness, 4);
  const auto empty = store.cut();
  checkpoint(store, 1, {{apple, "1"}, {pear, "1"}});
  const auto first = store.cut();
  const auto walking = first->scan({}, {});  // opened before the next checkpoint, read after it
  checkpoint(store, 2, {{apple, std::nullopt}, {pear, "2"}, {rose, "2"}});
  const auto second = store.cut();
  checkpoint(store, 4, {{pear, std::nullopt}, {rose, std::nullopt}});

  CHECK(empty->position() == 0);
  CHECK(rows_of(*empty).empty());
  CHECK(first->position() == 1);
  CHECK(rows_of(*first) == Rows{{apple, "1"}, {pear, "1"}});
  CHECK(must(first->get(apple)) == "1");
  CHECK(must(first->get(rose)) == std::nullopt);
  CHECK(second->position() == 2);
  CHECK(rows_of(*second) == Rows{{pear, "2"}, {rose, "2"}});
  CHECK(store.cut()->position() == 4);
  CHECK(rows_of(store).empty());
  REQUIRE(walking->valid());
  CHECK(walking->value() == "1");
}

TEST_CASE_TEMPLATE("a walk seeks forward within its range, never back", Harness, EVERY_STORE) {
  Harness harness;
  Store& store = with_records(harness, 1);
  Changes changes;
  for (const std::string element : {"1", "2", "3"}) {
    changes[member_key("a", element)] = element;
    changes[member_key("b", element)] = element;
  }
  checkpoint(store, 1, changes);
  std::vector<std::string> keys;
  for (const auto& [key, value] : changes) {
    keys.push_back(key);
  }
  const auto cut = store.cut();
  const auto rows = cut->scan(keys[0], keys[5]);
  rows->seek(keys[2]);
  REQUIRE(rows->valid());
  CHECK(rows->key() == keys[2]);
  rows->seek(keys[0]);
  CHECK(rows->key() == keys[2]);
  rows->seek(keys[3] + "x");
  REQUIRE(rows->valid());
  CHECK(rows->key() == keys[4]);
  rows->seek(keys[5]);
  CHECK_FALSE(rows->valid());
  rows->seek(keys[5] + "x");
  CHECK_FALSE(rows->valid());
  must(rows->status());
}

TEST_CASE_TEMPLATE("a scan keeps to its bounds, inside one object and across objects", Harness,
                   EVERY_STORE) {
  Harness harness;
  Store& store = with_records(harness, 1);
  Changes changes;
  Rows rows;
  // "\xFF" keys make the successor of a prefix carry.
  for (const std::string object : {"a", "ab", "b", "\xFF", "\xFF\xFF"}) {
    for (const std::string element : {"", "1", "2", "\xFF"}) {
      changes[member_key(object, element)] = object + element;
      rows[member_key(object, element)] = object + element;
    }
  }
  checkpoint(store, 1, changes);
  const auto cut = store.cut();
  CHECK(rows_of(*cut) == rows);
  std::vector<std::string> bounds{""};
  for (const auto& [key, value] : rows) {
    bounds.push_back(key);
    bounds.push_back(key + '\0');
    bounds.push_back(key.substr(0, key.size() - 1));
    auto next = key;
    next.back() = static_cast<char>(next.back() + 1);
    bounds.push_back(next);
  }
  for (const std::string object : {"a", "ab", "b", "\xFF", "\xFF\xFF", "none"}) {
    const std::string prefix = encode_object_prefix(0, {0, object});
    bounds.push_back(prefix);
    bounds.push_back(prefix + '\xFF');
    bounds.push_back(prefix.substr(0, prefix.size() - 1) + static_cast<char>(prefix.back() + 1));
  }
  for (const auto& from : bounds) {
    for (const auto& to : bounds) {
      if (!to.empty() && to < from) {
        continue;
      }
      const Rows expected(rows.lower_bound(from), to.empty() ? rows.end() : rows.lower_bound(to));
      const bool same = rows_of(*cut, from, to) == expected;
      REQUIRE(same);
    }
  }
}

TEST_CASE_TEMPLATE("facts are durable when they are stored, even beside an unsynced log", Harness,
                   EVERY_STORE) {
  Harness harness;
  must(harness.store().put_fact("node id", "42"));
  must(harness.store().put_fact("epoch", std::string("\0\1", 2)));
  must(harness.store().put_fact("epoch", std::string("\0\2", 2)));
  harness.reopen();
  CHECK(must(harness.store().get_fact("node id")) == "42");
  CHECK(must(harness.store().get_fact("epoch")) == std::string("\0\2", 2));
  CHECK(must(harness.store().get_fact("none")) == std::nullopt);
  CHECK(harness.store().bounds().last == 0);
}

// -- random runs against a model --

struct Model {
  std::vector<std::string> log;  // log[i] is the record at position i + 1
  std::uint64_t first = 1;
  std::uint64_t synced = 0;
  std::uint64_t position = 0;
  Rows rows;
  Rows facts;
};

template <typename Harness>
class RandomRun {
 public:
  explicit RandomRun(unsigned seed) : random_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
    }
    compare();
  }

 private:
  struct OpenCut {
    std::unique_ptr<Cut> cut;
    std::uint64_t position = 0;
    Rows rows;
  };

  unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
  Store& store() { return harness_.store(); }

  void step() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        append_some();
        break;
      case 4:
        REQUIRE(must(store().sync()) == model_.log.size());
        model_.synced = model_.log.size();
        break;
      case 5:
      case 6:
        write_checkpoint();
        break;
      case 7:
        truncate();
        break;
      case 8: {
        const std::string name = "fact" + std::to_string(below(4));
        model_.facts[name] = std::to_string(random_());
        must(store().put_fact(name, model_.facts[name]));
        break;
      }
      case 9:
        if (cuts_.size() < 4) {
          cuts_.push_back({store().cut(), model_.position, model_.rows});
        } else {
          compare_and_drop_cuts();
        }
        break;
      case 10:
        compare();
        break;
      default:
        if (below(4) == 0) {
          reopen();
        }
    }
  }

  void append_some() {
    for (unsigned i = below(8); i > 0; --i) {
      model_.log.emplace_back(below(200), static_cast<char>(random_()));
      must(store().append(model_.log.size(), model_.log.back()));
    }
  }

  void write_checkpoint() {
    must(store().sync());
    model_.synced = model_.log.size();
    Changes changes;
    for (unsigned i = below(40); i > 0; --i) {
      const std::string key =
          below(8) == 0 ? std::string(meta_prefix) + "\x01" + std::to_string(below(5))
                        : member_key("set" + std::to_string(below(6)), std::to_string(below(20)));
      changes[key] = below(3) == 0 ? std::nullopt : std::optional(std::to_string(random_()));
    }
    const std::uint64_t position =
        model_.position + below(static_cast<unsigned>(model_.log.size() - model_.position) + 1);
    auto writer = written(store(), position, changes);
    if (below(4) == 0) {
      return;  // dropped
    }
    must(writer->ingest());
    model_.position = position;
    for (const auto& [key, value] : changes) {
      if (value) {
        model_.rows[key] = *value;
      } else {
        model_.rows.erase(key);
      }
    }
  }

  void truncate() {
    const std::uint64_t kept = below(static_cast<unsigned>(model_.log.size()) + 3);
    must(store().truncate(kept));
    model_.first = std::max(model_.first, std::min(kept, model_.position + 1));
  }

  void reopen() {
    must(store().sync());
    compare_and_drop_cuts();
    harness_.reopen();
    compare();
  }

  void compare_and_drop_cuts() {
    for (const auto& open : cuts_) {
      REQUIRE(open.cut->position() == open.position);
      REQUIRE(rows_of(*open.cut) == open.rows);
    }
    cuts_.clear();
  }

  void compare() {
    const LogBounds bounds = store().bounds();
    REQUIRE(bounds.first == model_.first);
    REQUIRE(bounds.last == model_.log.size());
    for (std::uint64_t position = 1; position <= model_.log.size(); ++position) {
      const auto record = must(store().read_record(position));
      const auto expected =
          position < model_.first ? std::nullopt : std::optional(model_.log[position - 1]);
      const bool same = record == expected;
      REQUIRE(same);
    }
    REQUIRE(store().state_position() == model_.position);
    REQUIRE(rows_of(store()) == model_.rows);
    for (int i = 0; i < 6; ++i) {
      compare_object("set" + std::to_string(i));
    }
    for (const auto& [name, value] : model_.facts) {
      REQUIRE(must(store().get_fact(name)) == value);
    }
  }

  void compare_object(const std::string& set) {
    const std::string from = encode_object_prefix(0, {0, set});
    const std::string to = from + '\xFF';
    const Rows expected(model_.rows.lower_bound(from), model_.rows.lower_bound(to));
    REQUIRE(rows_of(*store().cut(), from, to) == expected);
    for (int element = 0; element < 20; ++element) {
      const std::string key = member_key(set, std::to_string(element));
      const auto it = model_.rows.find(key);
      const auto want = it == model_.rows.end() ? std::nullopt : std::optional(it->second);
      REQUIRE(must(store().get(key)) == want);
    }
  }

  std::mt19937 random_;
  Harness harness_;
  Model model_;
  std::vector<OpenCut> cuts_;  // closed before the store is
};

TEST_CASE_TEMPLATE("random runs agree with a model", Harness, EVERY_STORE) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    RandomRun<Harness>(seed).run(150);
  }
}

}  // namespace
}  // namespace starling::test
