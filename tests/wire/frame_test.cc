#include "wire/frame.h"

#include <cstring>
#include <vector>

#include <doctest/doctest.h>

namespace starling::wire {
namespace {

std::string body_of(std::size_t size, char fill) { return std::string(size, fill); }

std::string header(std::uint32_t length, std::uint32_t checksum = 0) {
  std::string out(frame_header_size, '\0');
  std::memcpy(out.data(), &length, 4);
  std::memcpy(out.data() + 4, &checksum, 4);
  return out;
}

// All bodies that can be taken now; stops at an error.
std::vector<std::string> take_all(FrameReader& reader) {
  std::vector<std::string> bodies;
  for (;;) {
    const auto body = reader.next();
    if (!body || !*body) {
      return bodies;
    }
    bodies.emplace_back(**body);
  }
}

void append(std::vector<std::string>& to, std::vector<std::string> more) {
  for (std::string& body : more) {
    to.push_back(std::move(body));
  }
}

FrameError error_after(std::string_view bytes, std::size_t max_body = max_frame_body) {
  FrameReader reader(max_body);
  reader.feed(bytes);
  const auto body = reader.next();
  REQUIRE_FALSE(body.has_value());
  return body.error();
}

}  // namespace

TEST_CASE("frames come out as they went in, however the stream is split") {
  const std::vector<std::string> bodies = {body_of(16, 'a'), body_of(64, 'b'), body_of(24, 'c')};
  std::string stream;
  for (const std::string& body : bodies) {
    stream += encode_frame(body);
  }
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      FrameReader reader(max_frame_body);
      std::vector<std::string> got;
      for (const auto& piece :
           {stream.substr(0, first), stream.substr(first, second - first), stream.substr(second)}) {
        reader.feed(piece);
        append(got, take_all(reader));
      }
      REQUIRE(got == bodies);
      REQUIRE(reader.buffered() == 0);
    }
  }
}

TEST_CASE("frames fed byte by byte come out whole") {
  FrameReader reader(max_frame_body);
  const std::string frame = encode_frame(body_of(4096, 'x'));
  for (const char byte : frame.substr(0, frame.size() - 1)) {
    reader.feed({&byte, 1});
    REQUIRE(take_all(reader).empty());
  }
  reader.feed({&frame.back(), 1});
  CHECK(take_all(reader) == std::vector<std::string>{body_of(4096, 'x')});
}

TEST_CASE("frames that pile up unread come out in order later") {
  FrameReader reader(max_frame_body);
  std::vector<std::string> bodies;
  for (char fill = 'a'; fill <= 'z'; ++fill) {
    bodies.push_back(body_of(std::size_t{8} * static_cast<std::size_t>(fill), fill));
    reader.feed(encode_frame(bodies.back()));
    if (fill % 3 == 0) {  // one out for three in
      const auto body = reader.next();
      REQUIRE(body);
      REQUIRE(**body == bodies[static_cast<std::size_t>(fill - 'a') / 3]);
    }
  }
  const auto rest = take_all(reader);
  CHECK(rest == std::vector<std::string>(bodies.end() - static_cast<std::ptrdiff_t>(rest.size()),
                                         bodies.end()));
  CHECK(rest.size() == 26 - 8);
}

TEST_CASE("bodies are aligned for the codec") {
  FrameReader reader(max_frame_body);
  for (std::size_t i = 0; i < 100; ++i) {
    reader.feed(encode_frame(body_of(16 + 8 * i, 'x')));
    reader.feed(encode_frame(body_of(24, 'y')));
    for (auto body = reader.next(); body && *body; body = reader.next()) {
      REQUIRE(reinterpret_cast<std::uintptr_t>((*body)->data()) % 8 == 0);
    }
  }
}

TEST_CASE("an impossible length is refused as soon as it is read") {
  CHECK(error_after(header(0)) == FrameError::bad_length);
  CHECK(error_after(header(8)) == FrameError::bad_length);
  CHECK(error_after(header(17)) == FrameError::bad_length);
  CHECK(error_after(header(20)) == FrameError::bad_length);
  CHECK(error_after(header(0xFFFFFFFF)) == FrameError::bad_length);
  CHECK(error_after("GET / HTTP/1.1\r\n") == FrameError::bad_length);
  CHECK(error_after("*1\r\n$4\r\nPING\r\n") == FrameError::bad_length);
  CHECK(error_after(std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8)) == FrameError::bad_length);
}

TEST_CASE("a length over the door's limit is refused as soon as it is read") {
  CHECK(error_after(header(0xFFFFFFF8)) == FrameError::too_large);
  CHECK(error_after(header(max_frame_body + 8)) == FrameError::too_large);
  CHECK(error_after(header(72), 64) == FrameError::too_large);

  FrameReader reader(64);
  reader.feed(encode_frame(body_of(64, 'x')));
  CHECK(take_all(reader).size() == 1);
}

TEST_CASE("a door raises its limit after the hello") {
  FrameReader reader(64);
  reader.feed(encode_frame(body_of(64, 'x')) + encode_frame(body_of(128, 'y')));
  const auto hello = reader.next();
  REQUIRE(hello);
  REQUIRE(*hello);
  reader.set_max_body(128);
  const auto second = reader.next();
  REQUIRE(second);
  CHECK(**second == body_of(128, 'y'));
}

TEST_CASE("a length that was claimed but did not arrive takes no memory") {
  FrameReader reader(max_frame_body);
  reader.feed(header(max_frame_body));
  reader.feed("12345");
  const auto body = reader.next();
  REQUIRE(body);
  CHECK_FALSE(*body);
  CHECK(reader.buffered() == frame_header_size + 5);  // a stream that ends here was cut
}

TEST_CASE("a reader stays failed") {
  FrameReader reader(max_frame_body);
  std::string damaged = encode_frame(body_of(16, 'x'));
  damaged[4] = static_cast<char>(damaged[4] ^ 1);
  reader.feed(damaged + encode_frame(body_of(16, 'y')));
  CHECK(reader.next().error() == FrameError::bad_checksum);
  reader.feed(encode_frame(body_of(16, 'z')));
  CHECK(reader.next().error() == FrameError::bad_checksum);
  CHECK(reader.buffered() == 0);
}

TEST_CASE("no single flipped bit gets through") {
  const std::string frame = encode_frame(body_of(200, 'q'));
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string flipped = frame;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    FrameReader reader(max_frame_body);
    reader.feed(flipped);
    const auto body = reader.next();
    REQUIRE((!body || !*body));  // refused, or a longer frame that never becomes whole
  }
}

TEST_CASE("every frame error has a sentence") {
  for (const auto error :
       {FrameError::bad_length, FrameError::too_large, FrameError::bad_checksum}) {
    CHECK(message(error).starts_with("a frame"));
  }
}

}  // namespace starling::wire
