#include "server/net/tcp_connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>

#include "server/net/address.h"

namespace starling::net {
namespace {

using asio::ip::tcp;

constexpr std::size_t read_per_turn = 256 << 10;  // then it is the next connection's turn
constexpr std::size_t idle_output = 64 << 10;     // an empty output buffer above this is given back

void set_option(int socket, int level, int name, int value) {
  (void)setsockopt(socket, level, name, &value, sizeof value);  // an optimisation, never a must
}

std::string text_of(const tcp::endpoint& endpoint, const std::error_code& error) {
  return error ? "unknown" : to_string(Address{endpoint.address().to_string(), endpoint.port()});
}

std::string remote_text(const tcp::socket& socket) {
  std::error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  return text_of(endpoint, error);
}

std::string local_text(const tcp::socket& socket) {
  std::error_code error;
  const auto endpoint = socket.local_endpoint(error);
  return text_of(endpoint, error);
}

// Callbacks rather than a reader and a writer coroutine (decision 0011): this is the innermost loop
// of the server. Kept alive by its own waits; `closed_` tells them that nobody is interested any
// more. Runs on: core strand.
class Stream final : public std::enable_shared_from_this<Stream> {
 public:
  Stream(tcp::socket socket, ReadBuffer& buffer)
      : socket_(std::move(socket)),
        buffer_(buffer),
        remote_(remote_text(socket_)),
        local_(local_text(socket_)) {
    std::error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
    const int fd = socket_.native_handle();
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);  // finds peers that vanished without a word
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
  }

  void start(ConnectionHandler& handler) {
    handler_ = &handler;
    wait_readable();
  }

  void write(std::string_view bytes) {
    if (!closed_ && !finishing_) {
      out_.append(bytes);
    }
  }

  void hand_over(std::string& bytes) {
    if (!closed_ && !finishing_ && out_.empty()) {
      out_.swap(bytes);
    } else {
      write(bytes);
    }
    bytes = std::string();
  }

  void flush() {
    if (!waiting_writable_ && !out_.empty()) {
      send_some();
    }
  }

  [[nodiscard]] std::size_t unsent() const { return out_.size() - sent_; }

  void pause_reading() { paused_ = true; }
  void resume_reading() {
    if (std::exchange(paused_, false)) {
      wait_readable();
    }
  }

  void finish() {
    if (closed_ || finishing_) {
      return;
    }
    flush();
    finishing_ = true;
    resume_reading();
    shut_down_if_sent();
  }

  void close() {
    handler_ = nullptr;
    shut();
  }

  [[nodiscard]] const std::string& remote() const { return remote_; }
  [[nodiscard]] const std::string& local() const { return local_; }

 private:
  void wait_readable() {
    if (closed_ || ended_ || waiting_readable_) {
      return;
    }
    waiting_readable_ = true;
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](std::error_code error) {
      self->waiting_readable_ = false;
      if (!error && !self->closed_) {
        self->read_some();
      }
    });
  }

  void read_some() {
    std::size_t read = 0;
    while (!closed_ && !paused_ && read < read_per_turn) {
      std::error_code error;
      const std::size_t n = socket_.read_some(asio::buffer(buffer_), error);
      if (error == asio::error::would_block || error == asio::error::try_again) {
        break;
      }
      if (error == asio::error::eof) {
        ended_ = true;
        handler_->ended();
        return;
      }
      if (error) {
        fail();
        return;
      }
      read += n;
      if (!finishing_) {
        handler_->received({buffer_.data(), n});
      }
      if (n < buffer_.size()) {
        break;  // the socket is empty; the next wait would say so if not
      }
    }
    if (!paused_) {
      wait_readable();
    }
  }

  // What the socket takes at once. Whoever reads as fast as we write would otherwise keep the loop
  // for as long as there is something to send.
  void send_some() {
    if (!closed_ && sent_ < out_.size()) {
      std::error_code error;
      sent_ += socket_.write_some(asio::buffer(out_.data() + sent_, out_.size() - sent_), error);
      if (error && error != asio::error::would_block && error != asio::error::try_again) {
        fail();
        return;
      }
      if (sent_ < out_.size()) {
        wait_writable();
        return;
      }
    }
    out_.clear();
    sent_ = 0;
    if (out_.capacity() > idle_output) {
      out_ = std::string();
    }
    shut_down_if_sent();
  }

  void wait_writable() {
    if (sent_ > idle_output && sent_ > out_.size() / 2) {
      out_.erase(0, sent_);
      sent_ = 0;
    }
    waiting_writable_ = true;
    socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](std::error_code error) {
      self->waiting_writable_ = false;
      if (!error && !self->closed_) {
        self->send_some();
      }
    });
  }

  void shut_down_if_sent() {
    if (finishing_ && !closed_ && out_.empty()) {
      std::error_code ignored;
      socket_.shutdown(tcp::socket::shutdown_send, ignored);
    }
  }

  void fail() {
    shut();
    if (ConnectionHandler* handler = std::exchange(handler_, nullptr)) {
      handler->broken();
    }
  }

  void shut() {
    closed_ = true;
    out_ = std::string();
    sent_ = 0;
    std::error_code ignored;
    socket_.close(ignored);
  }

  tcp::socket socket_;
  ReadBuffer& buffer_;
  std::string remote_;
  std::string local_;
  ConnectionHandler* handler_ = nullptr;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  bool waiting_readable_ = false;
  bool waiting_writable_ = false;
  bool paused_ = false;
  bool ended_ = false;
  bool finishing_ = false;
  bool closed_ = false;
};

class Handle final : public Connection {
 public:
  explicit Handle(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~Handle() override { stream_->close(); }

  void start(ConnectionHandler& handler) override { stream_->start(handler); }
  void write(std::string_view bytes) override { stream_->write(bytes); }
  void hand_over(std::string& bytes) override { stream_->hand_over(bytes); }
  void flush() override { stream_->flush(); }
  std::size_t unsent() const override { return stream_->unsent(); }
  void pause_reading() override { stream_->pause_reading(); }
  void resume_reading() override { stream_->resume_reading(); }
  void finish() override { stream_->finish(); }
  void close() override { stream_->close(); }
  const std::string& remote() const override { return stream_->remote(); }
  const std::string& local() const override { return stream_->local(); }

 private:
  std::shared_ptr<Stream> stream_;
};

}  // namespace

std::unique_ptr<Connection> tcp_connection(tcp::socket socket, ReadBuffer& buffer) {
  return std::make_unique<Handle>(std::make_shared<Stream>(std::move(socket), buffer));
}

}  // namespace starling::net
