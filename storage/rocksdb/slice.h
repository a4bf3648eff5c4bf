// Bytes as RocksDB takes and gives them.
#pragma once

#include <string_view>

#include <rocksdb/slice.h>

namespace starling {

[[nodiscard]] inline rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
[[nodiscard]] inline std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

}  // namespace starling
