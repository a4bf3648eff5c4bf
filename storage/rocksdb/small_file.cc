#include "storage/rocksdb/small_file.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "storage/rocksdb/errors.h"

namespace starling {

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

StoreResult<std::string> read_small_file(const std::filesystem::path& path, std::size_t limit) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    return std::unexpected(error_from_errno("opening", path));
  }
  std::string bytes(limit, '\0');
  const ssize_t size = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  if (size < 0) {
    return std::unexpected(error_from_errno("reading", path));
  }
  bytes.resize(static_cast<std::size_t>(size));
  return bytes;
}

StoreResult<void> write_small_file(const std::filesystem::path& path, std::string_view bytes) {
  const std::filesystem::path temporary = path.string() + ".tmp";
  {
    const FileDescriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file.is_open()) {
      return std::unexpected(error_from_errno("creating", temporary));
    }
    errno = ENOSPC;  // what a short write means here
    if (::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
        ::fsync(file.get()) != 0) {
      return std::unexpected(error_from_errno("writing", temporary));
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return std::unexpected(error_from_errno("renaming to", path));
  }
  return sync_directory(path.parent_path());
}

StoreResult<void> sync_directory(const std::filesystem::path& directory) {
  const FileDescriptor file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.is_open() || ::fsync(file.get()) != 0) {
    return std::unexpected(error_from_errno("syncing directory", directory));
  }
  return {};
}

}  // namespace starling
