#include "server/net/acceptor.h"

#include <cerrno>
#include <chrono>
#include <sys/socket.h>
#include <utility>

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

namespace starling::net {
namespace {

using asio::ip::tcp;

// Out of file descriptors or memory: trying again at once would only burn the CPU.
constexpr std::chrono::milliseconds back_off{100};

bool is_hopeless_now(const std::error_code& error) {
  // By number: Asio's category does not map these to std::errc.
  return error.value() == EMFILE || error.value() == ENFILE || error.value() == ENOBUFS ||
         error.value() == ENOMEM;
}

tcp protocol_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  (void)getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4();
}

}  // namespace

struct Acceptor::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::io_context& context, ListenSocket socket, ReadBuffer& read_buffer,
       Accepted on_accepted)
      : acceptor(context), timer(context), buffer(read_buffer), accepted(std::move(on_accepted)) {
    const tcp protocol = protocol_of(socket.fd());
    acceptor.assign(protocol, socket.release());
  }

  void accept() {
    acceptor.async_accept([self = shared_from_this()](std::error_code error, tcp::socket socket) {
      if (!self->acceptor.is_open()) {
        return;
      }
      if (!error) {
        self->accepted(tcp_connection(std::move(socket), self->buffer));
        self->accept();
      } else if (is_hopeless_now(error)) {
        self->accept_later();
      } else {
        self->accept();  // that one was gone before we took it
      }
    });
  }

  void accept_later() {
    timer.expires_after(back_off);
    timer.async_wait([self = shared_from_this()](std::error_code error) {
      if (!error && self->acceptor.is_open()) {
        self->accept();
      }
    });
  }

  tcp::acceptor acceptor;
  asio::steady_timer timer;
  ReadBuffer& buffer;
  Accepted accepted;
};

Acceptor::Acceptor(asio::io_context& context, ListenSocket socket, ReadBuffer& buffer,
                   Accepted accepted)
    : impl_(std::make_shared<Impl>(context, std::move(socket), buffer, std::move(accepted))) {}

Acceptor::~Acceptor() { stop(); }

void Acceptor::start() { impl_->accept(); }

void Acceptor::stop() {
  std::error_code ignored;
  impl_->acceptor.close(ignored);
  impl_->timer.cancel();
}

}  // namespace starling::net
