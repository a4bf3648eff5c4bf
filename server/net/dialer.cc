#include "server/net/dialer.h"

#include <utility>

#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include "server/net/address.h"

namespace starling::net {
namespace {

using asio::ip::tcp;

// Kept alive by its own operations.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(asio::io_context& context, ReadBuffer& buffer, std::move_only_function<void(Dialed)> done)
      : resolver_(context),
        socket_(context),
        timer_(context),
        buffer_(buffer),
        done_(std::move(done)) {}

  void begin(const std::string& text, std::chrono::milliseconds timeout) {
    const auto address = parse_address(text);
    if (!address) {
      asio::post(socket_.get_executor(), [self = shared_from_this(), why = address.error()] {
        self->end(std::unexpected("the address " + why));
      });
      return;
    }
    timer_.expires_after(timeout);
    timer_.async_wait([self = shared_from_this()](std::error_code error) {
      if (!error) {
        self->end(std::unexpected("no answer in time"));
      }
    });
    std::error_code error;
    const auto ip = asio::ip::make_address(address->host, error);
    if (!error) {  // no resolver, and no thread of it, for plain addresses
      connect(tcp::resolver::results_type::create(tcp::endpoint(ip, address->port), "", ""));
      return;
    }
    resolver_.async_resolve(
        address->host, std::to_string(address->port), tcp::resolver::numeric_service,
        [self = shared_from_this()](std::error_code failed,
                                    const tcp::resolver::results_type& found) {
          if (failed) {
            self->end(std::unexpected("the name cannot be resolved: " + failed.message()));
          } else {
            self->connect(found);
          }
        });
  }

 private:
  void connect(const tcp::resolver::results_type& endpoints) {
    if (!done_) {
      return;  // too late
    }
    asio::async_connect(socket_, endpoints,
                        [self = shared_from_this()](std::error_code error, const tcp::endpoint&) {
                          if (error) {
                            self->end(std::unexpected(error.message()));
                          } else {
                            self->end(tcp_connection(std::move(self->socket_), self->buffer_));
                          }
                        });
  }

  void end(Dialed result) {
    if (!done_) {
      return;
    }
    auto done = std::exchange(done_, nullptr);
    timer_.cancel();
    resolver_.cancel();
    std::error_code ignored;
    socket_.close(ignored);  // moved from if it is connected
    done(std::move(result));
  }

  tcp::resolver resolver_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  ReadBuffer& buffer_;
  std::move_only_function<void(Dialed)> done_;
};

}  // namespace

void dial(asio::io_context& context, const std::string& address, std::chrono::milliseconds timeout,
          ReadBuffer& buffer, std::move_only_function<void(Dialed)> done) {
  std::make_shared<Attempt>(context, buffer, std::move(done))->begin(address, timeout);
}

}  // namespace starling::net
