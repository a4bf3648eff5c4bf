// How this folder says what went wrong.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <rocksdb/status.h>

#include "storage/store.h"

namespace starling {

// What an operator does about a directory whose bytes are not what was written.
[[nodiscard]] std::string_view restore_advice();
// The same where records of the log are all that is missing.
[[nodiscard]] std::string_view restore_log_advice();

// `doing` names the work and the place: "reading a row of /data/state".
[[nodiscard]] StoreError error_from(const rocksdb::Status& status, std::string_view doing);
// The same for a system call that has just failed.
[[nodiscard]] StoreError error_from_errno(std::string_view doing,
                                          const std::filesystem::path& path);
[[nodiscard]] StoreError refused(std::string message);

}  // namespace starling
