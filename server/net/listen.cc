#include "server/net/listen.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include <netdb.h>

namespace starling::net {
namespace {

std::string advice(int error) {
  switch (error) {
    case EADDRINUSE:
      return "another process listens there, perhaps another kvd; stop it or choose another port "
             "(port 0 takes a free one)";
    case EADDRNOTAVAIL:
      return "this host does not have that address; `ip address` lists those it has";
    case EACCES:
      return "ports below 1024 need the capability CAP_NET_BIND_SERVICE; choose a higher one";
    case EMFILE:
    case ENFILE:
      return "the limit of open files is reached; raise it (ulimit -n)";
    default:
      return "choose another address";
  }
}

}  // namespace

ListenSocket::ListenSocket(ListenSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), address_(std::move(other.address_)) {}

ListenSocket::~ListenSocket() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

int ListenSocket::release() { return std::exchange(fd_, -1); }

std::expected<ListenSocket, std::string> listen_on(const Address& address,
                                                   const std::string& flag) {
  const std::string where = flag + " " + to_string(address);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int resolved =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (resolved != 0) {
    return std::unexpected(where + ": the host name is not known here (" + gai_strerror(resolved) +
                           "); write an IP address of this host");
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  const auto failed = [&](const char* doing) {
    const int error = errno;
    return std::unexpected(where + ": " + doing + ": " + std::strerror(error) + "; " +
                           advice(error));
  };
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return failed("cannot open a socket");
  }
  ListenSocket listening(fd, address);
  const int on = 1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0) {
    return failed("cannot bind");
  }
  if (::listen(fd, SOMAXCONN) != 0) {
    return failed("cannot listen");
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  Address actual = address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0) {
    actual.port =
        ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                          : reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  }
  return ListenSocket(listening.release(), std::move(actual));
}

}  // namespace starling::net
