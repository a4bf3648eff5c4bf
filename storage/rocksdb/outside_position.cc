#include "storage/rocksdb/outside_position.h"

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <xxhash.h>

#include "storage/rocksdb/errors.h"

namespace starling {
namespace {

constexpr std::size_t digits = 20;

}  // namespace

std::string encode_outside_position(std::uint64_t position) {
  const std::string number = fmt::format("{:020}", position);
  return fmt::format("{} {:016x}\n", number, XXH3_64bits(number.data(), number.size()));
}

std::optional<std::uint64_t> decode_outside_position(std::string_view bytes) {
  if (bytes.size() < digits) {
    return std::nullopt;
  }
  std::uint64_t position = 0;
  const char* const begin = bytes.data();
  const char* const end = begin + digits;
  if (std::from_chars(begin, end, position).ptr != end ||
      bytes != encode_outside_position(position)) {
    return std::nullopt;
  }
  return position;
}

StoreResult<OutsidePosition> OutsidePosition::open(const std::filesystem::path& path) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.is_open()) {
    return std::unexpected(error_from_errno("opening", path));
  }
  auto bytes = read_small_file(path);
  if (!bytes) {
    return std::unexpected(bytes.error());
  }
  return OutsidePosition(path, std::move(file), decode_outside_position(*bytes));
}

StoreResult<void> OutsidePosition::write(std::uint64_t position) {
  const std::string bytes = encode_outside_position(position);
  errno = ENOSPC;  // what a short write means here
  if (::pwrite(file_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return std::unexpected(error_from_errno("writing", path_));
  }
  return {};
}

}  // namespace starling
