// Includes nothing but the blocking face, whose headers need neither Asio nor Cap'n Proto.
#include <iostream>

#include <starling/client.h>

#if defined(ASIO_VERSION) || defined(CAPNP_VERSION)
#error "a third-party header came along"
#endif

int main() {
  // Nobody listens on port 1: what counts is that this links, runs and says so as a value.
  starling::Client client(
      {.endpoints = {"127.0.0.1:1"}, .retry_for = std::chrono::milliseconds(0)});
  const auto sum = client.counter("visits").add(1);
  std::cout << name(sum.error().code) << ": " << sum.error().message << "\n";
  return sum.error().code == starling::ErrorCode::unreachable ? 0 : 1;
}
