#include "storage/rocksdb/rocksdb_store.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/errors.h"
#include "storage/rocksdb/free_space.h"
#include "storage/rocksdb/log_database.h"
#include "storage/rocksdb/outside_position.h"
#include "storage/rocksdb/state_database.h"

namespace starling {

// In the order of dependence: what is declared first is closed last, the directory's lock at the
// end.
struct RocksDbStore::Parts {
  Parts(Directory directory_opened, OutsidePosition outside_opened, const Options& options)
      : directory(std::move(directory_opened)),
        free_space(directory.path(), options.free_space_reserve_bytes,
                   options.log_write_buffer_bytes),
        outside(std::move(outside_opened)) {}

  [[nodiscard]] StoreResult<void> open_databases(const Options& options);
  [[nodiscard]] StoreResult<void> check_damage(bool accept_loss);

  Directory directory;
  FreeSpace free_space;
  OutsidePosition outside;
  // The log-sync thread and the checkpoint thread both sync; the outside position never goes back.
  std::mutex one_sync;
  Failpoint failpoint;
  std::unique_ptr<LogDatabase> log;
  std::unique_ptr<StateDatabase> state;
  std::optional<std::string> accepted_damage;
};

namespace {

// What R5.4 compares: the log, the state's W and the position kept outside both.
struct Evidence {
  std::uint64_t floor = 1;
  LogBounds log;
  std::uint64_t w = 0;
  std::optional<std::uint64_t> outside;
  std::optional<std::uint64_t> gap;  // first missing position in (W, log.last]

  [[nodiscard]] bool log_is_empty() const { return log.first > log.last; }

