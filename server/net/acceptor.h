// Takes connections from a door's socket.
#pragma once

#include <functional>
#include <memory>

#include <asio/io_context.hpp>

#include "server/net/listen.h"
#include "server/net/tcp_connection.h"

namespace starling::net {

// Runs on: core strand.
class Acceptor {
 public:
  using Accepted = std::function<void(std::unique_ptr<Connection>)>;

  Acceptor(asio::io_context& context, ListenSocket socket, ReadBuffer& buffer, Accepted accepted);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  ~Acceptor();

  void start();
  // Takes no more, and the port is free again.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace starling::net
