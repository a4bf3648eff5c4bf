// The log position that was synced last, kept outside the log (R5.4): what tells an emptied or
// shortened log from an intact one, because RocksDB cannot (reliability.md §0.2).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "storage/rocksdb/small_file.h"
#include "storage/store.h"

namespace starling {

// One line of fixed size: twenty digits, a space, a checksum of them, a newline.
[[nodiscard]] std::string encode_outside_position(std::uint64_t position);
[[nodiscard]] std::optional<std::uint64_t> decode_outside_position(std::string_view bytes);

// The file, rewritten in place without its own fsync: after a power cut it may lag behind the log,
// and as it is written after the log's sync it never leads.
// Runs on: log-sync thread, once opened.
class OutsidePosition {
 public:
  [[nodiscard]] static StoreResult<OutsidePosition> open(const std::filesystem::path& path);

  // What the file said when it was opened; nullopt if it said nothing that can be believed.
  [[nodiscard]] std::optional<std::uint64_t> found() const { return found_; }
  [[nodiscard]] StoreResult<void> write(std::uint64_t position);

 private:
  OutsidePosition(std::filesystem::path path, FileDescriptor file,
                  std::optional<std::uint64_t> found)
      : path_(std::move(path)), file_(std::move(file)), found_(found) {}

  std::filesystem::path path_;
  FileDescriptor file_;
  std::optional<std::uint64_t> found_;
};

}  // namespace starling
