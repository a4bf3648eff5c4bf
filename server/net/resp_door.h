// Redis's clients: sockets on one side, RESP sessions on the other.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "server/metrics.h"
#include "server/net/connection.h"
#include "server/resp/server.h"

namespace starling::net {

class RespConnection;

// Runs on: core strand.
class RespDoor {
 public:
  struct Limits {
    std::size_t clients = 10'000;    // more are told so and closed
    std::size_t unsent = 64u << 20;  // replies of one client; beyond it that client is cut off
    std::size_t held = 512u << 20;   // of all clients, both directions; the largest is cut off
    std::uint64_t partial_us = 60'000'000;  // a request that was begun must go on within this
    std::uint64_t linger_us = 2'000'000;    // to read our last words
    std::size_t lingering = 64;             // more are closed without waiting
  };

  RespDoor(resp::Backend& backend, const resp::Options& options, const Limits& limits,
           ShellCounters& counters, Rejections& rejections);
  ~RespDoor();

  void accept(std::unique_ptr<Connection> connection);
  // Behind the commit of a tick: sends what it has answered; what waited for a tick goes on.
  void flush();
  // Once a second: deadlines, and what sockets have taken meanwhile.
  void sweep();
  // Answers what has been run, then closes. Nobody is accepted any more.
  void drain();
  // Nobody is connected, and nothing goes on for somebody who was.
  [[nodiscard]] bool empty() const;
  [[nodiscard]] resp::Server& server() { return server_; }
  // Clients whose request is not answered at once, since it waits for something. Looks at each.
  [[nodiscard]] std::uint64_t waiting() const;

 private:
  friend class RespConnection;

  void remove(RespConnection& connection);
  void bury();
  void account(RespConnection& connection);
  [[nodiscard]] std::vector<RespConnection*> all() const;

  resp::Backend& backend_;
  resp::Server server_;
  Limits limits_;
  ShellCounters& counters_;
  Rejections& rejections_;
  std::unordered_map<std::uint64_t, std::unique_ptr<RespConnection>> connections_;
  // Removed during a call from their own connection; destroyed when no such call is under way.
  std::vector<std::unique_ptr<RespConnection>> graveyard_;
  std::size_t lingering_ = 0;
  std::size_t held_ = 0;
  bool draining_ = false;
};

}  // namespace starling::net
