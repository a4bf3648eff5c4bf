// A disk that fails on purpose.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/memory_store.h"
#include "tests/sim/fuse.h"

namespace starling::sim {

// A MemoryStore with faults: power cuts, death in the middle of any change, checkpoints that find
// no room or are cut short. Reads always work: damaged disks are the business of tests/storage.
class FaultyStore final : public Store {
 public:
  // -- faults --
  // The `steps`-th change from now is not made, and none after it until `revive`: the node is to be
  // treated as crashed at that very step.
  void die_in(std::uint64_t steps) { fuse_.light(steps); }
  [[nodiscard]] bool dead() const { return dead_; }
  void revive();
  // What was not synced is gone.
  void cut_power() { disk_->crash(); }
  // A copy of all files, and a disk that was restored from one.
  [[nodiscard]] std::unique_ptr<MemoryStore> backup() const { return disk_->clone(); }
  void restore(std::unique_ptr<MemoryStore> backup);
  void leave_no_room_for_checkpoints(bool none) { no_room_ = none; }
  // Once, row number `rows` of a checkpoint cannot be written; the next try goes well.
  void cut_checkpoint_short(std::uint64_t rows) { rows_.light(rows); }
  void stall_checkpoints(bool stall) { stalled_ = stall; }
  void set_full(bool full) { disk_->set_full(full); }

  [[nodiscard]] std::uint64_t synced_position() const { return synced_; }

  // -- Store --
  StoreResult<void> append(std::uint64_t position, std::string_view record) override;
  StoreResult<std::uint64_t> sync() override;
  StoreResult<std::optional<std::string>> read_record(std::uint64_t position) const override {
    return disk_->read_record(position);
  }
  LogBounds bounds() const override { return disk_->bounds(); }
  StoreResult<void> truncate(std::uint64_t first_kept) override;
  std::uint64_t state_position() const override { return disk_->state_position(); }
  StoreResult<std::optional<std::string>> get(std::string_view key) const override {
    return disk_->get(key);
  }
  std::unique_ptr<Cut> cut() const override { return disk_->cut(); }
  StoreResult<std::unique_ptr<CheckpointWriter>> begin_checkpoint(std::uint64_t position) override;
  bool checkpoint_stalled() const override { return stalled_; }
  StoreResult<void> put_fact(std::string_view name, std::string_view value) override;
  StoreResult<std::optional<std::string>> get_fact(std::string_view name) const override {
    return disk_->get_fact(name);
  }
  bool has_room(std::uint64_t bytes) const override { return disk_->has_room(bytes); }

 private:
  friend class FaultyCheckpoint;
  // One change is about to be made: false if the node dies here instead.
  bool lives();

  std::unique_ptr<MemoryStore> disk_ = std::make_unique<MemoryStore>();
  Fuse fuse_;  // changes until it dies
  Fuse rows_;  // of a checkpoint, until one cannot be written
  bool dead_ = false;
  bool no_room_ = false;
  bool stalled_ = false;
  std::uint64_t synced_ = 0;
};

}  // namespace starling::sim
