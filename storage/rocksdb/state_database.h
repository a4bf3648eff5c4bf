// state/: cells and meta rows, in a RocksDB that only ever takes whole checkpoint files (R5.2).
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>

#include "storage/rocksdb/failpoint.h"
#include "storage/rocksdb/free_space.h"
#include "storage/rocksdb/log_database.h"
#include "storage/store.h"

namespace starling {

// Invariant: the content is exactly what the ingested checkpoints add up to, and the row under
// `position_key` says which of them was the last. No memtable is ever written.
// Runs on: `begin_checkpoint` and writers on the checkpoint thread, reads on any thread.
class StateDatabase {
 public:
  struct Options {
    std::shared_ptr<rocksdb::Cache> block_cache;
    std::uint64_t pending_compaction_limit_bytes = 0;
    Failpoint failpoint;
  };

  // `incoming` is on the same file system: files move into the database without a copy.
  [[nodiscard]] static StoreResult<std::unique_ptr<StateDatabase>> open(
      const std::filesystem::path& path, std::filesystem::path incoming,
      const FreeSpace& free_space, const LogDatabase& log, Options options);
  ~StateDatabase();

  [[nodiscard]] std::uint64_t position() const { return position_; }  // W
  [[nodiscard]] StoreResult<std::optional<std::string>> get(std::string_view key) const;
  [[nodiscard]] std::unique_ptr<Cut> cut() const;
  [[nodiscard]] StoreResult<std::unique_ptr<CheckpointWriter>> begin_checkpoint(
      std::uint64_t position);
  [[nodiscard]] bool stalled() const;

 private:
  friend class CheckpointFile;
  friend class StateCut;

  StateDatabase(const std::filesystem::path& path, std::filesystem::path incoming,
                const FreeSpace& free_space, const LogDatabase& log, Options options);

  [[nodiscard]] rocksdb::Options database_options() const;
  [[nodiscard]] StoreResult<void> read_position();
  // All rows of the file and the position become visible and durable, or none does.
  [[nodiscard]] StoreResult<void> ingest(const std::string& file, std::uint64_t position);
  [[nodiscard]] StoreResult<std::optional<std::string>> get_as_of(
      std::string_view key, const rocksdb::Snapshot* snapshot) const;
  [[nodiscard]] std::string doing(std::string_view what) const;

  std::string where_;
  std::filesystem::path incoming_;
  const FreeSpace& free_space_;
  const LogDatabase& log_;  // asked how far it is durable: log before state (R5.2)
  Options options_;
  std::unique_ptr<rocksdb::DB> database_;
  // Over ingest and snapshot creation: a cut's position is the position of its snapshot.
  mutable std::mutex ingest_or_cut_;
  std::atomic<std::uint64_t> position_ = 0;
  std::atomic<bool> writing_ = false;  // at most one checkpoint at a time
};

// The store's row that holds W: version byte, then W as u64 big endian.
inline constexpr std::string_view position_key{"\xFF\xFF\x00W", 4};
inline constexpr std::uint8_t position_row_version = 0;

}  // namespace starling
