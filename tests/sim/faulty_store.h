// A disk that fails: power cuts, death in the middle of any step, checkpoints that do not go through.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "storage/memory_store.h"

namespace starling::sim {

// A MemoryStore that can die at the n-th change from now on: everything after that fails, and the
// node is to be treated as crashed at that very step. Reads go on until then.
class FaultyStore final : public Store {
 public:
  // -- faults --
  // The `steps`-th change from now is not made, and nothing works any more until `revive`.
  void die_in(std::uint64_t steps) { fuse_ = steps; }
  void disarm() { fuse_ = 0; }
  [[nodiscard]] bool dead() const { return dead_; }
  void revive() { dead_ = false; fuse_ = 0; }
  void power_cut() { disk_->crash(); }
  // What its disk holds now, and would hold after a power cut; and a disk that holds that.
  [[nodiscard]] std::unique_ptr<MemoryStore> backup() const { return disk_->clone(); }
  void restore(const MemoryStore& backup);
  void fail_checkpoints(bool fail) { fail_checkpoints_ = fail; }
  void stall_checkpoints(bool stall) { stalled_ = stall; }
  void set_low_on_space(bool low) { disk_->set_low_on_space(low); }

  [[nodiscard]] std::uint64_t synced_position() const { return synced_; }
  [[nodiscard]] std::uint64_t ingests() const { return ingests_; }

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
  bool low_on_space() const override { return disk_->low_on_space(); }

 private:
  friend class FaultyCheckpoint;
  // One change is about to be made: false if the node dies here instead.
  bool lives();

  std::unique_ptr<MemoryStore> disk_ = std::make_unique<MemoryStore>();
  std::uint64_t fuse_ = 0;  // 0: not armed
  bool dead_ = false;
  bool fail_checkpoints_ = false;
  bool stalled_ = false;
  std::uint64_t synced_ = 0;
  std::uint64_t ingests_ = 0;
};

}  // namespace starling::sim
