// Connections over TCP.
#pragma once

#include <array>
#include <memory>

#include <asio/ip/tcp.hpp>

#include "server/net/connection.h"

namespace starling::net {

// Into which every socket of a loop is read, one at a time.
using ReadBuffer = std::array<char, 64 << 10>;

// The returned handle owns the connection; dropping it closes the socket.
[[nodiscard]] std::unique_ptr<Connection> tcp_connection(asio::ip::tcp::socket socket,
                                                         ReadBuffer& buffer);

}  // namespace starling::net
