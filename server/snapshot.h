// What the admin door shows: an immutable picture that the core strand makes and the HTTP thread
// reads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "server/metrics.h"
#include "server/replica/replica.h"

namespace starling {

struct Snapshot {
  std::string name;
  std::string cluster;
  bool stopping = false;
  replica::View view;
  ShellCounters counters;
  double requests_per_second = 0;
  double cpu_cores = 0;  // kept busy in the last second
};

// Hands snapshots from the core strand to the HTTP thread. There is no traffic while nobody asks.
class SnapshotBoard {
 public:
  struct Answer {
    std::shared_ptr<const Snapshot> snapshot;   // empty: the node is still starting
    std::chrono::steady_clock::duration age{};  // more than `fresh`: the core does not answer
  };
  static constexpr std::chrono::milliseconds fresh{250};
  static constexpr std::chrono::milliseconds patience{1000};

  // From here on `ask` is called, on the HTTP thread, when a newer snapshot is wanted: it makes the
  // core publish one. An empty `ask` ends that.
  void serve(std::function<void()> ask);
  // Runs on: core strand.
  void publish(std::shared_ptr<const Snapshot> snapshot);
  // Waits at most `patience` for the core. Runs on: HTTP thread.
  [[nodiscard]] Answer get();

 private:
  using Clock = std::chrono::steady_clock;

  std::mutex mutex_;
  std::condition_variable published_;
  std::function<void()> ask_;
  std::shared_ptr<const Snapshot> last_;
  Clock::time_point taken_;
  Clock::time_point waited_;  // in vain, at last
};

}  // namespace starling
