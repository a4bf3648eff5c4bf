#include "storage/rocksdb/state_database.h"

#include <utility>

#include <fmt/format.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "crdt/varint.h"
#include "storage/rocksdb/checkpoint_file.h"
#include "storage/rocksdb/errors.h"
#include "storage/rocksdb/object_prefix.h"
#include "storage/rocksdb/slice.h"

namespace starling {
namespace {

constexpr std::uint64_t max_level0_files = 12;
constexpr double bloom_bits_per_key = 10;

// Rows of a snapshot; the store's own are not shown, so both stores look alike.
class StateRows final : public RowIterator {
 public:
  StateRows(rocksdb::DB& database, const rocksdb::Snapshot* snapshot, std::string_view from,
            std::string_view to, std::string where)
      : where_(std::move(where)), to_(to), upper_bound_(to_) {
    rocksdb::ReadOptions read;
    read.snapshot = snapshot;
    if (within_one_object(from, to)) {
      read.prefix_same_as_start = true;  // files without the object are not opened
    } else {
      read.total_order_seek = true;  // or the prefix filter would hide other objects
      read.fill_cache = false;       // a long scan must not push hot blocks out
    }
    if (!to_.empty()) {
      read.iterate_upper_bound = &upper_bound_;
    }
    it_.reset(database.NewIterator(read));
    it_->Seek(slice(from));
    skip_own_rows();
  }

  bool valid() const override { return it_->Valid(); }
  std::string_view key() const override { return view(it_->key()); }
  std::string_view value() const override { return view(it_->value()); }
  void next() override {
    it_->Next();
    skip_own_rows();
  }
  void seek(std::string_view key) override {
    if (it_->Valid() && this->key() < key) {
      it_->Seek(slice(key));
      skip_own_rows();
    }
  }
  StoreResult<void> status() const override {
    if (const auto status = it_->status(); !status.ok()) {
      return std::unexpected(error_from(status, "scanning the state in " + where_));
    }
    return {};
  }

 private:
  void skip_own_rows() {
    while (it_->Valid() && key().starts_with(store_prefix)) {
      it_->Next();
    }
  }

  std::string where_;
  std::string to_;
  rocksdb::Slice upper_bound_;  // into to_; the iterator points at it
  std::unique_ptr<rocksdb::Iterator> it_;
};

}  // namespace

class StateCut final : public Cut {
 public:
  StateCut(const StateDatabase& state, const rocksdb::Snapshot* snapshot, std::uint64_t position)
      : state_(state), snapshot_(snapshot), position_(position) {}
  ~StateCut() override { state_.database_->ReleaseSnapshot(snapshot_); }

  std::uint64_t position() const override { return position_; }
  StoreResult<std::optional<std::string>> get(std::string_view key) const override {
    return state_.get_as_of(key, snapshot_);
  }
  // An iterator keeps the files it needs: it may outlive the cut.
  std::unique_ptr<RowIterator> scan(std::string_view from, std::string_view to) const override {
    return std::make_unique<StateRows>(*state_.database_, snapshot_, from, to, state_.where_);
  }

