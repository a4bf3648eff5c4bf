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

// What a caller has seen of the element or field that a cell belongs to.
struct Seen {
  Presence base = Presence::unknown;
  Presence totals = Presence::unknown;
};

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

  // Elements and fields are counted: if the caller has not seen what is there, these two look.
  // Other cells are written blindly.
  StoreResult<void> assign(const CellKey& key, std::string bytes, Seen seen = {});
  StoreResult<void> remove(const CellKey& key, Seen seen = {});
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
  StoreResult<const CellValue*> under_kill(const CellKey& key, const VersionVector& killed);
  // Puts the new value of a cell over what is below, and counts what that changes.
  StoreResult<void> put(const CellKey& key, CellValue value, Seen seen);
  void emit(const CellKey& key, Change change);

  Tables& tables_;
  Origin origin_;
  std::uint64_t first_;
  Hlc hlc_;
  VersionVector context_;
  std::vector<Op> ops_;
  std::size_t bytes_ = 0;
  struct Object {
    std::map<CellName, CellValue> cells;
    Counts change;  // to the counts of the tables; to nothing, once the object was killed
  };
  std::unordered_map<ObjectKey, Object, ObjectKeyHash> overlay_;
  std::unordered_map<ObjectKey, VersionVector, ObjectKeyHash> killed_;
};

}  // namespace starling::replica
