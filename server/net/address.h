// host:port as people write it.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace starling::net {

// A host is a name, an IPv4 address or, in brackets on the command line, an IPv6 address.
struct Address {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const Address&, const Address&) = default;
};

// The error is the second half of a sentence: "has no port; write HOST:PORT".
[[nodiscard]] std::expected<Address, std::string> parse_address(std::string_view text);
[[nodiscard]] std::string to_string(const Address& address);

// Names other than localhost count as neither.
[[nodiscard]] bool is_loopback(std::string_view host);
[[nodiscard]] bool is_wildcard(std::string_view host);  // 0.0.0.0 or ::

}  // namespace starling::net
