#include "server/resp/session_token.h"

#include <cstddef>

#include "crdt/entry.h"
#include "crdt/varint.h"

namespace starling::resp {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

std::optional<unsigned> digit(char c) {
  if (c >= 'A' && c <= 'F') {
    c = static_cast<char>(c - 'A' + 'a');
  }
  const std::size_t value = digits.find(c);
  return value == std::string_view::npos ? std::nullopt
                                         : std::optional(static_cast<unsigned>(value));
}

}  // namespace

std::string token_text(const VersionVector& seen) {
  std::string bytes;
  put_version_vector(bytes, seen);
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.push_back(digits[byte >> 4U]);
    text.push_back(digits[byte & 0xFU]);
  }
  return text;
}

std::optional<VersionVector> parse_token(std::string_view text) {
  if (text.empty() || text.size() % 2 != 0) {
    return std::nullopt;
  }
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = digit(text[i]);
    const auto low = digit(text[i + 1]);
    if (!high || !low) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(*high << 4U | *low));
  }
  ByteReader in(bytes);
  VersionVector seen = read_version_vector(in);
  return in.complete() ? std::optional(std::move(seen)) : std::nullopt;
}

}  // namespace starling::resp
