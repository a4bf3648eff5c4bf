// Frames come out the same however the stream is split, and nothing but frames comes out.
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "wire/frame.h"

namespace {

using starling::wire::encode_frame;
using starling::wire::FrameReader;

constexpr std::size_t max_body = 1024;

struct Outcome {
  std::vector<std::string> bodies;
  bool failed = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read_in_pieces(std::string_view stream, std::size_t piece) {
  FrameReader reader(max_body);
  Outcome outcome;
  while (!stream.empty()) {
    reader.feed(stream.substr(0, piece));
    stream.remove_prefix(std::min(piece, stream.size()));
    for (;;) {
      const auto body = reader.next();
      if (!body) {
        outcome.failed = true;
        break;
      }
      if (!*body) {
        break;
      }
      starling::fuzz::require((*body)->size() % 8 == 0 && (*body)->size() <= max_body);
      outcome.bodies.emplace_back(**body);
    }
  }
  return outcome;
}

// Whole frames and garbage in turn: each part of the input begins with its kind and size.
std::string stream_from(std::string_view input) {
  std::string stream;
  while (input.size() >= 2) {
    const bool frame = (input[0] & 1) != 0;
    const std::size_t size = static_cast<std::uint8_t>(input[1]);
    const std::string_view part = input.substr(2, size);
    input.remove_prefix(2 + part.size());
    if (frame) {
      stream += encode_frame(std::string(part) + std::string(16 + (8 - part.size() % 8) % 8, '\0'));
    } else {
      stream += part;
    }
  }
  return stream;
}

void check(std::string_view stream) {
  const Outcome whole = read_in_pieces(stream, stream.size() + 1);
  for (const std::size_t piece : {1u, 7u, 8u, 9u, 100u}) {
    starling::fuzz::require(read_in_pieces(stream, piece) == whole);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = starling::fuzz::as_bytes(data, size);
  check(input);
  check(stream_from(input));
  return 0;
}
