// The connections between nodes: those that came and those that we dialed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "server/metrics.h"
#include "server/net/connection.h"
#include "server/net/core.h"
#include "wire/frame.h"

namespace starling::net {

// Carries frames (docs/peer-protocol.md); what they mean is the core's business.
// Runs on: core strand.
class PeerDoor {
 public:
  struct Limits {
    std::size_t connections = 1024;       // more are closed
    std::size_t unsent = 160u << 20;      // the core's credit stays below; beyond it we close
    std::uint64_t hello_us = 10'000'000;  // from connection to the first message
    std::uint64_t linger_us = 2'000'000;  // to send the last words
  };

  PeerDoor(Core& core, Limits limits, ShellCounters& counters, Rejections& rejections);
  ~PeerDoor();

  void accept(std::unique_ptr<Connection> connection);
  void dialed(replica::DialId dial, std::unique_ptr<Connection> connection);
  void send(const replica::Send& send);
  // By the core: sends what is left, then closes.
  void close(replica::Close close);
  void flush();
  void sweep();  // once a second
  [[nodiscard]] bool empty() const { return sessions_.empty(); }

 private:
  class Session;

  void add(std::unique_ptr<Connection> connection, std::optional<replica::DialId> dial);
  void remove(Session& session);

  Core& core_;
  Limits limits_;
  ShellCounters& counters_;
  Rejections& rejections_;
  replica::ConnectionId last_id_ = 0;
  std::unordered_map<replica::ConnectionId, std::unique_ptr<Session>> sessions_;
  std::vector<std::unique_ptr<Session>> graveyard_;  // as in ClientDoor
  std::vector<replica::ConnectionId> written_;       // in this tick
};

}  // namespace starling::net
