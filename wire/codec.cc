#include "wire/codec.h"

#include "wire/capnp_message.h"
#include "wire/plain_text.h"

namespace starling::wire {

std::string_view message(CodecError error) {
  switch (error) {
    case CodecError::malformed:
      return "a message is not well formed";
    case CodecError::unknown_message:
      return "a message is of a kind that this version does not know; upgrade this side";
    case CodecError::too_many:
      return "a message has a list that is longer than allowed";
    case CodecError::bad_text:
      return "a name or address is too long or not plain UTF-8 text";
    case CodecError::bad_value:
      return "a message holds a number that is out of its range";
    case CodecError::bad_bytes:
      return "a version vector or run in a message is damaged";
  }
  return "unknown codec error";
}

std::string Checker::text(capnp::Text::Reader text, std::size_t limit) {
  const std::string_view view(text.cStr(), text.size());
  if (view.size() > limit || !is_plain_text(view)) {
    fail(CodecError::bad_text);
    return {};
  }
  return std::string(view);
}

VersionVector Checker::vector(capnp::Data::Reader data) {
  if (data.size() == 0) {
    return {};
  }
  ByteReader in({reinterpret_cast<const char*>(data.begin()), data.size()});
  VersionVector vector = read_version_vector(in);
  if (!in.complete()) {
    fail(CodecError::bad_bytes);
    return {};
  }
  return vector;
}

std::optional<std::string_view> only_segment(std::string_view body) {
  std::array<std::uint32_t, 2> table{};
  if (body.size() < min_frame_body || body.size() % 8 != 0) {
    return std::nullopt;
  }
  std::memcpy(table.data(), body.data(), sizeof(table));
  const std::string_view segment = body.substr(sizeof(table));
  if (table[0] != 0 || table[1] != segment.size() / 8) {
    return std::nullopt;
  }
  return segment;
}

}  // namespace starling::wire
