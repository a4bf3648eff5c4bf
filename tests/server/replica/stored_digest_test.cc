// The audit digest is recomputed from stored bytes, and notices each of them (R7.2, R3.8).
#include <map>
#include <set>

#include "tests/server/replica/test_group.h"

namespace starling::test {
namespace {

using replica::CutJobDone;
using replica::Transaction;

// A row of every kind: with siblings of two writers, with floats, with resets, with residue.
void write_every_kind(TestGroup& group, const std::string& writer) {
  group.run({set("text", "by " + writer), set("counter", "40"), incr("counter", 2)});
  group.run({incr("reset", 300), incr("gone", 7)});
  group.run({set("reset", "1"), incr("reset", -5), del("gone")});
  group.run({hash_set("hash", {"f", "v", writer, "1"}), hash_incr("hash", "n", 70'000)});
  group.run({set_add("set", {"x", writer}), command(CommandCode::flag_enable, "flag"),
             command(CommandCode::mv_set, "mv", {"by " + writer})});
  group.run({command(CommandCode::zset_add, "sorted", {"m", "1.5", writer, "2"}),
             command(CommandCode::expire, "text", {}, 100'000'000)});
  group.work([](Transaction& transaction) {
    const ObjectKey sorted{0, "sorted"};
    transaction.increment({sorted, {CellKind::scored_totals, "m"}}, Total::of_real(0.1));
    transaction.increment({sorted, {CellKind::scored_totals, "m"}}, Total::of_real(1e-20));
  });
}

// What a digest takes in of totals: by node what its live parts add and what resets took away.
auto shown_parts(const OriginTotals& totals) {
  std::vector<std::pair<std::uint64_t, Total>> shown;
  for (const TotalPart& part : totals.parts()) {
    if (part.live()) {
      shown.emplace_back(part.origin.node, part.total - part.base);
    }
  }
  return shown;
}

// A checkpoint whose rows are damaged one after another.
class DamagedRows {
 public:
  explicit DamagedRows(TestGroup& group) : group_(group), whole_(group.digest().digest) {
    const auto cut = group.store().cut();
    for (const auto rows = cut->scan({}, {}); rows->valid(); rows->next()) {
      rows_.emplace(rows->key(), rows->value());
    }
    const auto row = replica::CheckpointRow::decode(rows_.at(replica::checkpoint_key()));
    REQUIRE(row);
    for (const Origin& origin : row->origins) {
      origins_.intern(origin);
    }
  }

  [[nodiscard]] const auto& rows() const { return rows_; }
  [[nodiscard]] CellValue value(CellKind kind, std::string_view bytes) const {
    return *decode_stored(kind, bytes, origins_);
  }

  // With one row changed.
  enum class Verdict { reported, another, same };
  Verdict verdict(const std::string& key, const std::string& new_key,
                  const std::string& new_value) {
    write({{key, std::nullopt}}, new_key, new_value);
    const CutJobDone done = group_.digest();
    std::map<std::string, std::optional<std::string>> back{{key, rows_.at(key)}};
    const auto covered = rows_.find(new_key);
    back[new_key] = covered == rows_.end() ? std::nullopt : std::optional(covered->second);
    write(std::move(back), key, rows_.at(key));
    return done.error              ? Verdict::reported
           : done.digest != whole_ ? Verdict::another
                                   : Verdict::same;
  }

 private:
  void write(std::map<std::string, std::optional<std::string>> changes, const std::string& key,
             const std::string& value) {
    changes[key] = value;
    auto writer = *group_.store().begin_checkpoint(group_.store().state_position());
    for (const auto& [row, bytes] : changes) {
      REQUIRE((bytes ? writer->put(row, *bytes) : writer->erase(row)));
    }
    REQUIRE(writer->ingest());
  }

  TestGroup& group_;
  std::map<std::string, std::string> rows_;
  OriginTable origins_;
  Digest whole_;
};

std::string with_flipped_bit(std::string bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  return bytes;
}

TEST_CASE("a flipped bit of a stored cell changes the digest or is reported") {
  using Verdict = DamagedRows::Verdict;
  TestGroup a(1);
  TestGroup b(2);
  write_every_kind(a, "a");
  write_every_kind(b, "b");
  a.pull_from(b);
  a.checkpoint();
  DamagedRows damaged(a);
  std::set<CellKind> kinds;
  std::map<Verdict, int> verdicts;
  for (const auto& [key, value] : damaged.rows()) {
    if (key.starts_with(meta_prefix)) {
      continue;
    }
    const CellKey cell = *decode_cell_key(key);
    const CellKind kind = cell.cell.kind();
    kinds.insert(kind);
    CAPTURE(cell.object.key);
    CAPTURE(static_cast<int>(kind));
    for (std::size_t bit = 0; bit < key.size() * 8; ++bit) {
      CAPTURE(bit);
      const Verdict verdict = damaged.verdict(key, with_flipped_bit(key, bit), value);
      CHECK(verdict != Verdict::same);
      ++verdicts[verdict];
    }
    for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
      CAPTURE(bit);
      const std::string flipped = with_flipped_bit(value, bit);
      const Verdict verdict = damaged.verdict(key, key, flipped);
      ++verdicts[verdict];
      if (verdict == Verdict::same) {
        // R7.2 leaves out of totals what says when they became what they are: the dots of the
        // first, the last and the last reset increment, which of its lives a node wrote them in,
        // and all of what is reset. Only these may change unnoticed, never what is read.
        REQUIRE(is_totals(kind));
        const auto before = std::get<OriginTotals>(damaged.value(kind, value));
        const auto after = std::get<OriginTotals>(damaged.value(kind, flipped));
        CHECK(shown_parts(before) == shown_parts(after));
      }
    }
  }
  CHECK(kinds.size() == 11);
  CHECK(verdicts[Verdict::same] > 0);
  MESSAGE(damaged.rows().size(), " rows: ", verdicts[Verdict::another], " bits change the digest, ",
          verdicts[Verdict::reported], " are reported, ", verdicts[Verdict::same],
          " are dots of totals that it leaves out");
}

TEST_CASE("rows beside the cells are in no digest (R7.2)") {
  TestGroup a(1);
  TestGroup b(2);
  write_every_kind(a, "a");
  write_every_kind(b, "b");
  a.pull_from(b);
  a.run({set("with an id", "v")}, OpId{1, 1});
  a.checkpoint();
  DamagedRows damaged(a);
  std::string prefixes;
  for (const auto& [key, value] : damaged.rows()) {
    if (!key.starts_with(meta_prefix) || key == replica::checkpoint_key()) {
      continue;
    }
    const char prefix = key[meta_prefix.size()];
    if (!prefixes.ends_with(prefix)) {
      prefixes += prefix;
    }
    CAPTURE(prefix);
    for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
      CHECK(damaged.verdict(key, key, with_flipped_bit(value, bit)) == DamagedRows::Verdict::same);
    }
  }
  CHECK(prefixes == "djknprx");
}

}  // namespace
}  // namespace starling::test
