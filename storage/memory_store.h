// The store's twin in memory, for tests and the simulator.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "storage/store.h"

namespace starling {

// Behaves as a store on a disk that keeps what was synced: `crash` drops the records appended since
// the last `sync`, as a power cut does. Ingested checkpoints and facts are durable at once.
// Runs on: one thread.
class MemoryStore final : public Store {
 public:
  // An independent store with the same durable content: a cloned disk or a restored backup.
  [[nodiscard]] std::unique_ptr<MemoryStore> clone() const;
  // Power cut: what was not synced is gone. The object lives on as the disk after the crash.
  void crash();
  void set_full(bool full) { full_ = full; }

  StoreResult<void> append(std::uint64_t position, std::string_view record) override;
  StoreResult<std::uint64_t> sync() override;
  StoreResult<std::optional<std::string>> read_record(std::uint64_t position) const override;
  LogBounds bounds() const override;
  StoreResult<void> truncate(std::uint64_t first_kept) override;

  std::uint64_t state_position() const override { return state_position_; }
  StoreResult<std::optional<std::string>> get(std::string_view key) const override;
  std::unique_ptr<Cut> cut() const override;
  StoreResult<std::unique_ptr<CheckpointWriter>> begin_checkpoint(std::uint64_t position) override;
  bool checkpoint_stalled() const override { return false; }

  StoreResult<void> put_fact(std::string_view name, std::string_view value) override;
  StoreResult<std::optional<std::string>> get_fact(std::string_view name) const override;

  bool has_room(std::uint64_t) const override { return !full_; }

 private:
  friend class MemoryCheckpoint;
  using Rows = std::map<std::string, std::string, std::less<>>;

  std::map<std::uint64_t, std::string> log_;
  std::uint64_t log_end_ = 0;  // last position ever appended, also when the log is empty
  std::uint64_t synced_ = 0;
  // Replaced, never changed, by a checkpoint: a cut keeps the map it was opened on.
  std::shared_ptr<const Rows> state_ = std::make_shared<Rows>();
  std::uint64_t state_position_ = 0;
  std::map<std::string, std::string, std::less<>> facts_;
  bool full_ = false;
};

}  // namespace starling
