// Everybody at the client door: who they are, what they wait for, how much they may hold.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "server/metrics.h"
#include "server/net/connection.h"
#include "server/net/core.h"

namespace starling::net {

class ClientSession;

// Runs on: core strand.
class ClientDoor {
 public:
  struct Limits {
    std::size_t clients = 10'000;    // more are told so and closed
    std::size_t in_flight = 10'000;  // requests of one client; beyond it its socket is not read
    std::size_t unsent = 64u << 20;  // replies of one client; beyond it that client is cut off
    std::size_t held = 512u << 20;   // of all clients, both directions; the largest is cut off
    std::uint64_t hello_us = 10'000'000;  // from connection to the first message
    std::uint64_t linger_us = 2'000'000;  // to read our last words
    std::size_t lingering = 64;           // more are closed without waiting
  };

  ClientDoor(Core& core, Limits limits, ShellCounters& counters, Rejections& rejections);
  ~ClientDoor();

  void accept(std::unique_ptr<Connection> connection);
  void reply(replica::Reply reply);
  // Sends what the replies of this tick have gathered; what they made room for is read again.
  void flush();
  // Once a second: deadlines, and what sockets have taken meanwhile.
  void sweep();
  // Answers what is in flight, then closes. Nobody is accepted any more.
  void drain();
  [[nodiscard]] bool empty() const { return sessions_.empty(); }

 private:
  friend class ClientSession;
  using Serial = std::uint32_t;

  void flush_after_tick(const ClientSession& session);
  void remove(ClientSession& session);
  void account(ClientSession& session);
  void cut_off_the_largest();
  [[nodiscard]] Serial next_serial();

  Core& core_;
  Limits limits_;
  ShellCounters& counters_;
  Rejections& rejections_;
  std::unordered_map<Serial, std::unique_ptr<ClientSession>> sessions_;
  // Removed during a call from their own connection; destroyed when no such call is under way.
  std::vector<std::unique_ptr<ClientSession>> graveyard_;
  std::vector<Serial> answered_;  // in this tick, or waiting for its end
  Serial last_serial_ = 0;
  std::size_t lingering_ = 0;
  std::size_t held_ = 0;
  bool draining_ = false;
};

}  // namespace starling::net
