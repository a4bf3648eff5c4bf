#include "server/net/address.h"

#include <doctest/doctest.h>

namespace starling::net {
namespace {

TEST_CASE("addresses print as they are read") {
  for (const char* const text : {"127.0.0.1:0", "h:65535", "[::1]:7001", "a-b.example_1:80"}) {
    const auto address = parse_address(text);
    REQUIRE(address);
    CHECK(to_string(*address) == text);
  }
}

TEST_CASE("loopback and wildcard are known in both families") {
  for (const char* const host :
       {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1", "localhost"}) {
    CHECK_MESSAGE(is_loopback(host), host);
    CHECK_FALSE(is_wildcard(host));
  }
  for (const char* const host : {"0.0.0.0", "::", "0:0:0:0:0:0:0:0"}) {
    CHECK_MESSAGE(is_wildcard(host), host);
    CHECK_FALSE(is_loopback(host));
  }
  for (const char* const host : {"10.0.0.1", "128.0.0.1", "2001:db8::1", "example.org",
                                 "localhost.example.org", "127.0.0.1.example.org"}) {
    CHECK_FALSE(is_loopback(host));
    CHECK_FALSE(is_wildcard(host));
  }
}

}  // namespace
}  // namespace starling::net
