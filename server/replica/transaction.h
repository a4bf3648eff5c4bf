// The workspace of one entry: commands read through it and write into it; nothing is visible to
// anybody else until the replica applies the finished entry (R2.3).
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "crdt/entry.h"
#include "server/replica/tables.h"

namespace starling::replica {

// Commands are const over the tables plus this overlay. Each emitted op takes the next dot; later
// commands of the same entry see the effects of earlier ones. Discarding the transaction undoes
// everything.
// Runs on: core strand, within one step.
class Transaction {
 public:
  Transaction(Tables& tables, const Origin& origin, std::uint64_t first, Hlc hlc,
              const VersionVector& applied)
      : tables_(tables), origin_(origin), first_(first), hlc_(hlc), context_(applied) {}

  [[nodiscard]] StoreResult<const CellValue*> read(const CellKey& key);
  [[nodiscard]] StoreResult<void> for_each(const ObjectKey& object, CellKind first, CellKind last,
                                           const Tables::Visit& visit);
  // How many elements and fields the object has, this entry's changes included.
  [[nodiscard]] StoreResult<Counts> counts(const ObjectKey& object);

  // Elements and fields are counted, so these two read what was there; other cells are written
  // without a look.
  StoreResult<void> assign(const CellKey& key, std::string bytes);
  StoreResult<void> remove(const CellKey& key);
  // Adds to this origin's total. The cell must have been read without error before.
  StoreResult<void> increment(const CellKey& key, const Total& delta);
  // Takes away what this replica sees of the cell; nothing if it sees nothing.
  StoreResult<void> reset(const CellKey& key);
  // Kills every dotted cell of the object and resets its totals.
  StoreResult<void> kill(const ObjectKey& object);

  [[nodiscard]] bool empty() const { return ops_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::vector<Op> take_ops() { return std::move(ops_); }

 private:
  // What this op had seen: V before the entry, and the ops before it in the entry (R1.3).
  Dot next_dot();
  StoreResult<CellValue*> overlaid(const CellKey& key);
  // Puts the new value of a cell over what is below, and counts what that changes.
  StoreResult<void> put(const CellKey& key, CellValue value);
  void emit(const CellKey& key, Change change);

  Tables& tables_;
  Origin origin_;
  std::uint64_t first_;
  Hlc hlc_;
  VersionVector context_;
  std::vector<Op> ops_;
  std::size_t bytes_ = 0;
  std::unordered_map<ObjectKey, std::map<CellName, CellValue>, ObjectKeyHash> overlay_;
  std::unordered_map<ObjectKey, VersionVector, ObjectKeyHash> killed_;
  // Over the counts of the tables; over nothing, once the object was killed.
  std::unordered_map<ObjectKey, Counts, ObjectKeyHash> changes_;
};

}  // namespace starling::replica
