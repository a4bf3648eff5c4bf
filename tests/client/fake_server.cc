#include "tests/client/fake_server.h"

#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/codec.h"

namespace starling::test {
namespace {

bool write_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

}  // namespace

FakeServer::FakeServer(std::uint64_t node) {
  hello_.cluster = "fake";
  hello_.name = "fake-" + std::to_string(node);
  hello_.node = node;
  start();
}

FakeServer::~FakeServer() { stop(); }

void FakeServer::behave(Behaviour behaviour) {
  const std::lock_guard lock(mutex_);
  behaviour_ = std::move(behaviour);
}

void FakeServer::set_greeting(wire::ServerHello hello) {
  const std::lock_guard lock(mutex_);
  hello_ = std::move(hello);
}

void FakeServer::garbage_instead_of_greeting(std::string bytes) {
  const std::lock_guard lock(mutex_);
  garbage_ = std::move(bytes);
}

void FakeServer::start() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  where.sin_port = htons(port_);
  socklen_t size = sizeof(where);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&where), size) != 0 ||
      ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &size) != 0) {
    throw std::runtime_error("the fake server cannot listen");
  }
  port_ = ntohs(where.sin_port);
  listener_thread_ = std::thread([this, listener = listener_] { listen_loop(listener); });
}

void FakeServer::stop() {
  if (listener_ < 0) {
    return;
  }
  ::shutdown(listener_, SHUT_RDWR);
  listener_thread_.join();  // no new session comes after it
  std::vector<std::thread> sessions;
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) {
      ::shutdown(socket, SHUT_RDWR);
    }
    std::swap(sessions, sessions_);
  }
  for (std::thread& session : sessions) {
    session.join();
  }
  for (const int socket : sockets_) {
    ::close(socket);
  }
  sockets_.clear();
  ::close(listener_);
  listener_ = -1;
}

std::string FakeServer::address() const { return "127.0.0.1:" + std::to_string(port_); }

std::vector<wire::Request> FakeServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeServer::listen_loop(int listener) {
  for (;;) {
    const int socket = ::accept(listener, nullptr, nullptr);
    if (socket < 0) {
      return;
    }
    ++connections_;
    const std::lock_guard lock(mutex_);
    sockets_.push_back(socket);
    sessions_.emplace_back([this, socket] { serve(socket); });
  }
}

void FakeServer::serve(int socket) {
  wire::FrameReader reader(wire::max_frame_body);
  std::string input(64u << 10, '\0');
  for (;;) {
    for (;;) {
      const auto body = reader.next();
      if (!body || !*body) {
        break;
      }
      const auto message = wire::decode_client(**body);
      if (!message) {
        ::shutdown(socket, SHUT_RDWR);
        return;
      }
      std::string output;
      if (std::holds_alternative<wire::ClientHello>(*message)) {
        const std::lock_guard lock(mutex_);
        output = garbage_.empty() ? wire::encode(wire::ClientMessage(hello_)) : garbage_;
      } else if (const auto* request = std::get_if<wire::Request>(&*message)) {
        Behaviour behaviour;
        {
          const std::lock_guard lock(mutex_);
          requests_.push_back(*request);
          behaviour = behaviour_;
        }
        Answer answer = behaviour(*request);
        if (std::holds_alternative<HangUp>(answer)) {
          ::shutdown(socket, SHUT_RDWR);
          return;
        }
        if (auto* response = std::get_if<wire::Response>(&answer)) {
          output = wire::encode(wire::ClientMessage(std::move(*response)));
        }
      }
      if (!write_all(socket, output)) {
        return;
      }
    }
    const ssize_t size = ::recv(socket, input.data(), input.size(), 0);
    if (size <= 0) {
      return;
    }
    reader.feed({input.data(), static_cast<std::size_t>(size)});
  }
}

wire::Response FakeServer::plain(const wire::Request& request) {
  wire::Response response{.id = request.id, .token = {}, .repeated = false, .results = {}};
  for (const wire::Command& command : request.commands) {
    switch (command.code) {
      case wire::CommandCode::set:
      case wire::CommandCode::flag_enable:
      case wire::CommandCode::flag_disable:
      case wire::CommandCode::mv_set:
        response.results.emplace_back(wire::Ok{});
        break;
      case wire::CommandCode::get:
      case wire::CommandCode::hash_get:
        response.results.emplace_back("value of " + command.key);
        break;
      case wire::CommandCode::type:
        response.results.emplace_back(std::string("string"));
        break;
      case wire::CommandCode::set_members:
      case wire::CommandCode::hash_get_all:
      case wire::CommandCode::mv_get:
        response.results.emplace_back(std::vector<std::string>{"one", "two"});
        break;
      case wire::CommandCode::incr:
      case wire::CommandCode::hash_incr:
        response.results.emplace_back(command.number);
        break;
      default:
        response.results.emplace_back(std::int64_t{1});
    }
  }
  return response;
}

wire::Response FakeServer::error(const wire::Request& request, wire::ErrorCode code) {
  return {.id = request.id,
          .token = {},
          .repeated = false,
          .results = {wire::Error{code, "the fake node says no"}}};
}

}  // namespace starling::test
