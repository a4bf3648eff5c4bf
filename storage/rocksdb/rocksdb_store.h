// The store on disk: two RocksDB databases in one locked directory (docs/storage-format.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "storage/rocksdb/failpoint.h"
#include "storage/store.h"

namespace starling {

struct RocksDbOptions {
  std::size_t block_cache_bytes = 64 << 20;  // shared by both databases
  std::size_t log_write_buffer_bytes = 4 << 20;
  std::uint64_t pending_compaction_limit_bytes = std::uint64_t{8} << 30;
  // Client writes are refused below it. Unset: 1 % of the disk, from 16 MiB to 64 MiB, at least
  // four write buffers.
  std::optional<std::uint64_t> free_space_reserve_bytes;
  // A sole member opens a damaged directory and continues with what is left of it (R5.4).
  bool accept_loss = false;
  Failpoint failpoint;  // crash tests only

  // The parts of --memory that belong to the store.
  [[nodiscard]] static RocksDbOptions for_memory(std::uint64_t bytes);
};

// See Store for who may call what. Closing keeps everything the operating system was given.
class RocksDbStore final : public Store {
 public:
  using Options = RocksDbOptions;

  // Refuses a directory that is foreign, newer, in use or damaged; the message says which and what
  // to do. A directory loses nothing by being refused.
  [[nodiscard]] static StoreResult<std::unique_ptr<RocksDbStore>> open(
      const std::filesystem::path& directory, const Options& options = {});
  ~RocksDbStore() override;

  // What was found damaged and given up under `accept_loss`.
  [[nodiscard]] const std::optional<std::string>& accepted_damage() const;

  StoreResult<void> append(std::uint64_t position, std::string_view record) override;
  StoreResult<std::uint64_t> sync() override;
  StoreResult<std::optional<std::string>> read_record(std::uint64_t position) const override;
  LogBounds bounds() const override;
  StoreResult<void> truncate(std::uint64_t first_kept) override;

  std::uint64_t state_position() const override;
  StoreResult<std::optional<std::string>> get(std::string_view key) const override;
  std::unique_ptr<Cut> cut() const override;
  StoreResult<std::unique_ptr<CheckpointWriter>> begin_checkpoint(std::uint64_t position) override;
  bool checkpoint_stalled() const override;

  StoreResult<void> put_fact(std::string_view name, std::string_view value) override;
  StoreResult<std::optional<std::string>> get_fact(std::string_view name) const override;

  bool has_room(std::uint64_t bytes) const override;

 private:
  struct Parts;
  explicit RocksDbStore(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;  // keeps RocksDB's headers out of this one
};

}  // namespace starling
