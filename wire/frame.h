// Frames: what lies between two messages on a socket. docs/peer-protocol.md describes these bytes.
//
//   u32 little endian   length of the body; a multiple of 8, at least 16
//   u32 little endian   checksum: the low 32 bits of XXH3-64 of the body
//   body                one Cap'n Proto message of one segment, its segment table included
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace starling::wire {

inline constexpr std::size_t frame_header_size = 8;
inline constexpr std::size_t min_frame_body = 16;  // a segment table and a root pointer

// Limits on a body, one per door and stage. They bound what a stranger can make us hold.
// An entry of `max_entry_size` fits below `max_frame_body` with room for its headers.
inline constexpr std::size_t max_frame_body = 80u << 20;
inline constexpr std::size_t max_client_hello_body = 64u << 10;  // until a client's hello was read
// Until a peer's hello was read. A Hello carries version vectors and hashes of all origins that are
// not sealed yet, so it may be much larger than a client's.
inline constexpr std::size_t max_peer_hello_body = 1u << 20;

enum class FrameError : std::uint8_t {
  bad_length,   // zero, too short or not a multiple of 8: not our protocol
  too_large,    // over the limit of this door
  bad_checksum  // the bytes were changed on their way
};
[[nodiscard]] std::string_view message(FrameError error);

// Fills in the header of a frame whose body already stands behind `frame_header_size` bytes.
void seal_frame(std::string& frame);

// The frame around `body`, whose size must be a multiple of 8.
[[nodiscard]] std::string encode_frame(std::string_view body);

// Cuts a stream of bytes into bodies. Holds at most what has arrived, never what a length claims.
// After an error the stream has no frame borders any more: the reader stays failed, and the
// connection must be closed.
// Usage: feed what was read, then call next() until it returns nothing, then read again. Not doing
// so does not break anything, but everything fed stays in memory.
class FrameReader {
 public:
  explicit FrameReader(std::size_t max_body) : max_body_(max_body) {}

  // From the next frame on. Doors raise it after the hello.
  void set_max_body(std::size_t max_body) { max_body_ = max_body; }

  void feed(std::string_view bytes);

  // The next whole body, with its checksum verified and aligned for decode_peer and decode_client;
  // nothing if more bytes are needed. The view is valid until the next call of next or feed.
  [[nodiscard]] std::expected<std::optional<std::string_view>, FrameError> next();

  // Bytes fed and not yet returned. Not zero when the stream ends: it was cut inside a frame.
  [[nodiscard]] std::size_t buffered() const { return buffer_.size() - consumed_; }

 private:
  [[nodiscard]] std::unexpected<FrameError> fail(FrameError error);
  void drop_consumed();

  std::size_t max_body_;
  // Frames are multiples of 8 long, so every body in the buffer is aligned as the buffer is.
  std::string buffer_;
  std::size_t consumed_ = 0;
  std::optional<FrameError> error_;
};

}  // namespace starling::wire
