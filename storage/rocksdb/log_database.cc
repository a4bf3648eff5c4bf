#include "storage/rocksdb/log_database.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/sst_partitioner.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include "crdt/varint.h"
#include "storage/rocksdb/errors.h"
#include "storage/rocksdb/slice.h"

namespace starling {
namespace {

constexpr char fact_tag = 'f';
constexpr char record_tag = 'l';
constexpr std::size_t record_key_size = 1 + sizeof(std::uint64_t);
// The store's own fact; other names may not begin with a zero byte.
constexpr std::string_view floor_fact{"\0floor", 6};

std::string record_key(std::uint64_t position) {
  std::string key(1, record_tag);
  put_be(key, position);
  return key;
}

std::string fact_key(std::string_view name) { return fact_tag + std::string(name); }

std::optional<std::uint64_t> position_of(std::string_view key) {
  if (key.size() != record_key_size || key.front() != record_tag) {
    return std::nullopt;
  }
  return ByteReader(key.substr(1)).be<std::uint64_t>();
}

StoreError no_record(const std::string& where, std::uint64_t position) {
  return {StoreError::Code::corruption,
          fmt::format("log {} has no record at position {} although it must; the bytes on disk are "
                      "damaged; {}",
                      where, position, restore_advice())};
}

}  // namespace

// Compaction drops records below the floor, which is durable before it is set here: a record that
// is gone stays gone after a crash.
class DropBelowFloor final : public rocksdb::CompactionFilter {
 public:
  const char* Name() const override { return "starling.DropBelowFloor"; }
  bool Filter(int /*level*/, const rocksdb::Slice& key, const rocksdb::Slice& /*value*/,
              std::string* /*new_value*/, bool* /*value_changed*/) const override {
    const auto position = position_of(view(key));
    return position && *position < floor_.load(std::memory_order_relaxed);
  }
  void raise(std::uint64_t floor) { floor_ = floor; }

