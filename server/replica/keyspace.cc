#include "server/replica/keyspace.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "crdt/mutants.h"
#include "server/replica/object_walk.h"
#include "server/replica/shown.h"

namespace starling::replica {
namespace {

constexpr std::uint64_t beyond = ~std::uint64_t{0};  // every place
constexpr std::size_t max_strangers = 1000;          // keys of other databases in one page

// What the tables hold and what the transaction itself has changed, as one sequence by place. Keys
// of one place come in no particular order.
class KeyWalk {
 public:
  KeyWalk(Transaction& transaction, std::uint8_t db, std::uint64_t from_place)
      : tx_(transaction),
        db_(db),
        below_(transaction.tables(), transaction.emptied(db) ? beyond : from_place) {
    for (ObjectKey& object : transaction.touched(db)) {
      if (const std::uint64_t place = place_of(object); place >= from_place) {
        touched_.push_back({place, std::move(object)});
      }
    }
    std::ranges::sort(touched_, {}, &Touched::place);
    note_error();
  }

  [[nodiscard]] bool valid() const { return !tx_.error() && (below_.valid() || mine_valid()); }
  [[nodiscard]] std::uint64_t place() const {
    return is_mine() ? touched_[next_].place : below_.place();
  }
  [[nodiscard]] bool of_other_database() const { return !is_mine() && below_.object().db != db_; }

  // Looks at the key and goes on to the next; nullopt: it shows nothing.
  std::optional<ListedKey> take() { return is_mine() ? take_mine() : take_below(); }

 private:
  struct Touched {
    std::uint64_t place = 0;
    ObjectKey object;
  };

  [[nodiscard]] bool mine_valid() const { return next_ < touched_.size(); }
  [[nodiscard]] bool is_mine() const {
    return mine_valid() && (!below_.valid() || touched_[next_].place <= below_.place());
  }
  void note_error() {
    if (!below_.status()) {
      tx_.fail(below_.status().error());
    }
  }

  std::optional<ListedKey> take_mine() {
    const ObjectKey& object = touched_[next_++].object;
    ShownFinder shown;
    tx_.for_each(
        object, CellName::first_at(CellKind{0}), CellKind{0xFF},
        [&](const CellName& name, const CellValue& value) { return shown.see(name, value); });
    return listed(object, shown);
  }

  std::optional<ListedKey> take_below() {
    std::optional<ListedKey> found;
    const ObjectKey& object = below_.object();
    if (object.db == db_ && !tx_.has_touched(object)) {
      ShownFinder shown;
      const auto seen = below_.cells(
          [&](const CellName& name, const CellValue& value) { return shown.see(name, value); });
      if (!seen) {
        tx_.fail(seen.error());
        return found;
      }
      found = listed(object, shown);
    }
    below_.next();
    note_error();
    return found;
  }

  [[nodiscard]] std::optional<ListedKey> listed(const ObjectKey& object,
                                                const ShownFinder& shown) const {
    const ObjectType type = shown.type(tx_.now_ms());
    return type == ObjectType::none ? std::nullopt
                                    : std::optional(ListedKey{object.key, type, shown.deadline()});
  }

