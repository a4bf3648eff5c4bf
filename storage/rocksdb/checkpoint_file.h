// One checkpoint on its way into state/: a sorted file in incoming/ (R5.2).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <rocksdb/sst_file_writer.h>

#include "storage/rocksdb/state_database.h"

namespace starling {

// Writes rows and the position row into one file, then hands it to the database. Without `ingest`
// the file goes with the object.
// Runs on: checkpoint thread.
class CheckpointFile final : public CheckpointWriter {
 public:
  CheckpointFile(StateDatabase& state, std::uint64_t position);
  ~CheckpointFile() override;

  [[nodiscard]] StoreResult<void> open();

  StoreResult<void> put(std::string_view key, std::string_view value) override;
  StoreResult<void> erase(std::string_view key) override;
  StoreResult<void> ingest() override;

 private:
  [[nodiscard]] StoreResult<void> accept(std::string_view key, std::size_t row_size);
  [[nodiscard]] StoreResult<void> put_position();
  [[nodiscard]] StoreResult<void> checked(const rocksdb::Status& status);

  StateDatabase& state_;
  std::uint64_t position_;
  std::string file_;
  rocksdb::SstFileWriter writer_;
  std::string last_key_;
  std::uint64_t rows_ = 0;
  std::size_t bytes_since_space_check_ = 0;
  bool position_written_ = false;
  bool done_ = false;  // ingested, or failed: no more calls
};

}  // namespace starling
