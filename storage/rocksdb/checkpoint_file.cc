#include "storage/rocksdb/checkpoint_file.h"

#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "crdt/varint.h"
#include "storage/rocksdb/errors.h"
#include "storage/rocksdb/slice.h"

namespace starling {
namespace {

constexpr std::size_t bytes_between_space_checks = 1 << 20;
constexpr std::uint64_t mid_file_row = 64;  // where a crash test may stop us

}  // namespace

CheckpointFile::CheckpointFile(StateDatabase& state, std::uint64_t position)
    : state_(state),
      position_(position),
      file_((state.incoming_ / fmt::format("checkpoint-{:020}.sst", position)).string()),
      // The database's own options, or its filters would not know the rows. The pages stay cached:
      // the next reads want them.
      writer_(rocksdb::EnvOptions(), state.database_->GetOptions(), nullptr,
              /*invalidate_page_cache=*/false) {}

CheckpointFile::~CheckpointFile() {
  std::error_code ignored;  // moved away if it was ingested; else deleted at the next open
  std::filesystem::remove(file_, ignored);
  state_.writing_ = false;
}

StoreResult<void> CheckpointFile::open() {
  if (auto opened = checked(writer_.Open(file_)); !opened) {
    return opened;
  }
  hit(state_.options_.failpoint, "checkpoint begun");
  return {};
}

StoreResult<void> CheckpointFile::put(std::string_view key, std::string_view value) {
  if (auto accepted = accept(key, key.size() + value.size()); !accepted) {
    return accepted;
  }
  return checked(writer_.Put(slice(key), slice(value)));
}

StoreResult<void> CheckpointFile::erase(std::string_view key) {
  if (auto accepted = accept(key, key.size()); !accepted) {
    return accepted;
  }
  return checked(writer_.Delete(slice(key)));
}

StoreResult<void> CheckpointFile::accept(std::string_view key, std::size_t row_size) {
  if (done_) {
    return std::unexpected(refused("this checkpoint was ingested or has failed"));
  }
  if (rows_ > 0 && key <= last_key_) {
    return std::unexpected(refused("checkpoint rows must be in ascending key order"));
  }
  if (key.starts_with(store_prefix)) {
    return std::unexpected(refused("rows under the store's own prefix are the store's"));
  }
  if (!position_written_ && key > position_key) {
    if (auto written = put_position(); !written) {
      return written;
    }
  }
  bytes_since_space_check_ += row_size;
  if (bytes_since_space_check_ >= bytes_between_space_checks) {
    bytes_since_space_check_ = 0;
    if (state_.free_space_.exhausted()) {
      done_ = true;
      return std::unexpected(StoreError{
          StoreError::Code::no_space,
          fmt::format("checkpoint {} was given up: the disk is nearly full; free space", file_)});
    }
  }
  last_key_ = key;
  if (++rows_ == mid_file_row) {
    hit(state_.options_.failpoint, "checkpoint in mid-file");
  }
  return {};
}

StoreResult<void> CheckpointFile::put_position() {
  std::string row;
  put_u8(row, position_row_version);
  put_be(row, position_);
  position_written_ = true;
  return checked(writer_.Put(slice(position_key), row));
}

StoreResult<void> CheckpointFile::ingest() {
  if (done_) {
    return std::unexpected(refused("this checkpoint was ingested or has failed"));
  }
  if (!position_written_) {
    if (auto written = put_position(); !written) {
      return written;
    }
  }
  if (auto finished = checked(writer_.Finish()); !finished) {  // syncs the file
    return finished;
  }
  done_ = true;
  hit(state_.options_.failpoint, "checkpoint file ready");
  return state_.ingest(file_, position_);
}

StoreResult<void> CheckpointFile::checked(const rocksdb::Status& status) {
  if (!status.ok()) {
    done_ = true;
    return std::unexpected(error_from(status, fmt::format("writing checkpoint {}", file_)));
  }
  return {};
}

}  // namespace starling
