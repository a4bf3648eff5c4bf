// A memory store whose checkpoints can fail, and that says what is read from it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/memory_store.h"

namespace starling::test {

class TestStore final : public Store {
 public:
  TestStore() = default;
  explicit TestStore(std::unique_ptr<MemoryStore> store) : store_(std::move(store)) {}

  bool fail_checkpoints = false;
  bool full = false;                // of the disk
  mutable std::uint64_t reads = 0;  // point reads of the state
  std::uint64_t failed_checkpoints = 0;

  // What a process that starts now would find; a power cut first, unless `synced`.
  [[nodiscard]] std::unique_ptr<TestStore> restarted(bool after_power_cut = false) {
    if (!after_power_cut) {
      (void)store_->sync();
    }
    return std::make_unique<TestStore>(store_->clone());
  }

  StoreResult<void> append(std::uint64_t position, std::string_view record) override {
    return store_->append(position, record);
  }
  StoreResult<std::uint64_t> sync() override { return store_->sync(); }
  StoreResult<std::optional<std::string>> read_record(std::uint64_t position) const override {
    return store_->read_record(position);
  }
  LogBounds bounds() const override { return store_->bounds(); }
  StoreResult<void> truncate(std::uint64_t first_kept) override {
    return store_->truncate(first_kept);
  }
  std::uint64_t state_position() const override { return store_->state_position(); }
  StoreResult<std::optional<std::string>> get(std::string_view key) const override {
    ++reads;
    return store_->get(key);
  }
  std::unique_ptr<Cut> cut() const override { return store_->cut(); }
  StoreResult<std::unique_ptr<CheckpointWriter>> begin_checkpoint(std::uint64_t position) override {
    if (fail_checkpoints) {
      ++failed_checkpoints;
      return std::unexpected(StoreError{StoreError::Code::io, "the disk is on fire"});
    }
    return store_->begin_checkpoint(position);
  }
  bool checkpoint_stalled() const override { return false; }
  StoreResult<void> put_fact(std::string_view name, std::string_view value) override {
    return store_->put_fact(name, value);
  }
  StoreResult<std::optional<std::string>> get_fact(std::string_view name) const override {
    return store_->get_fact(name);
  }
  bool has_room(std::uint64_t) const override { return !full; }

 private:
  std::unique_ptr<MemoryStore> store_ = std::make_unique<MemoryStore>();
};

}  // namespace starling::test
