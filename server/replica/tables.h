// The cells in memory, in layers over the state on disk (R5.2, R5.3).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "crdt/cell.h"
#include "crdt/cell_key.h"
#include "crdt/entry.h"
#include "storage/store.h"

namespace starling::replica {

struct ObjectKeyHash {
  [[nodiscard]] std::size_t operator()(const ObjectKey& key) const {
    return std::hash<std::string_view>()(key.key) * 31 + key.db;
  }
};

// A wide kill that cold cells have not felt yet (R3.6): readers apply it, the next checkpoint
// sweeps it and ends it in the same file.
struct Marker {
  ScopeLevel level = ScopeLevel::key;
  ObjectKey scope;  // as much of it as the level needs
  VersionVector killed;

  [[nodiscard]] bool covers(const ObjectKey& object) const;
};

// One generation of cells. In the dirty layers a cell may be partial: an operand on a base that has
// not been read. In the clean layer every cell is whole and equal to the state on disk.
class Layer {
 public:
  using Cells = std::map<CellName, CellDelta>;

  [[nodiscard]] const CellDelta* find(const CellKey& key) const;
  [[nodiscard]] CellDelta* find(const CellKey& key);
  [[nodiscard]] const Cells* object(const ObjectKey& key) const;
  void put(const CellKey& key, CellDelta delta);
  void erase(const CellKey& key);
  void erase_object(const ObjectKey& key);
  // To be called around every change of a cell in place.
  void account(std::size_t before, std::size_t after) { bytes_ = bytes_ + after - before; }

  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return objects_.empty(); }
  [[nodiscard]] const std::unordered_map<ObjectKey, Cells, ObjectKeyHash>& objects() const {
    return objects_;
  }

 private:
  std::unordered_map<ObjectKey, Cells, ObjectKeyHash> objects_;
  std::size_t bytes_ = 0;
};

[[nodiscard]] std::size_t cell_size(const CellKey& key, const CellDelta& delta);

// What a checkpoint writes: immutable from the freeze on, read by the strand and by the job.
class FrozenTables {
 public:
  Layer cells;
  std::vector<Marker> markers;  // active at the freeze; end with this checkpoint
};

// Reads go live -> frozen -> clean -> state; writes go to live. An object is loaded whole on first
// touch unless it is large; then its cells are read one by one.
// Every change, local or remote or replayed, takes the same joins (R2.3).
// Runs on: core strand.
class Tables {
 public:
  Tables(const Store& store, const OriginTable& origins, std::uint64_t memory_bytes)
      : store_(store), origins_(origins), memory_bytes_(memory_bytes) {}

  // -- reading --
  // The whole cell, empty if there is none. The reference is good until the next call.
  [[nodiscard]] StoreResult<const CellValue*> read(const CellKey& key);
  // Every stored cell of an object with a kind in [first, last], in key order.
  enum class Walk : std::uint8_t { on, next_kind, stop };
  using Visit = std::function<Walk(const CellName&, const CellValue&)>;
  [[nodiscard]] StoreResult<void> for_each(const ObjectKey& object, CellKind first, CellKind last,
                                           const Visit& visit);

  // -- changing --
  void assign(const CellKey& key, Sibling sibling, const VersionVector& context);
  void kill(const CellKey& key, const VersionVector& context);
  void add(const CellKey& key, const TotalPart& part);
  void reset(const CellKey& key, const ObservedTotal& observed, const Dot& reset_dot);
  void kill_scope(ScopeLevel level, const ObjectKey& scope, const VersionVector& context);

  // -- checkpoints --
  [[nodiscard]] bool dirty() const { return !live_.empty() || !markers_.empty(); }
  [[nodiscard]] bool freezing() const { return frozen_ != nullptr; }
  // The dirty cells become an immutable layer under a new, empty one. Requires !freezing().
  std::shared_ptr<const FrozenTables> freeze();
  // The frozen layer is on disk: it turns into clean cells, or stays dirty if that failed.
  void checkpoint_done(bool ingested);

  // Drops clean objects until all layers together are within bounds.
  void evict();
  // Cells in memory may not grow further until a checkpoint has gone through.
  [[nodiscard]] bool full() const {
    return bytes() > memory_bytes_ && live_.bytes() > memory_bytes_ / 2;
  }

  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::size_t dirty_bytes() const { return live_.bytes(); }
  [[nodiscard]] const std::vector<Marker>& markers() const { return markers_; }
  void restore_markers(std::vector<Marker> markers) { markers_ = std::move(markers); }

 private:
  // An object with more stored rows than this is never loaded as a whole.
  static constexpr std::size_t whole_object_rows = 4096;
  static constexpr std::size_t in_place_kill_cells = 10'000;  // R3.6

  enum class Residence : std::uint8_t { complete, large };

  StoreResult<Residence> load(const ObjectKey& object);
  StoreResult<const CellValue*> read_single(const CellKey& key);
  [[nodiscard]] StoreResult<CellValue> base(const CellKey& key, std::string_view stored) const;
  void apply_markers(const ObjectKey& object, CellValue& value) const;
  // The live cell to change in place: moved up from a lower layer if it is known there, a fresh
  // partial one otherwise.
  CellDelta& writable(const CellKey& key);
  template <typename Change>
  void change(const CellKey& key, const Change& change);
  void kill_in_memory(const ObjectKey& object, const VersionVector& context);
  [[nodiscard]] bool known_complete(const ObjectKey& object) const;
  StoreResult<void> merge_layers(const ObjectKey& object, CellKind first, CellKind last,
                                 const Visit& visit);

  const Store& store_;
  const OriginTable& origins_;
  std::uint64_t memory_bytes_;
  Layer live_;
  std::shared_ptr<FrozenTables> frozen_;
  Layer clean_;
  std::unordered_map<ObjectKey, Residence, ObjectKeyHash> residence_;
  std::vector<Marker> markers_;
  CellValue scratch_;
};

}  // namespace starling::replica
