// One running node: builds the parts, gives each what it needs, and takes them down again.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "server/config.h"
#include "server/log.h"

namespace starling {

// Exit codes of kvd besides 0.
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_storage = 2;  // R2.4: the log could not be written

// Runs on: the thread that opened it, which becomes the core strand.
class Node {
 public:
  // Opens the doors' sockets and the data directory and recovers what it holds. The error names
  // what, where, the likely cause and what to do; nothing is left behind.
  [[nodiscard]] static std::expected<std::unique_ptr<Node>, std::string> open(Config config,
                                                                              Log& log);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  // Serves until SIGTERM or SIGINT, or until `stop`, and then ends in good order. `ready` is called
  // once, with the ready line, when clients are served.
  void run(const std::function<void(const std::string&)>& ready);
  // May be called from any thread.
  void stop();

 private:
  class Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace starling
