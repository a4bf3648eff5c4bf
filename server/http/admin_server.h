// The admin door: /livez /readyz /health /metrics over HTTP.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "server/metrics.h"
#include "server/net/listen.h"
#include "server/snapshot.h"

namespace starling::http {

// Answers from snapshots on a thread of its own, so that it answers while the core recovers, works
// or is stuck. A request must be complete 10 s after its connection was opened or its predecessor
// was answered. Beyond `connections` no more are taken until some are closed.
class AdminServer {
 public:
  struct Options {
    std::filesystem::path data;  // whose disk is shown
    std::uint64_t memory_limit_bytes = 0;
    std::chrono::milliseconds request_timeout{10'000};
    unsigned connections = 512;
  };

  [[nodiscard]] static std::expected<std::unique_ptr<AdminServer>, std::string> open(
      net::ListenSocket socket, Options options, SnapshotBoard& board, Rejections& rejections);
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;
  ~AdminServer();

 private:
  struct Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace starling::http
