// What a replica needs from a disk: a log, a state that only whole checkpoints change, and a few
// durable facts. docs/storage-format.md describes the bytes behind it.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace starling {

struct StoreError {
  enum class Code : std::uint8_t {
    io,          // the operating system refused a read or write
    corruption,  // bytes on disk are not what was written
    no_space,    // the free-space reserve is reached
    refused,     // foreign, newer, locked or damaged directory
    stopped,     // nobody wants the rest of the answer
  };
  Code code = Code::io;
  std::string message;  // what, where, likely cause, what to do
};

template <typename T>
using StoreResult = std::expected<T, StoreError>;

// The log holds records at consecutive positions [first, last]; empty when first > last.
struct LogBounds {
  std::uint64_t first = 1;
  std::uint64_t last = 0;
};

// Ascending walk over rows [from, to) of a cut. `status` tells an end from an error.
class RowIterator {
 public:
  RowIterator() = default;
  RowIterator(const RowIterator&) = delete;
  RowIterator& operator=(const RowIterator&) = delete;
  virtual ~RowIterator() = default;

  [[nodiscard]] virtual bool valid() const = 0;
  [[nodiscard]] virtual std::string_view key() const = 0;
  [[nodiscard]] virtual std::string_view value() const = 0;
  virtual void next() = 0;
  // Goes to the first row of the range that is not before this key; never back.
  virtual void seek(std::string_view key) = 0;
  [[nodiscard]] virtual StoreResult<void> status() const = 0;
};

// The state exactly as of one log position (R5.8): a causal cut, unmoved by later checkpoints.
// May be used on any one thread at a time; must not outlive its store.
class Cut {
 public:
  Cut() = default;
  Cut(const Cut&) = delete;
  Cut& operator=(const Cut&) = delete;
  virtual ~Cut() = default;

  [[nodiscard]] virtual std::uint64_t position() const = 0;  // W
  [[nodiscard]] virtual StoreResult<std::optional<std::string>> get(std::string_view key) const = 0;
  // Rows in [from, to); an empty `to` means no upper bound.
  [[nodiscard]] virtual std::unique_ptr<RowIterator> scan(std::string_view from,
                                                          std::string_view to) const = 0;
};

// One checkpoint being written: rows in strictly ascending key order, then `ingest`, which makes
// all of them and the position durable and visible at once, or none (R5.2). Dropping the writer
// without `ingest` leaves nothing behind.
// Runs on: checkpoint thread.
class CheckpointWriter {
 public:
  CheckpointWriter() = default;
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;
  virtual ~CheckpointWriter() = default;

  [[nodiscard]] virtual StoreResult<void> put(std::string_view key, std::string_view value) = 0;
  [[nodiscard]] virtual StoreResult<void> erase(std::string_view key) = 0;
  // Syncs nothing itself: the log must already be durable up to the checkpoint's position.
  [[nodiscard]] virtual StoreResult<void> ingest() = 0;
};

// Keys that begin with this prefix are the replica's own rows (checkpoint row, log index, …); cell
// keys never do, because group 0xFFFF is reserved (crdt/cell_key.h).
inline constexpr std::string_view meta_prefix{"\xFF\xFF", 2};
// Within it, the store keeps rows of its own under this prefix; nobody else may write there.
inline constexpr std::string_view store_prefix{"\xFF\xFF\x00", 3};

// Threads: `append`, `read_record`, `get`, `put_fact`, `get_fact` on the core strand; `sync` on the
// log-sync thread; `begin_checkpoint` and writers on the checkpoint thread; `cut`, `truncate` and
// `bounds` anywhere. At most one checkpoint is being written at a time.
// A failed `append` or `sync` is final: the caller ends the process (R2.4).
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  // -- log --
  // Appends at bounds().last + 1, which `position` must be. On return the operating system has the
  // bytes: a killed process loses nothing, a power cut may lose what was not synced.
  [[nodiscard]] virtual StoreResult<void> append(std::uint64_t position,
                                                 std::string_view record) = 0;
  // Makes everything appended before the call durable; returns the position up to which it is.
  [[nodiscard]] virtual StoreResult<std::uint64_t> sync() = 0;
  [[nodiscard]] virtual StoreResult<std::optional<std::string>> read_record(
      std::uint64_t position) const = 0;
  [[nodiscard]] virtual LogBounds bounds() const = 0;
  // Drops records below `first_kept`; only ever below the state's position W.
  [[nodiscard]] virtual StoreResult<void> truncate(std::uint64_t first_kept) = 0;

  // -- state --
  // Position of the last ingested checkpoint; 0 in a new directory.
  [[nodiscard]] virtual std::uint64_t state_position() const = 0;
  [[nodiscard]] virtual StoreResult<std::optional<std::string>> get(std::string_view key) const = 0;
  [[nodiscard]] virtual std::unique_ptr<Cut> cut() const = 0;
  // Refuses while the state database is too far behind with compaction: try later.
  [[nodiscard]] virtual StoreResult<std::unique_ptr<CheckpointWriter>> begin_checkpoint(
      std::uint64_t position) = 0;
  // No checkpoint should start now: too many files wait for compaction (R5.2).
  [[nodiscard]] virtual bool checkpoint_stalled() const = 0;

  // -- facts: small, rarely changed, durable before `put_fact` returns --
  [[nodiscard]] virtual StoreResult<void> put_fact(std::string_view name,
                                                   std::string_view value) = 0;
  [[nodiscard]] virtual StoreResult<std::optional<std::string>> get_fact(
      std::string_view name) const = 0;

  // The free-space reserve would stay whole if `bytes` more were appended. While it would not,
  // nothing new is taken in, from clients or from peers, so that the disk never fills up (R2.4).
  [[nodiscard]] virtual bool has_room(std::uint64_t bytes) const = 0;
};

}  // namespace starling