 private:
  std::atomic<std::uint64_t> floor_ = 0;
};

LogDatabase::LogDatabase(std::string where, Options options)
    : where_(std::move(where)),
      options_(std::move(options)),
      drop_below_floor_(std::make_unique<DropBelowFloor>()) {}

LogDatabase::~LogDatabase() {
  if (database_) {
    // What was not synced stays with the operating system, as after a kill.
    (void)database_->Close();
  }
}

rocksdb::Options LogDatabase::database_options() const {
  rocksdb::Options options;
  options.create_if_missing = true;
  // Refuses a damaged middle, accepts a torn tail; the default loses synced records silently
  // (reliability.md §0.1).
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.recycle_log_file_num = 0;
  options.manual_wal_flush = false;
  options.unordered_write = false;
  options.write_buffer_size = options_.write_buffer_bytes;
  options.max_background_jobs = 2;
  options.compression = rocksdb::kLZ4Compression;
  options.compaction_filter = drop_below_floor_.get();
  // Facts in a file of their own: files that hold only records never overlap, so compaction moves
  // them without reading.
  options.sst_partitioner_factory = rocksdb::NewSstPartitionerFixedPrefixFactory(1);
  options.max_open_files = 128;
  options.max_manifest_file_size = 4 << 20;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = options_.block_cache;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::Status LogDatabase::open_database() {
  rocksdb::Options options = database_options();
  rocksdb::DB* database = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, where_, &database);
  if (status.IsCorruption() && options_.accept_loss) {
    left_out_ = status.ToString();
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    status = rocksdb::DB::Open(options, where_, &database);
  }
  database_.reset(database);
  return status;
}

StoreResult<std::unique_ptr<LogDatabase>> LogDatabase::open(const std::filesystem::path& path,
                                                            Options options) {
  std::unique_ptr<LogDatabase> log(new LogDatabase(path.string(), std::move(options)));
  if (const auto status = log->open_database(); status.IsCorruption()) {
    return std::unexpected(refused(fmt::format("the log in {} is damaged: {}; {}", log->where_,
                                               status.ToString(), restore_log_advice())));
  } else if (!status.ok()) {
    return std::unexpected(error_from(status, log->doing("opening")));
  }
  if (auto found = log->find_bounds(); !found) {
    return std::unexpected(found.error());
  }
  return log;
}

StoreResult<void> LogDatabase::find_bounds() {
  auto stored = get_fact(floor_fact);
  if (!stored) {
    return std::unexpected(stored.error());
  }
  std::uint64_t floor = 1;
  if (*stored) {
    ByteReader in(**stored);
    floor = in.be<std::uint64_t>();
    if (!in.complete() || floor == 0) {
      return std::unexpected(
          error_from(rocksdb::Status::Corruption("the floor is not a position"), doing("reading")));
    }
  }
  floor_ = floor;
  drop_below_floor_->raise(floor);
  const std::string first_key = record_key(floor);
  const rocksdb::Slice lower = first_key;
  rocksdb::ReadOptions read;
  read.iterate_lower_bound = &lower;
  const std::unique_ptr<rocksdb::Iterator> it(database_->NewIterator(read));
  LogBounds bounds{floor, floor - 1};
  it->SeekToFirst();
  bool sound = true;
  if (it->Valid()) {
    const auto first = position_of(view(it->key()));
    it->SeekToLast();
    const auto last = it->Valid() ? position_of(view(it->key())) : std::nullopt;
    sound = first && last;
    bounds = {first.value_or(0), last.value_or(0)};
  }
  if (!it->status().ok() || !sound) {
    const auto status =
        it->status().ok() ? rocksdb::Status::Corruption("a key is not a position") : it->status();
    return std::unexpected(error_from(status, doing("reading")));
  }
  first_ = bounds.first;
  last_ = bounds.last;
  synced_ = bounds.last;  // recovery writes what it found into synced files
  return {};
}

StoreResult<std::optional<std::uint64_t>> LogDatabase::gap_after(std::uint64_t after) const {
  const std::uint64_t last = last_;
  std::uint64_t expected = after + 1;
  rocksdb::ReadOptions read;
  read.fill_cache = false;
  read.readahead_size = 2 << 20;
  const std::unique_ptr<rocksdb::Iterator> it(database_->NewIterator(read));
  for (it->Seek(record_key(expected)); it->Valid() && expected <= last; it->Next(), ++expected) {
    if (position_of(view(it->key())) != expected) {
      return expected;
    }
  }
  if (!it->status().ok()) {
    return std::unexpected(error_from(it->status(), doing("reading")));
  }
  return expected <= last ? std::optional(expected) : std::nullopt;
}

void LogDatabase::continue_after(std::uint64_t last) {
  first_ = last + 1;
  last_ = last;
  synced_ = last;
}

StoreResult<void> LogDatabase::keep_only(std::uint64_t first, std::uint64_t last) {
  rocksdb::WriteBatch batch;
  batch.DeleteRange(record_key(0), record_key(first));
  batch.DeleteRange(record_key(last + 1), record_key(UINT64_MAX));
  rocksdb::WriteOptions durable;
  durable.sync = true;
  if (const auto status = database_->Write(durable, &batch); !status.ok()) {
    return std::unexpected(error_from(status, doing("dropping records of")));
  }
  if (auto stored = store_floor(first); !stored) {
    return stored;
  }
  first_ = first;
  last_ = last;
  synced_ = last;
  return {};
}

StoreResult<void> LogDatabase::append(std::uint64_t position, std::string_view record) {
  if (failed_) {
    return std::unexpected(
        StoreError{StoreError::Code::io, fmt::format("log {} failed before; restart", where_)});
  }
  if (position != last_ + 1) {
    return std::unexpected(refused(fmt::format(
        "log positions must be consecutive: expected {}, got {}", last_ + 1, position)));
  }
  rocksdb::WriteBatch batch(record.size() + 32);
  rocksdb::Status status = batch.Put(record_key(position), slice(record));
  if (status.ok()) {
    status = database_->Write(rocksdb::WriteOptions(), &batch);
  }
  if (!status.ok()) {
    failed_ = true;
    return std::unexpected(error_from(status, doing("appending to")));
  }
  last_ = position;
  hit(options_.failpoint, "log appended");
  return {};
}

StoreResult<std::uint64_t> LogDatabase::sync() {
  const std::uint64_t last = last_;
  hit(options_.failpoint, "log before sync");
  // A failed fsync is final: the kernel may have dropped the pages it could not write (R2.4).
  const auto status =
      failed_ ? rocksdb::Status::IOError("the log failed before") : database_->SyncWAL();
  if (!status.ok()) {
    failed_ = true;
    return std::unexpected(error_from(status, doing("syncing")));
  }
  synced_ = last;
  hit(options_.failpoint, "log synced");
  return last;
}

StoreResult<std::optional<std::string>> LogDatabase::read_record(std::uint64_t position) const {
  if (position < first_ || position > last_) {
    return std::nullopt;
  }
  std::string record;
  const auto status = database_->Get(rocksdb::ReadOptions(), record_key(position), &record);
  if (status.ok()) {
    return record;
  }
  if (status.IsNotFound() && position < first_) {  // truncated meanwhile
    return std::nullopt;
  }
  return std::unexpected(status.IsNotFound() ? no_record(where_, position)
                                             : error_from(status, doing("reading")));
}

StoreResult<void> LogDatabase::truncate(std::uint64_t first_kept) {
  if (first_kept <= first_) {
    return {};
  }
  if (auto stored = store_floor(first_kept); !stored) {
    return stored;
  }
  first_ = first_kept;
  hit(options_.failpoint, "truncate floor stored");
  if (auto dropped = drop_files_below(first_kept); !dropped) {
    return dropped;
  }
  hit(options_.failpoint, "truncate files dropped");
  return {};
}

StoreResult<void> LogDatabase::store_floor(std::uint64_t floor) {
  std::string value;
  put_be(value, floor);
  rocksdb::WriteOptions durable;
  durable.sync = true;
  if (const auto status = database_->Put(durable, fact_key(floor_fact), value); !status.ok()) {
    failed_ = true;
    return std::unexpected(error_from(status, doing("storing the floor of")));
  }
  drop_below_floor_->raise(floor);
  return {};
}

// Whole files at once, at no cost per record; what shares a file with kept records goes when
// compaction meets it.
StoreResult<void> LogDatabase::drop_files_below(std::uint64_t floor) {
  const std::string from = record_key(0);
  const std::string to = record_key(floor);
  const rocksdb::Slice begin = from;
  const rocksdb::Slice end = to;
  const auto status = rocksdb::DeleteFilesInRange(database_.get(), database_->DefaultColumnFamily(),
                                                  &begin, &end, /*include_end=*/false);
  if (!status.ok()) {
    return std::unexpected(error_from(status, doing("truncating")));
  }
  return {};
}

StoreResult<void> LogDatabase::put_fact(std::string_view name, std::string_view value) {
  if (name.starts_with('\0')) {
    return std::unexpected(refused("names of facts that begin with a zero byte are the store's"));
  }
  rocksdb::WriteOptions durable;
  durable.sync = true;
  if (const auto status = database_->Put(durable, fact_key(name), slice(value)); !status.ok()) {
    failed_ = true;
    return std::unexpected(error_from(status, doing("storing a fact in")));
  }
  return {};
}

StoreResult<std::optional<std::string>> LogDatabase::get_fact(std::string_view name) const {
  std::string value;
  const auto status = database_->Get(rocksdb::ReadOptions(), fact_key(name), &value);
  if (status.IsNotFound()) {
    return std::nullopt;
  }
  if (!status.ok()) {
    return std::unexpected(error_from(status, doing("reading a fact from")));
  }
  return value;
}

std::string LogDatabase::doing(std::string_view what) const {
  return fmt::format("{} the log in {}", what, where_);
}

}  // namespace starling
