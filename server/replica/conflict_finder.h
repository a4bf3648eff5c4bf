// Where concurrent writes have met: the rules of semantics.md about what goes to the journal.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "crdt/cell.h"
#include "crdt/cell_key.h"
#include "server/replica/checkpoint.h"
#include "server/replica/conflict.h"
#include "server/replica/layer.h"
#include "server/replica/shown.h"
#include "storage/store.h"

namespace starling::replica {

// Two writes are concurrent iff both are live in the state that joined them: whoever had seen the
// other would have killed it. So lines follow from cells alone, on the strand where cells are in
// memory and in the checkpoint job where they are not (R4.2), and come out the same in both.
class ConflictFinder {
 public:
  using Note = std::function<void(Conflict)>;
  // Both must outlive this.
  ConflictFinder(const Streams& streams, const Note& note) : streams_(streams), note_(note) {}

  // A string, a field or a member, by the name of its register.
  void compare(const ObjectKey& object, const CellName& name, const DottedCell& base,
               const OriginTotals& increments) const;
  // The objects under one key.
  void compare(const ObjectKey& object, const ShownFinder& shown) const;

 private:
  void compare_siblings(const CellKey& key, const DottedCell& base) const;
  void compare_increments(const CellKey& key, const DottedCell& base,
                          const OriginTotals& increments) const;
  void compare_sum(const CellKey& key, const Sibling* winner, Int128 base,
                   const OriginTotals& increments) const;
  [[nodiscard]] ConflictSide side_of(const TotalPart& part) const;

  const Streams& streams_;
  const Note& note_;
};

// The register of the string, field or member that a cell is a half of; nullopt if it is no half.
[[nodiscard]] std::optional<CellName> register_of(const CellName& name);
[[nodiscard]] CellName increments_of(const CellName& register_name);

// Looks at the cells of one object in a frozen layer, and at what is stored beside them. `read`
// gives any cell of the object as it is with that layer; nullopt if it does not decode.
using ReadCell = std::function<StoreResult<std::optional<CellValue>>(const CellName&)>;
[[nodiscard]] StoreResult<void> find_conflicts(const ConflictFinder& finder,
                                               const ObjectKey& object, const std::string& prefix,
                                               const Layer::Cells& cells, RowIterator& rows,
                                               const ReadCell& read);

}  // namespace starling::replica
