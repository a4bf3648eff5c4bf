// Opening the socket of a door.
#pragma once

#include <expected>
#include <string>

#include "server/net/address.h"

namespace starling::net {

// A socket that listens; closed with its owner.
class ListenSocket {
 public:
  ListenSocket(int fd, Address address) : fd_(fd), address_(std::move(address)) {}
  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&&) = delete;
  ~ListenSocket();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] int release();
  // With the port that port 0 became.
  [[nodiscard]] const Address& address() const { return address_; }

 private:
  int fd_;
  Address address_;
};

// `flag` is what the operator would change: the error names it, the place and the likely cause.
[[nodiscard]] std::expected<ListenSocket, std::string> listen_on(const Address& address,
                                                                 const std::string& flag);

}  // namespace starling::net
