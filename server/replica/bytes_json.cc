#include "server/replica/bytes_json.h"

#include <cstdint>
#include <string>

namespace starling::replica {
namespace {

std::string base64(std::string_view bytes) {
  constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view three = bytes.substr(i, 3);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      bits = (bits << 8) | (j < three.size() ? static_cast<std::uint8_t>(three[j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out.push_back(j <= three.size() ? alphabet[(bits >> (18 - 6 * j)) & 0x3F] : '=');
    }
  }
  return out;
}

}  // namespace

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<std::uint8_t>(bytes[i]);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xC2 && lead < 0xE0 ? 2
                               : lead >= 0xE0 && lead < 0xF0 ? 3
                               : lead >= 0xF0 && lead < 0xF5 ? 4
                                                             : 0;
    if (length == 0 || i + length > bytes.size()) {
      return false;
    }
    for (std::size_t j = 1; j < length; ++j) {
      const auto byte = static_cast<std::uint8_t>(bytes[i + j]);
      const std::uint8_t low = j > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
      const std::uint8_t high = j > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
      if (byte < low || byte > high) {
        return false;
      }
    }
    i += length;
  }
  return true;
}

void write_bytes(JsonWriter& json, std::string_view bytes) {
  if (is_utf8(bytes)) {
    json.value(bytes);
    return;
  }
  json.begin_object().key("b64").value(base64(bytes)).end_object();
}

}  // namespace starling::replica
