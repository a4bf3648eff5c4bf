// Connects to other nodes.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include <asio/io_context.hpp>

#include "server/net/tcp_connection.h"

namespace starling::net {

using Dialed = std::expected<std::unique_ptr<Connection>, std::string>;

// Resolves host:port and connects to the first of its addresses that answers. `done` is called
// once, later, on the loop; not at all if the loop ends first.
void dial(asio::io_context& context, const std::string& address, std::chrono::milliseconds timeout,
          ReadBuffer& buffer, std::move_only_function<void(Dialed)> done);

}  // namespace starling::net