  Transaction& tx_;
  std::uint8_t db_;
  ObjectWalk below_;
  std::vector<Touched> touched_;
  std::size_t next_ = 0;
};

}  // namespace

KeyPage scan(Transaction& transaction, std::uint8_t db, std::uint64_t cursor, std::size_t count) {
  KeyPage page;
  std::size_t left = std::max<std::size_t>(count, 1);
  std::size_t strangers = 0;
  std::uint64_t place = cursor;
  for (KeyWalk walk(transaction, db, cursor); walk.valid();) {
    if (walk.place() != place && (left == 0 || strangers == max_strangers)) {
      page.next = walk.place();
      return page;
    }
    place = walk.place();
    if (walk.of_other_database()) {
      strangers = std::min(strangers + 1, max_strangers);
    } else {
      left -= left > 0 ? 1 : 0;
    }
    if (auto key = walk.take()) {
      page.keys.push_back(std::move(*key));
    }
  }
  return page;
}

std::int64_t key_count(Transaction& transaction, std::uint8_t db) {
  if (transaction.error()) {
    return 0;
  }
  Tables& tables = transaction.tables();
  const bool emptied = transaction.emptied(db);
  const auto below = emptied ? StoreResult<std::int64_t>(0) : tables.key_count(db);
  if (!below) {
    transaction.fail(below.error());
    return 0;
  }
  std::int64_t count = *below;
  for (const ObjectKey& object : transaction.touched(db)) {
    ExistsFinder now;
    transaction.for_each(
        object, CellName::first_at(CellKind{0}), CellKind{0xFF},
        [&](const CellName& name, const CellValue& value) { return now.see(name, value); });
    const auto before = emptied ? StoreResult<bool>(false) : tables.exists(object);
    if (!before) {
      transaction.fail(before.error());
      return 0;
    }
    count += (now.exists() ? 1 : 0) - (*before ? 1 : 0);
  }
  return transaction.error() ? 0 : count;
}

namespace {

// The keys that readers see in [from, to).
std::vector<ListedKey> keys_between(Transaction& transaction, std::uint8_t db, std::uint64_t from,
                                    std::uint64_t to) {
  std::vector<ListedKey> keys;
  for (KeyWalk walk(transaction, db, from); walk.valid() && walk.place() < to;) {
    if (auto key = walk.take()) {
      keys.push_back(std::move(*key));
    }
  }
  return keys;
}

// Not quite fair: a key behind a wide gap is likelier. For databases nearly all of whose keys have
// expired, or that are few among those of others.
std::optional<ListedKey> next_key(Transaction& transaction, std::uint8_t db, std::uint64_t from) {
  for (const std::uint64_t begin : {from, std::uint64_t{0}}) {
    for (KeyWalk walk(transaction, db, begin); walk.valid();) {
      if (auto key = walk.take()) {
        return key;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<ListedKey> random_key(Transaction& transaction, std::uint8_t db,
                                    const std::function<std::uint64_t()>& random) {
  constexpr std::uint64_t places = std::uint64_t{1} << place_bits;
  constexpr std::uint64_t keys_per_window = 8;
  constexpr std::uint64_t bound = 40;  // of the keys in one window: once in 10^14 there are more
  constexpr int tries = 64;
  const auto count = static_cast<std::uint64_t>(key_count(transaction, db));
  if (count == 0 || transaction.error()) {
    return std::nullopt;
  }
  if (count <= bound) {
    auto keys = keys_between(transaction, db, 0, places);
    return keys.empty() ? std::nullopt : std::optional(std::move(keys[random() % keys.size()]));
  }
  const std::uint64_t windows = count / keys_per_window;
  const std::uint64_t width = places / windows + 1;
  for (int i = 0; i < tries; ++i) {
    const std::uint64_t window = random() % windows;
    auto keys = keys_between(transaction, db, window * width, (window + 1) * width);
    // As if every window had as many keys as the bound says, most of them duds.
    if (const std::uint64_t choice = random() % bound; choice < keys.size()) {
      return std::move(keys[choice]);
    }
  }
  return next_key(transaction, db, random() % places);
}

namespace {

// The totals of one object that show something.
class TotalsFinder {
 public:
  Tables::Walk see(const CellName& name, const CellValue& value) {
    if (!is_totals(name.kind())) {
      return Tables::Walk::next_kind;
    }
    if (is_present(value)) {
      found_.push_back(name);
    }
    return Tables::Walk::on;
  }
  [[nodiscard]] const std::vector<CellName>& found() const { return found_; }

 private:
  std::vector<CellName> found_;
};

void reset_totals_of(Transaction& transaction, const ObjectKey& object,
                     const TotalsFinder& totals) {
  for (const CellName& name : totals.found()) {
    transaction.reset({object, name});
  }
}

void kill_scope(Transaction& transaction, ScopeLevel level, std::uint8_t db) {
  const auto scope = level == ScopeLevel::group ? std::nullopt : std::optional(db);
  // Resets before the kill, so that it covers whoever sees it whole.
  if (!mutant("flush_leaves_totals")) {
    (void)reset_totals(transaction, scope, 0, SIZE_MAX);
  }
  if (!transaction.error()) {
    transaction.kill_all(level, db);
  }
}

}  // namespace

std::uint64_t reset_totals(Transaction& transaction, std::optional<std::uint8_t> db,
                           std::uint64_t cursor, std::size_t bytes) {
  const auto in_scope = [&](std::uint8_t of) { return !db || *db == of; };
  const auto see = [](TotalsFinder& totals) {
    return
        [&totals](const CellName& name, const CellValue& value) { return totals.see(name, value); };
  };
  const std::size_t begin = transaction.bytes();
  // What this transaction itself has touched is little, and comes whole with the first part.
  std::set<ObjectKey> touched;
  for (unsigned of = 0; of < 256; ++of) {
    if (in_scope(static_cast<std::uint8_t>(of))) {
      for (ObjectKey& object : transaction.touched(static_cast<std::uint8_t>(of))) {
        touched.insert(std::move(object));
      }
    }
  }
  for (const ObjectKey& object : touched) {
    TotalsFinder totals;
    transaction.for_each(object, CellName::first_at(CellKind{0}), CellKind{0xFF}, see(totals));
    reset_totals_of(transaction, object, totals);
  }
  std::uint64_t place = cursor;
  ObjectWalk walk(transaction.tables(), cursor);
  for (; walk.valid() && !transaction.error(); walk.next()) {
    const ObjectKey& object = walk.object();
    if (walk.place() != place && transaction.bytes() - begin >= bytes) {
      return walk.place();
    }
    place = walk.place();
    if (!in_scope(object.db) || touched.contains(object) || transaction.emptied(object.db)) {
      continue;
    }
    TotalsFinder totals;
    if (const auto seen = walk.cells(see(totals)); !seen) {
      transaction.fail(seen.error());
      return 0;
    }
    reset_totals_of(transaction, object, totals);
  }
  if (!walk.status()) {
    transaction.fail(walk.status().error());
  }
  return 0;
}

void kill_database(Transaction& transaction, std::uint8_t db) {
  kill_scope(transaction, ScopeLevel::database, db);
}

void kill_group(Transaction& transaction) { kill_scope(transaction, ScopeLevel::group, 0); }

}  // namespace starling::replica
