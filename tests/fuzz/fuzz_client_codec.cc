// Any bytes as a body: refused, or a message that travels on unchanged.
#include "tests/fuzz/fuzz.h"
#include "wire/codec.h"

namespace {

void check(std::string_view body) {
  const auto message = starling::wire::decode_client(body);
  if (message) {
    const std::string frame = encode(*message);
    const auto again = starling::wire::decode_client(
        std::string_view(frame).substr(starling::wire::frame_header_size));
    starling::fuzz::require(again && *again == *message);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = starling::fuzz::as_bytes(data, size);
  check(input);
  check(starling::fuzz::body_around(input));
  return 0;
}
