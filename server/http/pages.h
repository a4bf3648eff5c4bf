// What the admin door answers, as pure functions of what is known (docs/operations.md).
#pragma once

#include <string>
#include <string_view>

#include "server/host.h"
#include "server/metrics.h"
#include "server/snapshot.h"

namespace starling::http {

struct Page {
  unsigned status = 200;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct Facts {
  SnapshotBoard::Answer answer;
  ProcessUsage process;
  DiskUsage disk;
  std::uint64_t memory_limit_bytes = 0;  // --memory
  double uptime_seconds = 0;
  double start_unix_seconds = 0;
};

// Should this process be restarted? Only if its loop is stuck.
[[nodiscard]] Page livez(const SnapshotBoard::Answer& answer);
// Should clients be sent here? Never asks whether a majority is.
[[nodiscard]] Page readyz(const SnapshotBoard::Answer& answer);
[[nodiscard]] Page health(const Facts& facts);
[[nodiscard]] Page metrics(const Facts& facts, const Rejections& rejections);

}  // namespace starling::http
