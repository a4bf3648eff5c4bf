// The workspace of one entry: commands read through it and write into it; nothing is visible to
// anybody else until the replica applies the finished entry (R2.3).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "crdt/entry.h"
#include "server/replica/tables.h"
#include "server/replica/turns.h"

namespace starling::replica {

class Transaction;

// A command that takes so long that it must share the strand. What it writes beyond a bound becomes
// several entries, so that neither this node nor its peers apply too much at once (as R3.6 splits a
// wide kill): nobody on this node sees a part of it (KeyLocks), other nodes may.
class LongRun : public Turns {
 public:
  // What the transaction holds becomes an entry; then others have their turn.
  virtual void write_part(Transaction& transaction) = 0;
};

// What a caller has seen of the element or field that a cell belongs to.
struct Seen {
  Presence base = Presence::unknown;
  Presence totals = Presence::unknown;
};

// Commands are const over the tables plus this overlay. Each emitted op takes the next dot; later
// commands of the same entry see the effects of earlier ones. Discarding the transaction undoes
// everything.
// An error of the store sticks: from then on reads give nothing and `error` says why; whoever runs
// a transaction asks once at its end, and keeps nothing of one that failed.
// Runs on: core strand, within one step.
class Transaction {
 public:
  // `now_ms`: what expiry goes by (unix ms).
  Transaction(Tables& tables, const Origin& origin, std::uint64_t first, Hlc hlc,
              const VersionVector& applied, std::int64_t now_ms = 0)
      : tables_(tables),
        origin_(origin),
        first_(first),
        hlc_(hlc),
        now_ms_(now_ms),
        context_(applied) {}

  [[nodiscard]] const std::optional<StoreError>& error() const { return error_; }

  // -- how long it may take --
  // To stop it when it has looked at more than so many cells: `too_long` then, and it has to run
  // again, in turns. What has effects beside the transaction must not be done before that.
  void limit_steps(std::size_t steps) { steps_left_ = steps; }
  [[nodiscard]] bool too_long() const { return too_long_; }
  void take_turns(LongRun& run) { long_run_ = &run; }
  // Between two turns others have written: it goes on as a new entry behind theirs. It has nothing
  // to be written.
  void start_anew(std::uint64_t first, Hlc hlc, const VersionVector& applied, std::int64_t now_ms);
  // For loops that do not walk over cells: counts as looking at so many; others may have their turn
  // here. False: it ends here.
  bool step(std::size_t steps = 1);
  // What needs nothing of the transaction, like sorting a million names: others run beside it.
  void aside(const std::function<void()>& work);
  // Frees something large without delay for anybody.
  template <typename T>
  void discard(T&& garbage, std::size_t nodes) {
    tables_.garbage().add(std::forward<T>(garbage), nodes);
  }
  [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }
  [[nodiscard]] Hlc hlc() const { return hlc_; }

  // The whole cell, empty if there is none. The reference is good until the next call.
  [[nodiscard]] const CellValue& read(const ObjectKey& object, const CellName& name);
  [[nodiscard]] const CellValue& read(const CellKey& key) { return read(key.object, key.cell); }
  // What lies under a key.
  [[nodiscard]] Tables::Look look(const ObjectKey& object);
  // The same of a kind of class D, or of class L.
  [[nodiscard]] const DottedCell& dotted(const ObjectKey& object, const CellName& name);
  [[nodiscard]] const DottedCell& dotted(const CellKey& key) {
    return dotted(key.object, key.cell);
  }
  [[nodiscard]] const OriginTotals& totals(const ObjectKey& object, const CellName& name);
  [[nodiscard]] const OriginTotals& totals(const CellKey& key) {
    return totals(key.object, key.cell);
  }
  // Every cell of an object from this name on, up to the last of a kind, in the order of names.
  void for_each(const ObjectKey& object, const CellName& first, CellKind last,
                const Tables::Visit& visit);
  // How many elements, fields and members the object has, this entry's changes included.
  [[nodiscard]] Counts counts(const ObjectKey& object);
  // The members of a sorted set by score, this entry's changes included. `use` keeps nothing of the
  // index and does nothing else with the transaction.
  void by_score(const ObjectKey& object, const std::function<void(const ScoreIndex&)>& use);

