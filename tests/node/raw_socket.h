// A TCP client that sends exactly what a test tells it to.
#pragma once

#include <arpa/inet.h>
#include <chrono>
#include <cstdint>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace starling::test {

class RawSocket {
 public:
  explicit RawSocket(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(fd_);
      throw std::runtime_error("cannot connect to port " + std::to_string(port));
    }
  }
  RawSocket(RawSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RawSocket& operator=(RawSocket&&) = delete;
  ~RawSocket() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) {
        return;  // closed by the other side: what it said says why
      }
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void end() { ::shutdown(fd_, SHUT_WR); }

  // Until the other side closes, `enough(text)` holds, or nothing came for `patience`.
  template <typename Enough>
  std::string receive(Enough enough, std::chrono::milliseconds patience = std::chrono::seconds(5)) {
    std::string text;
    closed_ = false;
    while (!enough(text)) {
      pollfd event{fd_, POLLIN, 0};
      if (::poll(&event, 1, static_cast<int>(patience.count())) <= 0) {
        return text;
      }
      char buffer[4096];
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) {
        closed_ = true;
        return text;
      }
      text.append(buffer, static_cast<std::size_t>(n));
    }
    return text;
  }
  std::string receive_all(std::chrono::milliseconds patience = std::chrono::seconds(5)) {
    return receive([](const std::string&) { return false; }, patience);
  }
  // After a receive: it ended because the other side closed.
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  int fd_;
  bool closed_ = false;
};

}  // namespace starling::test
