#include "wire/plain_text.h"

#include <cstdint>

namespace starling::wire {
namespace {

// Length of the plain character that `text` begins with; 0 if it does not begin with one.
// Requires text not to be empty.
std::size_t plain_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) {
    return first >= 0x20 && first != 0x7F ? 1 : 0;
  }
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) {
    return 0;
  }
  std::uint32_t code = first & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      return 0;
    }
    code = (code << 6) | (byte(i) & 0x3FU);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  const bool control = code < 0xA0;  // C1, e.g. a terminal's one-byte escape sequences
  return overlong || surrogate || control || code > 0x10FFFF ? 0 : size;
}

}  // namespace

bool is_plain_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = plain_character(text);
    if (size == 0) {
      return false;
    }
    text.remove_prefix(size);
  }
  return true;
}

std::string make_plain_text(std::string_view text, std::size_t limit) {
  std::string plain;
  while (!text.empty()) {
    const std::size_t size = plain_character(text);
    const std::string_view next = size == 0 ? "?" : text.substr(0, size);
    if (plain.size() + next.size() > limit) {
      break;
    }
    plain += next;
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return plain;
}

}  // namespace starling::wire
