// log/: records at consecutive positions and facts, in a RocksDB whose write-ahead log is on
// (R5.1).
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <rocksdb/cache.h>
#include <rocksdb/db.h>

#include "storage/rocksdb/failpoint.h"
#include "storage/store.h"

namespace starling {

class DropBelowFloor;

// Keys: 'f' + fact name, 'l' + position u64 big endian (docs/storage-format.md). Records below the
// floor are not there, whether or not RocksDB has dropped them already.
// Runs on: core strand for `append`, `read_record` and facts, log-sync thread for `sync`; `bounds`
// and `truncate` anywhere, one truncation at a time.
class LogDatabase {
 public:
  struct Options {
    std::shared_ptr<rocksdb::Cache> block_cache;
    std::size_t write_buffer_bytes = 0;
    // Keep what precedes a damaged place in the write-ahead log instead of refusing.
    bool accept_loss = false;
    Failpoint failpoint;
  };

  [[nodiscard]] static StoreResult<std::unique_ptr<LogDatabase>> open(
      const std::filesystem::path& path, Options options);
  ~LogDatabase();

  // What RocksDB had to leave out to open at all; only with `accept_loss`.
  [[nodiscard]] const std::optional<std::string>& left_out() const { return left_out_; }

  // -- at open, before anything else (R5.4) --
  // What truncation stored; no record below it is there.
  [[nodiscard]] std::uint64_t floor() const { return floor_; }
  // First position in (after, last] that has no record; nullopt if there is none.
  [[nodiscard]] StoreResult<std::optional<std::uint64_t>> gap_after(std::uint64_t after) const;
  // Goes on at `last` + 1 although the log is empty.
  void continue_after(std::uint64_t last);
  // Durably drops every record outside [first, last], bounds included.
  [[nodiscard]] StoreResult<void> keep_only(std::uint64_t first, std::uint64_t last);

  [[nodiscard]] StoreResult<void> append(std::uint64_t position, std::string_view record);
  [[nodiscard]] StoreResult<std::uint64_t> sync();
  [[nodiscard]] StoreResult<std::optional<std::string>> read_record(std::uint64_t position) const;
  [[nodiscard]] LogBounds bounds() const { return {first_.load(), last_.load()}; }
  // Everything up to here survives a power cut.
  [[nodiscard]] std::uint64_t synced() const { return synced_; }
  [[nodiscard]] StoreResult<void> truncate(std::uint64_t first_kept);

  [[nodiscard]] StoreResult<void> put_fact(std::string_view name, std::string_view value);
  [[nodiscard]] StoreResult<std::optional<std::string>> get_fact(std::string_view name) const;

 private:
  LogDatabase(std::string where, Options options);

  [[nodiscard]] rocksdb::Options database_options() const;
  [[nodiscard]] rocksdb::Status open_database();
  [[nodiscard]] StoreResult<void> find_bounds();
  [[nodiscard]] StoreResult<void> store_floor(std::uint64_t floor);
  [[nodiscard]] StoreResult<void> drop_files_below(std::uint64_t floor);
  [[nodiscard]] std::string doing(std::string_view what) const;

  std::string where_;
  Options options_;
  std::optional<std::string> left_out_;
  std::unique_ptr<DropBelowFloor> drop_below_floor_;  // used by the database: outlives it
  std::unique_ptr<rocksdb::DB> database_;
  std::uint64_t floor_ = 1;  // as found at open
  std::atomic<std::uint64_t> first_ = 1;
  std::atomic<std::uint64_t> last_ = 0;
  std::atomic<std::uint64_t> synced_ = 0;
  std::atomic<bool> failed_ = false;
};

}  // namespace starling