 private:
  const StateDatabase& state_;
  const rocksdb::Snapshot* snapshot_;
  std::uint64_t position_;
};

StateDatabase::StateDatabase(const std::filesystem::path& path, std::filesystem::path incoming,
                             const FreeSpace& free_space, const LogDatabase& log, Options options)
    : where_(path.string()),
      incoming_(std::move(incoming)),
      free_space_(free_space),
      log_(log),
      options_(std::move(options)) {}

StateDatabase::~StateDatabase() {
  if (database_) {
    (void)database_->Close();  // nothing is buffered
  }
}

rocksdb::Options StateDatabase::database_options() const {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = 64 << 10;  // never used
  options.max_background_jobs = 2;
  options.compression = rocksdb::kLZ4Compression;
  options.prefix_extractor = object_prefix_transform();
  options.max_open_files = 512;
  options.max_manifest_file_size = 4 << 20;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // The last iterator over an old file does not delete it on the reader's thread.
  options.avoid_unnecessary_blocking_io = true;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = options_.block_cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(bloom_bits_per_key));
  table.whole_key_filtering = true;  // besides the object prefix
  // Indexes and filters of a large state must fit into --memory like everything else.
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

StoreResult<std::unique_ptr<StateDatabase>> StateDatabase::open(const std::filesystem::path& path,
                                                                std::filesystem::path incoming,
                                                                const FreeSpace& free_space,
                                                                const LogDatabase& log,
                                                                Options options) {
  std::unique_ptr<StateDatabase> state(
      new StateDatabase(path, std::move(incoming), free_space, log, std::move(options)));
  rocksdb::DB* database = nullptr;
  const auto status = rocksdb::DB::Open(state->database_options(), state->where_, &database);
  if (!status.ok()) {
    return std::unexpected(error_from(status, state->doing("opening")));
  }
  state->database_.reset(database);
  if (auto read = state->read_position(); !read) {
    return std::unexpected(read.error());
  }
  return state;
}

StoreResult<void> StateDatabase::read_position() {
  auto row = get(position_key);
  if (!row) {
    return std::unexpected(row.error());
  }
  if (!*row) {
    return {};  // no checkpoint yet
  }
  ByteReader in(**row);
  const std::uint8_t version = in.u8();
  const auto position = in.be<std::uint64_t>();
  if (version != position_row_version || !in.complete()) {
    return std::unexpected(
        error_from(rocksdb::Status::Corruption("the row of W does not decode"), doing("opening")));
  }
  position_ = position;
  return {};
}

StoreResult<std::optional<std::string>> StateDatabase::get(std::string_view key) const {
  return get_as_of(key, nullptr);
}

StoreResult<std::optional<std::string>> StateDatabase::get_as_of(
    std::string_view key, const rocksdb::Snapshot* snapshot) const {
  rocksdb::ReadOptions read;
  read.snapshot = snapshot;
  std::string value;
  const auto status = database_->Get(read, slice(key), &value);
  if (status.IsNotFound()) {
    return std::nullopt;
  }
  if (!status.ok()) {  // never "not found" (bad-inputs.md 133)
    return std::unexpected(error_from(status, doing("reading a row of")));
  }
  return value;
}

std::unique_ptr<Cut> StateDatabase::cut() const {
  const std::lock_guard lock(ingest_or_cut_);
  return std::make_unique<StateCut>(*this, database_->GetSnapshot(), position_);
}

StoreResult<std::unique_ptr<CheckpointWriter>> StateDatabase::begin_checkpoint(
    std::uint64_t position) {
  if (position < position_) {
    return std::unexpected(refused(
        fmt::format("a checkpoint at {} cannot follow the one at {}", position, position_.load())));
  }
  if (stalled()) {
    return std::unexpected(
        refused(fmt::format("the state in {} is behind with compaction; try later", where_)));
  }
  if (free_space_.exhausted()) {
    return std::unexpected(StoreError{
        StoreError::Code::no_space,
        fmt::format("no checkpoint for {}: the disk is nearly full; free space", where_)});
  }
  if (writing_.exchange(true)) {
    return std::unexpected(refused("another checkpoint is being written"));
  }
  auto file = std::make_unique<CheckpointFile>(*this, position);
  if (auto opened = file->open(); !opened) {
    return std::unexpected(opened.error());
  }
  return file;
}

StoreResult<void> StateDatabase::ingest(const std::string& file, std::uint64_t position) {
  if (position > log_.synced()) {
    return std::unexpected(
        refused(fmt::format("a checkpoint at {} must wait: the log is durable only up to {}",
                            position, log_.synced())));
  }
  rocksdb::IngestExternalFileOptions how;
  how.move_files = true;
  how.failed_move_fall_back_to_copy = false;
  how.snapshot_consistency = true;
  how.allow_global_seqno = true;
  how.write_global_seqno = false;
  how.ingest_behind = false;
  const std::lock_guard lock(ingest_or_cut_);
  // Links the file into state/, syncs it and the directory, then commits it to the synced MANIFEST.
  const auto status = database_->IngestExternalFile({file}, how);
  if (!status.ok()) {
    return std::unexpected(error_from(status, doing("ingesting a checkpoint into")));
  }
  hit(options_.failpoint, "checkpoint visible");
  position_ = position;
  hit(options_.failpoint, "checkpoint ingested");
  return {};
}

bool StateDatabase::stalled() const {
  std::uint64_t level0_files = 0;
  std::uint64_t pending_bytes = 0;
  database_->GetIntProperty("rocksdb.num-files-at-level0", &level0_files);
  database_->GetIntProperty(rocksdb::DB::Properties::kEstimatePendingCompactionBytes,
                            &pending_bytes);
  return level0_files > max_level0_files || pending_bytes > options_.pending_compaction_limit_bytes;
}

std::string StateDatabase::doing(std::string_view what) const {
  return fmt::format("{} the state in {}", what, where_);
}

}  // namespace starling
