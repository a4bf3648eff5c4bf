#include "server/net/address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>

namespace starling::net {
namespace {

constexpr std::size_t max_host_size = 240;  // an address with its port stays below the wire's limit

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool parse_v6(std::string_view host, in6_addr& out) {
  return inet_pton(AF_INET6, std::string(host).c_str(), &out) == 1;
}

bool parse_v4(std::string_view host, in_addr& out) {
  return inet_pton(AF_INET, std::string(host).c_str(), &out) == 1;
}

}  // namespace

std::expected<Address, std::string> parse_address(std::string_view text) {
  std::string_view host;
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find("]:");
    if (end == std::string_view::npos) {
      return std::unexpected("is not an address; write [IPV6]:PORT");
    }
    host = text.substr(1, end - 1);
    port = text.substr(end + 2);
    if (in6_addr ignored; !parse_v6(host, ignored)) {
      return std::unexpected("has no IPv6 address between its brackets");
    }
  } else {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
      return std::unexpected("has no port; write HOST:PORT");
    }
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.contains(':')) {
      return std::unexpected("looks like an IPv6 address; write [IPV6]:PORT");
    }
    if (host.empty()) {
      return std::unexpected("has no host; write HOST:PORT");
    }
    if (host.size() > max_host_size || !std::ranges::all_of(host, is_name_char)) {
      return std::unexpected("has no valid host name");
    }
  }
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc() || end != port.data() + port.size() || number > 65535) {
    return std::unexpected("has no valid port; allowed: 0 to 65535");
  }
  return Address{std::string(host), static_cast<std::uint16_t>(number)};
}

std::string to_string(const Address& address) {
  const bool v6 = address.host.contains(':');
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

bool is_loopback(std::string_view host) {
  if (in_addr v4; parse_v4(host, v4)) {
    return (ntohl(v4.s_addr) >> 24) == 127;
  }
  if (in6_addr v6; parse_v6(host, v6)) {
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
  }
  return host == "localhost";
}

bool is_wildcard(std::string_view host) {
  if (in_addr v4; parse_v4(host, v4)) {
    return v4.s_addr == 0;
  }
  in6_addr v6;
  return parse_v6(host, v6) && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

}  // namespace starling::net
