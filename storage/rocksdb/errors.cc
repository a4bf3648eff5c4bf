#include "storage/rocksdb/errors.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace starling {
namespace {

StoreError io_or_no_space(bool no_space, std::string what) {
  if (no_space) {
    return {StoreError::Code::no_space,
            std::move(what) + "; free space on this disk and start again"};
  }
  return {StoreError::Code::io,
          std::move(what) + "; check the disk, its permissions and the kernel log"};
}

}  // namespace

std::string_view restore_advice() {
  return "restore this node from its peers: start it with an empty directory and --join";
}

std::string_view restore_log_advice() {
  return "restore this node from its peers: start it with an empty directory and --join; a sole "
         "member can continue with what is left of the log: --accept-loss";
}

StoreError error_from(const rocksdb::Status& status, std::string_view doing) {
  std::string what = fmt::format("{} failed: {}", doing, status.ToString());
  if (status.IsCorruption() || status.IsNotFound()) {
    return {StoreError::Code::corruption,
            fmt::format("{}; the bytes on disk are damaged; {}", what, restore_advice())};
  }
  return io_or_no_space(status.IsNoSpace(), std::move(what));
}

StoreError error_from_errno(std::string_view doing, const std::filesystem::path& path) {
  const int error = errno;
  return io_or_no_space(error == ENOSPC || error == EDQUOT,
                        fmt::format("{} {} failed: {}", doing, path.string(),
                                    std::generic_category().message(error)));
}

StoreError refused(std::string message) { return {StoreError::Code::refused, std::move(message)}; }

}  // namespace starling
