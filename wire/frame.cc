#include "wire/frame.h"

#include <xxhash.h>

namespace starling::wire {
namespace {

// A buffer that grew for one large frame is given back, not kept for the life of the connection.
constexpr std::size_t kept_capacity = 256u << 10;

std::uint32_t checksum(std::string_view body) {
  return static_cast<std::uint32_t>(XXH3_64bits(body.data(), body.size()));
}

void store_le32(char* out, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) {
    out[i] = static_cast<char>(value >> (8 * i));
  }
}

std::uint32_t load_le32(const char* in) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(in[i])) << (8 * i);
  }
  return value;
}

}  // namespace

std::string_view message(FrameError error) {
  switch (error) {
    case FrameError::bad_length:
      return "a frame has an impossible length; is this a Starling peer or client?";
    case FrameError::too_large:
      return "a frame is larger than this connection allows";
    case FrameError::bad_checksum:
      return "a frame's checksum does not fit its bytes";
  }
  return "unknown frame error";
}

void seal_frame(std::string& frame) {
  const std::string_view body = std::string_view(frame).substr(frame_header_size);
  store_le32(frame.data(), static_cast<std::uint32_t>(body.size()));
  store_le32(frame.data() + 4, checksum(body));
}

std::string encode_frame(std::string_view body) {
  std::string frame;
  frame.reserve(frame_header_size + body.size());
  frame.resize(frame_header_size);
  frame.append(body);
  seal_frame(frame);
  return frame;
}

void FrameReader::feed(std::string_view bytes) {
  if (error_) {
    return;
  }
  drop_consumed();
  buffer_.append(bytes);
}

std::expected<std::optional<std::string_view>, FrameError> FrameReader::next() {
  if (error_) {
    return std::unexpected(*error_);
  }
  if (buffered() < frame_header_size) {
    drop_consumed();
    return std::nullopt;
  }
  const char* header = buffer_.data() + consumed_;
  const std::size_t length = load_le32(header);
  if (length < min_frame_body || length % 8 != 0) {
    return fail(FrameError::bad_length);
  }
  if (length > max_body_) {
    return fail(FrameError::too_large);
  }
  if (buffered() - frame_header_size < length) {
    return std::nullopt;
  }
  const std::string_view body(header + frame_header_size, length);
  if (checksum(body) != load_le32(header + 4)) {
    return fail(FrameError::bad_checksum);
  }
  consumed_ += frame_header_size + length;
  return body;
}

void FrameReader::drop_consumed() {
  if (consumed_ == buffer_.size()) {
    buffer_.clear();
    consumed_ = 0;
    if (buffer_.capacity() > kept_capacity) {
      buffer_.shrink_to_fit();
    }
  } else if (consumed_ > buffer_.size() / 2) {  // so that bytes are moved a bounded number of times
    buffer_.erase(0, consumed_);
    consumed_ = 0;
  }
}

std::unexpected<FrameError> FrameReader::fail(FrameError error) {
  error_ = error;
  std::string().swap(buffer_);
  consumed_ = 0;
  return std::unexpected(error);
}

}  // namespace starling::wire
