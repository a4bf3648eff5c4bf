// All objects of a group, in the order of the state database.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "server/replica/place_index.h"
#include "server/replica/tables.h"
#include "storage/store.h"

namespace starling::replica {

// Goes from object to object over everything that is stored or dirty, and shows the cells of each
// as readers see them. Loads nothing: what is clean is decided from its rows, which are read as far
// as the visitor asks and then passed over with a seek.
// An object may turn out to have no cell that shows anything.
// Good until the tables change. Runs on: core strand.
class ObjectWalk {
 public:
  ObjectWalk(Tables& tables, std::uint64_t from_place);

  [[nodiscard]] bool valid() const { return object_ != nullptr; }
  [[nodiscard]] std::uint64_t place() const { return place_; }
  [[nodiscard]] const ObjectKey& object() const { return *object_; }
  // Every cell that is not empty, in the order of names, until the visitor has enough. Once for
  // each object.
  [[nodiscard]] StoreResult<void> cells(const Tables::Visit& visit);
  void next();
  // Tells an end from an error.
  [[nodiscard]] const StoreResult<void>& status() const { return status_; }

 private:
  void choose();
  void read_stored();
  [[nodiscard]] StoreResult<void> stored_cells(const Tables::Visit& visit);
  void fail(StoreError error);

  Tables& tables_;
  std::unique_ptr<Cut> cut_;
  std::unique_ptr<RowIterator> rows_;
  std::optional<ObjectKey> stored_;  // whose rows come next
  std::uint64_t stored_place_ = 0;
  std::string stored_prefix_;
  std::optional<PlaceIndex::Walk> live_;
  std::optional<PlaceIndex::Walk> frozen_;
  const ObjectKey* object_ = nullptr;
  std::uint64_t place_ = 0;
  bool from_rows_ = false;  // it is neither live nor frozen
  StoreResult<void> status_;
};

}  // namespace starling::replica