  // RocksDB does not sync one write-ahead log file before it begins the next, and recovery accepts
  // a torn tail in each: a power cut may leave unsynced records behind lost ones. Like any torn
  // tail they were never promised, as long as the outside position lies before the gap.
  [[nodiscard]] bool tail_is_torn() const {
    return gap && outside && *outside < *gap && floor <= w + 1;
  }
};

// Why the directory cannot prove that it is complete; nullopt if it can.
std::optional<std::string> find_damage(const Evidence& found) {
  if (found.tail_is_torn()) {
    return std::nullopt;
  }
  if (found.log.first > found.w + 1) {
    return fmt::format("its log begins at {} but the state ends at {}: records between are lost",
                       found.log.first, found.w);
  }
  if (!found.log_is_empty() && found.log.last < found.w) {
    return fmt::format("its log ends at {}, before the state at {}: its end is lost",
                       found.log.last, found.w);
  }
  if (found.gap) {
    return fmt::format("its log has no record at {} of {}..{}", *found.gap, found.w + 1,
                       found.log.last);
  }
  if (!found.outside) {
    return std::string(
        "its file `outside` is missing or unreadable, so nothing proves that the log "
        "is complete");
  }
  if (const std::uint64_t end = std::max(found.log.last, found.w); *found.outside > end) {
    return fmt::format("its log ends at {} although {} was synced: its end is lost", end,
                       *found.outside);
  }
  return std::nullopt;
}

// Keeps the longest part of the log that continues the state.
StoreResult<void> keep_what_continues(LogDatabase& log, const Evidence& found) {
  const std::uint64_t end = found.gap ? *found.gap - 1 : found.log.last;
  const bool continues = found.log.first <= found.w + 1 && end >= found.w;
  return continues ? log.keep_only(found.log.first, end) : log.keep_only(found.w + 1, found.w);
}

// A shard must hold the filter of a whole state file (some MiB), or that is read from disk again
// for every key: 150 us instead of 5 [measured with RocksDB's default of 64 shards].
std::shared_ptr<rocksdb::Cache> new_block_cache(std::size_t bytes) {
  constexpr std::size_t least_shard_bytes = 32 << 20;
  int shard_bits = 0;
  while (shard_bits < 6 && (bytes >> (shard_bits + 1)) >= least_shard_bytes) {
    ++shard_bits;
  }
  return rocksdb::NewLRUCache(bytes, shard_bits);
}

// Bytes that are not what was written make the whole directory unusable.
StoreError as_refusal(StoreError error, const std::filesystem::path& directory) {
  if (error.code == StoreError::Code::corruption) {
    return refused(
        fmt::format("data directory {} is damaged: {}", directory.string(), error.message));
  }
  return error;
}

}  // namespace

StoreResult<void> RocksDbStore::Parts::open_databases(const Options& options) {
  const auto cache = new_block_cache(options.block_cache_bytes);
  auto opened_log = LogDatabase::open(directory.log(), {cache, options.log_write_buffer_bytes,
                                                        options.accept_loss, options.failpoint});
  if (!opened_log) {
    return std::unexpected(as_refusal(opened_log.error(), directory.path()));
  }
  log = std::move(*opened_log);
  auto opened_state =
      StateDatabase::open(directory.state(), directory.incoming(), free_space, *log,
                          {cache, options.pending_compaction_limit_bytes, options.failpoint});
  if (!opened_state) {
    return std::unexpected(as_refusal(opened_state.error(), directory.path()));
  }
  state = std::move(*opened_state);
  failpoint = options.failpoint;
  return sync_directory(directory.path());  // RocksDB has just made log/ and state/ in it
}

StoreResult<void> RocksDbStore::Parts::check_damage(bool accept_loss) {
  const std::uint64_t w = state->position();
  const auto gap = log->gap_after(w);
  if (!gap) {
    return std::unexpected(as_refusal(gap.error(), directory.path()));
  }
  const Evidence found{log->floor(), log->bounds(), w, outside.found(), *gap};
  const auto damage = find_damage(found);
  accepted_damage = damage ? damage : log->left_out();
  if (damage && !accept_loss) {
    return std::unexpected(
        refused(fmt::format("data directory {} is damaged: {}; {}", directory.path().string(),
                            *damage, restore_log_advice())));
  }
  if (damage || found.tail_is_torn()) {
    if (auto kept = keep_what_continues(*log, found); !kept) {
      return kept;
    }
  }
  if (log->bounds().last < w) {
    log->continue_after(w);  // emptied, yet nothing the state lacks was ever synced (R5.4)
  }
  return outside.write(log->synced());
}

RocksDbOptions RocksDbOptions::for_memory(std::uint64_t bytes) {
  RocksDbOptions options;
  options.block_cache_bytes = std::clamp<std::uint64_t>(bytes / 8, 8 << 20, std::uint64_t{4} << 30);
  options.log_write_buffer_bytes = std::clamp<std::uint64_t>(bytes / 64, 1 << 20, 16 << 20);
  return options;
}

RocksDbStore::RocksDbStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
RocksDbStore::~RocksDbStore() = default;

StoreResult<std::unique_ptr<RocksDbStore>> RocksDbStore::open(const std::filesystem::path& path,
                                                              const Options& options) {
  auto directory = Directory::open(path);
  if (!directory) {
    return std::unexpected(directory.error());
  }
  auto outside = OutsidePosition::open(directory->outside());
  if (!outside) {
    return std::unexpected(outside.error());
  }
  std::unique_ptr<Parts> parts =
      std::make_unique<Parts>(std::move(*directory), std::move(*outside), options);
  if (parts->free_space.exhausted()) {
    return std::unexpected(StoreError{
        StoreError::Code::no_space,
        fmt::format("data directory {} is on a disk that is nearly full; free space on it "
                    "and start again",
                    parts->directory.path().string())});
  }
  if (auto opened = parts->open_databases(options); !opened) {
    return std::unexpected(opened.error());
  }
  if (auto checked = parts->check_damage(options.accept_loss); !checked) {
    return std::unexpected(checked.error());
  }
  return std::unique_ptr<RocksDbStore>(new RocksDbStore(std::move(parts)));
}

const std::optional<std::string>& RocksDbStore::accepted_damage() const {
  return parts_->accepted_damage;
}

StoreResult<void> RocksDbStore::append(std::uint64_t position, std::string_view record) {
  // RocksDB aborts the process when it meets a full disk: stop before it does.
  if (parts_->free_space.exhausted()) {
    return std::unexpected(StoreError{
        StoreError::Code::no_space,
        fmt::format("record {} was not written: the disk of {} is nearly full; free space "
                    "and start again",
                    position, parts_->directory.path().string())});
  }
  auto appended = parts_->log->append(position, record);
  if (appended) {
    parts_->free_space.spend(record.size());
  } else {
    parts_->free_space.ask_again();
  }
  return appended;
}

StoreResult<std::uint64_t> RocksDbStore::sync() {
  const std::lock_guard lock(parts_->one_sync);
  auto synced = parts_->log->sync();
  if (!synced) {
    return synced;
  }
  if (auto written = parts_->outside.write(*synced); !written) {
    return std::unexpected(written.error());
  }
  hit(parts_->failpoint, "outside written");
  return synced;
}

StoreResult<std::optional<std::string>> RocksDbStore::read_record(std::uint64_t position) const {
  return parts_->log->read_record(position);
}

LogBounds RocksDbStore::bounds() const { return parts_->log->bounds(); }

StoreResult<void> RocksDbStore::truncate(std::uint64_t first_kept) {
  // What is not in the state yet is only in the log (R5.7).
  return parts_->log->truncate(std::min(first_kept, parts_->state->position() + 1));
}

std::uint64_t RocksDbStore::state_position() const { return parts_->state->position(); }

StoreResult<std::optional<std::string>> RocksDbStore::get(std::string_view key) const {
  return parts_->state->get(key);
}

std::unique_ptr<Cut> RocksDbStore::cut() const { return parts_->state->cut(); }

StoreResult<std::unique_ptr<CheckpointWriter>> RocksDbStore::begin_checkpoint(
    std::uint64_t position) {
  return parts_->state->begin_checkpoint(position);
}

bool RocksDbStore::checkpoint_stalled() const { return parts_->state->stalled(); }

StoreResult<void> RocksDbStore::put_fact(std::string_view name, std::string_view value) {
  return parts_->log->put_fact(name, value);
}

StoreResult<std::optional<std::string>> RocksDbStore::get_fact(std::string_view name) const {
  return parts_->log->get_fact(name);
}

bool RocksDbStore::has_room(std::uint64_t bytes) const {
  return parts_->free_space.has_room(bytes);
}

}  // namespace starling
