#include "bench/resp.h"

#include <array>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "bench/failure.h"

namespace starling::bench {
namespace {

constexpr int patience_seconds = 120;

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      throw Failure("a connection to a server broke while sending");
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void limit_waiting(int socket) {
  const timeval patience{.tv_sec = patience_seconds, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

}  // namespace

void append_head(std::string& out, std::size_t words) {
  fmt::format_to(std::back_inserter(out), "*{}\r\n", words);
}

void append_word(std::string& out, std::string_view word) {
  out += '$';
  const fmt::format_int size(word.size());
  out.append(size.data(), size.size());
  out += "\r\n";
  out += word;
  out += "\r\n";
}

void append_command(std::string& out, const std::vector<std::string_view>& words) {
  append_head(out, words.size());
  for (const std::string_view word : words) {
    append_word(out, word);
  }
}

int connect_loopback(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(socket);
    return -1;
  }
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

std::optional<RespConnection> RespConnection::try_open(std::uint16_t port) {
  const int socket = connect_loopback(port);
  if (socket < 0) {
    return std::nullopt;
  }
  limit_waiting(socket);
  return RespConnection(socket);
}

RespConnection RespConnection::open(std::uint16_t port) {
  auto connection = try_open(port);
  if (!connection) {
    throw Failure(fmt::format("nobody listens at port {} any more", port));
  }
  return std::move(*connection);
}

RespConnection::~RespConnection() {
  if (socket_ >= 0) {
    ::close(socket_);
  }
}

RespConnection::RespConnection(RespConnection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      buffer_(std::move(other.buffer_)),
      at_(std::exchange(other.at_, 0)) {}

RespReply RespConnection::ask(const std::vector<std::string_view>& words) {
  std::string request;
  append_command(request, words);
  send_all(socket_, request);
  return read_reply();
}

RespReply RespConnection::must(const std::vector<std::string_view>& words) {
  RespReply reply = ask(words);
  if (reply.is_error()) {
    throw Failure(fmt::format("a server refused {}: {}", words.front(), reply.text));
  }
  return reply;
}

RespReply RespConnection::read_reply() {
  const std::string line = read_line();
  RespReply reply;
  reply.kind = line.empty() ? '-' : line.front();
  reply.text = line.empty() ? line : line.substr(1);
  reply.number = std::strtoll(reply.text.c_str(), nullptr, 10);
  if (reply.kind == '$' || reply.kind == '*') {
    if (reply.number < 0) {
      reply.kind = '_';
    } else if (reply.kind == '$') {
      reply.text = read_bytes(static_cast<std::size_t>(reply.number));
      read_bytes(2);
    } else {
      for (std::int64_t i = 0; i < reply.number; ++i) {
        reply.parts.push_back(read_reply());
      }
    }
  }
  return reply;
}

std::string RespConnection::read_line() {
  for (;;) {
    const auto end = buffer_.find("\r\n", at_);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(at_, end - at_);
      at_ = end + 2;
      return line;
    }
    read_more();
  }
}

std::string RespConnection::read_bytes(std::size_t count) {
  while (buffer_.size() - at_ < count) {
    read_more();
  }
  std::string bytes = buffer_.substr(at_, count);
  at_ += count;
  return bytes;
}

void RespConnection::read_more() {
  buffer_.erase(0, std::exchange(at_, 0));
  std::array<char, 65536> part{};
  const ssize_t got = ::recv(socket_, part.data(), part.size(), 0);
  if (got <= 0) {
    throw Failure(got == 0 ? "a server closed a connection"
                           : "a server did not answer within two minutes");
  }
  buffer_.append(part.data(), static_cast<std::size_t>(got));
}

std::string http_body(std::uint16_t port, std::string_view path) {
  const int socket = connect_loopback(port);
  if (socket < 0) {
    throw Failure(fmt::format("nobody listens at port {} any more", port));
  }
  limit_waiting(socket);
  send_all(socket,
           fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path));
  std::string answer;
  std::array<char, 65536> part{};
  for (ssize_t got = 0; (got = ::recv(socket, part.data(), part.size(), 0)) > 0;) {
    answer.append(part.data(), static_cast<std::size_t>(got));
  }
  ::close(socket);
  const auto head = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 200") || head == std::string::npos) {
    throw Failure(fmt::format("a server did not answer GET {}", path));
  }
  return answer.substr(head + 4);
}

bool has_command(RespConnection& connection, std::string_view name) {
  const RespReply reply = connection.must({"COMMAND", "INFO", name});
  return reply.parts.size() == 1 && reply.parts.front().kind == '*';
}

}  // namespace starling::bench
