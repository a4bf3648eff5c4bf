// The conflict journal by itself: lines, their bounds, their rows.
#include "server/replica/conflict_journal.h"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace starling::test {
namespace {

using replica::Conflict;
using replica::ConflictClass;
using replica::ConflictJournal;
using replica::ConflictKind;
using replica::ConflictRows;

Dot dot(std::uint64_t node, std::uint64_t n) { return {Origin{node, 1, 7}, n}; }

// Number n lost at time n to a write of that moment.
Conflict line(std::uint64_t n, const std::string& lost = "x") {
  Conflict conflict;
  conflict.cell = {{0, "k" + std::to_string(n)}, {CellKind::string_register, {}}};
  conflict.lost = replica::conflict_side(dot(1, n), 10 * n, lost);
  conflict.won = replica::conflict_side(dot(2, n), 10 * n + 1, "y");
  return conflict;
}

std::vector<std::string> keys(const ConflictJournal& journal) {
  std::vector<std::string> keys;
  journal.for_each([&](const Conflict& conflict) {
    keys.push_back(conflict.cell.object.key);
    return true;
  });
  return keys;
}

// What a checkpoint does to the rows of the state.
void write(ConflictJournal& journal, ConflictRows& disk) {
  for (auto& [key, value] : journal.take_rows()) {
    if (value) {
      disk[key] = value;
    } else {
      disk.erase(key);
    }
  }
  journal.rows_written(true);
}

ConflictJournal restarted(const ConflictRows& disk, const ConflictJournal::Limits& limits = {}) {
  ConflictJournal journal(limits);
  for (const auto& [key, value] : disk) {
    journal.restore(key, *value);
  }
  journal.restored();
  return journal;
}

TEST_CASE("lines come newest first, whatever the order in which they were noted") {
  ConflictJournal journal({});
  for (const std::uint64_t n : {2, 3, 1}) {
    journal.note(line(n));
  }
  CHECK(keys(journal) == std::vector<std::string>{"k3", "k2", "k1"});
}

TEST_CASE("what is told again adds nothing, neither a line nor to the count") {
  ConflictJournal journal({});
  journal.note(line(1));
  journal.note(line(1));
  CHECK(journal.size() == 1);
  CHECK(journal.count(ConflictClass::string) == 1);
}

TEST_CASE("a total that has grown replaces its line; an older view of it does not") {
  const auto increments = [](Hlc hlc, const std::string& sum) {
    Conflict conflict = line(1);
    conflict.kind = ConflictKind::hidden;
    conflict.cell.cell = {CellKind::string_totals, {}};
    conflict.lost = replica::conflict_side(dot(1, 1), hlc, sum);
    return conflict;
  };
  ConflictJournal journal({});
  journal.note(increments(20, "1"));
  journal.note(increments(40, "3"));
  journal.note(increments(30, "2"));
  REQUIRE(journal.size() == 1);
  CHECK(journal.count(ConflictClass::counter) == 1);
  journal.for_each([](const Conflict& conflict) {
    CHECK(conflict.lost.preview == "3");
    CHECK(conflict.when() == 40);
    return true;
  });
}

TEST_CASE("beyond its bound the oldest lines go, and it says how many and how old they were") {
  ConflictJournal journal({.lines = 3, .bytes = 1 << 20});
  for (const std::uint64_t n : {1, 5, 2, 4, 3}) {
    journal.note(line(n));
  }
  CHECK(keys(journal) == std::vector<std::string>{"k5", "k4", "k3"});
  CHECK(journal.dropped() == 2);
  CHECK(journal.dropped_up_to() == line(2).when());
  journal.note(line(2));  // a cell tells again of what is too old
  CHECK(keys(journal) == std::vector<std::string>{"k5", "k4", "k3"});
  CHECK(journal.dropped() == 2);
}

TEST_CASE("long keys count: all lines together have a bound in bytes") {
  ConflictJournal journal({.lines = 1000, .bytes = 100'000});
  for (std::uint64_t n = 1; n <= 10; ++n) {
    Conflict conflict = line(n);
    conflict.cell.object.key = std::string(30'000, 'k') + std::to_string(n);
    journal.note(std::move(conflict));
  }
  CHECK(journal.size() == 3);
  CHECK(journal.dropped() == 7);
}

TEST_CASE("a journal of no lines keeps none") {
  ConflictJournal journal({.lines = 0, .bytes = 0});
  journal.note(line(1));
  CHECK(journal.size() == 0);
  CHECK(journal.dropped() == 1);
}

TEST_CASE("rows bring the lines back, and what is told again after that adds nothing") {
  ConflictRows disk;
  ConflictJournal journal({});
  journal.note(line(1));
  journal.note(line(2));
  write(journal, disk);
  CHECK(disk.size() == 2);
  ConflictJournal again = restarted(disk);
  CHECK(keys(again) == keys(journal));
  CHECK(again.count(ConflictClass::string) == 0);
  again.note(line(2));
  CHECK(again.size() == 2);
  CHECK(again.take_rows().empty());
}

TEST_CASE("the row of a dropped line goes with the next checkpoint; what was dropped stays known") {
  ConflictRows disk;
  ConflictJournal journal({.lines = 2, .bytes = 1 << 20});
  journal.note(line(1));
  journal.note(line(2));
  write(journal, disk);
  journal.note(line(3));
  write(journal, disk);
  CHECK_FALSE(disk.contains(replica::conflict_key(line(1).id())));
  ConflictJournal again = restarted(disk, {.lines = 2, .bytes = 1 << 20});
  CHECK(keys(again) == std::vector<std::string>{"k3", "k2"});
  CHECK(again.dropped() == 1);
  CHECK(again.dropped_up_to() == line(1).when());
}

TEST_CASE("rows of a failed checkpoint are written by the next one") {
  ConflictRows disk;
  ConflictJournal journal({});
  journal.note(line(1));
  (void)journal.take_rows();
  journal.rows_written(false);
  journal.note(line(2));
  write(journal, disk);
  CHECK(restarted(disk).size() == 2);
}

TEST_CASE("a smaller bound at the next start drops the oldest, and their rows") {
  ConflictRows disk;
  ConflictJournal journal({});
  for (std::uint64_t n = 1; n <= 5; ++n) {
    journal.note(line(n));
  }
  write(journal, disk);
  ConflictJournal again = restarted(disk, {.lines = 2, .bytes = 1 << 20});
  CHECK(keys(again) == std::vector<std::string>{"k5", "k4"});
  CHECK(again.dropped() == 3);
  write(again, disk);
  CHECK(disk.size() == 3);  // two lines, and what was dropped
}

TEST_CASE("a row that is older than what was dropped has outlived its line, and goes") {
  ConflictRows disk;
  ConflictJournal journal({.lines = 1, .bytes = 1 << 20});
  journal.note(line(5));
  journal.note(line(6));
  write(journal, disk);
  disk[replica::conflict_key(line(2).id())] = replica::encode_conflict(line(2));
  ConflictJournal again = restarted(disk, {.lines = 10, .bytes = 1 << 20});
  CHECK(keys(again) == std::vector<std::string>{"k6"});
  write(again, disk);
  CHECK_FALSE(disk.contains(replica::conflict_key(line(2).id())));
}

// ---------------------------------------------------------------- rows

TEST_CASE("a line survives its row, whatever kind it is") {
  for (const auto& [kind, cell] :
       {std::pair(ConflictKind::overwritten, CellName(CellKind::hash_field, "f")),
        std::pair(ConflictKind::hidden, CellName(CellKind::string_totals, "")),
        std::pair(ConflictKind::saturated, CellName(CellKind::scored_totals, "m")),
        std::pair(ConflictKind::hidden_type, CellName(CellKind::header, "\3"))}) {
    Conflict conflict = line(1, std::string(1000, 'x'));
    conflict.kind = kind;
    conflict.cell = {{3, std::string("a\0b", 3)}, cell};
    CHECK(conflict.lost.preview.size() == replica::conflict_preview_size);
    CHECK(conflict.lost.size == 1000);
    const auto read = replica::decode_conflict(replica::conflict_key(conflict.id()),
                                               replica::encode_conflict(conflict));
    REQUIRE(read);
    CHECK((*read == conflict));
  }
}

TEST_CASE("a preview ends between characters, and binary values are cut where they must be") {
  std::string text = "x";
  for (int i = 0; i < 40; ++i) {
    text += "\xC3\xA4";
  }
  CHECK(replica::conflict_side({}, 0, text).preview.size() == 63);
  CHECK(replica::conflict_side({}, 0, std::string(100, '\x80')).preview.size() == 64);
  CHECK(replica::conflict_side({}, 0, "").preview.empty());
}

TEST_CASE(
    "damaged rows are refused: every prefix, every flipped byte is an error or another line") {
  const std::string key = replica::conflict_key(line(1).id());
  const std::string value = replica::encode_conflict(line(1));
  for (std::size_t size = 0; size < value.size(); ++size) {
    CHECK_FALSE(replica::decode_conflict(key, value.substr(0, size)));
  }
  for (std::size_t size = 0; size < key.size(); ++size) {
    CHECK_FALSE(replica::decode_conflict(key.substr(0, size), value));
  }
  CHECK_FALSE(replica::decode_conflict(key, value + "x"));
  CHECK_FALSE(replica::decode_conflict(key + "x", value));
  for (std::size_t i = 0; i < value.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = value;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      if (const auto read = replica::decode_conflict(key, damaged)) {
        CHECK((replica::decode_conflict(key, replica::encode_conflict(*read)) == read));
      }
    }
  }
}

}  // namespace
}  // namespace starling::test
