// What the RESP door needs from the node it belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "server/replica/replica.h"

namespace starling::resp {

// Figures for INFO, and what CONFIG GET shows of the node's own options.
struct NodeFacts {
  std::string version;
  std::string name;
  std::string system;  // "Linux 6.1.0 x86_64"
  std::uint16_t port = 0;
  std::uint64_t uptime_seconds = 0;
  std::uint64_t memory_bytes = 0;  // resident
  std::uint64_t memory_peak_bytes = 0;
  std::uint64_t memory_limit = 0;         // --memory
  std::uint64_t system_memory_bytes = 0;  // of the machine, or what a cgroup leaves of it
  std::uint64_t user_cpu_us = 0;
  std::uint64_t system_cpu_us = 0;
  std::uint64_t process = 0;
  std::uint64_t durable_until_unix_s = 0;  // everything accepted up to then is on disk
  // Of this door.
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t connections_rejected = 0;
  std::uint64_t commands_per_second = 0;
  std::vector<std::pair<std::string, std::string>> options;  // as CONFIG GET answers
};

// Runs on: core strand.
class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  [[nodiscard]] virtual replica::Replica& replica() = 0;
  [[nodiscard]] virtual replica::Now now() const = 0;
  // Replies were written: a tick must come and let them go. `bytes` is what the request weighed.
  virtual void want_tick(std::size_t bytes) = 0;
  // Somebody waits, and for this moment (monotonic) at the latest: a tick must come then.
  virtual void wake_by(std::uint64_t monotonic_us) = 0;
  [[nodiscard]] virtual bool tick_is_full() const = 0;
  // A random number for SRANDMEMBER and its like; the core has none of its own.
  [[nodiscard]] virtual std::uint64_t random() = 0;
  [[nodiscard]] virtual NodeFacts facts() const = 0;
  // SHUTDOWN: the node stops as on SIGTERM.
  virtual void shut_down() = 0;
};

}  // namespace starling::resp
