// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace starling::fuzz {

// Stops the fuzzer at the input that broke a promise; NDEBUG does not matter here.
inline void require(bool promise) {
  if (!promise) {
    std::abort();
  }
}

inline std::string_view as_bytes(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// The input as the only segment of a body, so that the fuzzer need not find the segment table.
inline std::string body_around(std::string_view segment) {
  const auto words = static_cast<std::uint32_t>((segment.size() + 7) / 8);
  std::string body(8 + std::size_t{words} * 8, '\0');
  std::memcpy(body.data() + 4, &words, 4);
  segment.copy(body.data() + 8, segment.size());
  return body;
}

}  // namespace starling::fuzz