  // Elements, fields and members are counted: if the caller has not seen what is there, these two
  // look. Other cells are written blindly.
  void assign(CellKey key, std::string bytes, Seen seen = {});
  void remove(CellKey key, Seen seen = {});
  // Adds to this origin's total.
  void increment(CellKey key, const Total& delta);
  // Takes away what this replica sees of the cell; nothing if it sees nothing.
  void reset(CellKey key);
  // Kills every dotted cell of the object and resets its totals.
  void kill(const ObjectKey& object);
  // Kills every dotted cell of a database, or of all of them (db is ignored then). Totals in it
  // must have been reset before: kill_database (keyspace.h) does both.
  void kill_all(ScopeLevel level, std::uint8_t db);

  // -- for views of the whole database (keyspace.h) --
  [[nodiscard]] Tables& tables() { return tables_; }
  // The keys of a database that this entry has read for writing or written; all others are as the
  // tables have them.
  [[nodiscard]] std::vector<ObjectKey> touched(std::uint8_t db);
  [[nodiscard]] bool has_touched(const ObjectKey& object) {
    settle(object);
    return overlay_.contains(object) || killed_.contains(object);
  }
  // It has killed everything in the database: only what it touched since can be there.
  [[nodiscard]] bool emptied(std::uint8_t db) const {
    return all_killed_.has_value() || databases_killed_.contains(db);
  }
  void fail(StoreError error) { error_ = std::move(error); }

  [[nodiscard]] bool empty() const { return ops_.empty(); }
  [[nodiscard]] std::size_t op_count() const { return ops_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // From then on it shows nothing of them; a long command may be stopped here and not know yet.
  [[nodiscard]] std::vector<Op> take_ops() {
    pending_.clear();
    return std::exchange(ops_, {});
  }

 private:
  // False: it has had all its steps.
  bool spend(std::size_t steps);
  // Before an op: so many make an entry.
  void part();
  // Null where nobody else may run: on top of what is not written yet, and within a walk.
  [[nodiscard]] Turns* turns() { return ops_.empty() && walks_ == 0 ? long_run_ : nullptr; }
  // What this op had seen: V before the entry, and the ops before it in the entry (R1.3).
  Dot next_dot();
  [[nodiscard]] const VersionVector* killed(const ObjectKey& object) const;
  const CellValue& under_kill(const ObjectKey& object, const CellName& name,
                              const VersionVector& killed);
  const CellValue& below(const ObjectKey& object, const CellName& name);
  ScoreIndex own_scores(const ObjectKey& object);
  // Puts the new value of a cell over what is below, and counts what that changes.
  void put(const CellKey& key, CellValue value, Seen seen);
  void emit(CellKey key, Change change);
  void emit_later_put(CellKey key, Change change, Seen seen);
  // Nearly always nobody looks at what an entry has written before it ends: only when somebody asks
  // for an object of theirs, the ops that are not in the overlay yet go there.
  void settle(const ObjectKey& object);
  void settle();

  Tables& tables_;
  Origin origin_;
  std::uint64_t first_;
  Hlc hlc_;
  std::int64_t now_ms_;
  std::optional<StoreError> error_;
  std::optional<std::size_t> steps_left_;
  bool too_long_ = false;
  LongRun* long_run_ = nullptr;
  unsigned walks_ = 0;  // under way, one within another
  VersionVector context_;
  std::vector<Op> ops_;
  std::size_t bytes_ = 0;
  struct Pending {
    std::size_t op;
    Seen seen;
  };
  static constexpr std::size_t most_pending = 32;
  SmallVector<Pending, 2> pending_;  // ops, in their order
  struct Object {
    std::map<CellName, CellValue> cells;
    Counts change;  // to the counts of the tables; to nothing, once the object was killed
  };
  std::unordered_map<ObjectKey, Object, ObjectKeyHash> overlay_;
  // What this entry has killed; a later context covers an earlier one.
  std::unordered_map<ObjectKey, VersionVector, ObjectKeyHash> killed_;
  std::map<std::uint8_t, VersionVector> databases_killed_;
  std::optional<VersionVector> all_killed_;
};

}  // namespace starling::replica
