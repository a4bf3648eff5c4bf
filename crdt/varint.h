// Little building blocks of all our byte formats: unsigned LEB128, zigzag, fixed-width integers,
// length-prefixed bytes. Readers never trust their input: every read may fail, none reads outside.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/total.h"

namespace starling {

inline void put_u8(std::string& out, std::uint8_t value) {
  out.push_back(static_cast<char>(value));
}

inline void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// Fixed width, big endian: sorts as a number inside keys.
template <typename Unsigned>
void put_be(std::string& out, Unsigned value) {
  for (int shift = static_cast<int>(sizeof(Unsigned)) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

inline void put_bytes(std::string& out, std::string_view bytes) {
  put_varint(out, bytes.size());
  out.append(bytes);
}

inline void put_double(std::string& out, double value) {
  put_be(out, std::bit_cast<std::uint64_t>(value));
}

// Zigzag, so that small negative numbers stay short.
inline void put_signed(std::string& out, Int128 value) {
  auto zigzag = (static_cast<UInt128>(value) << 1) ^ static_cast<UInt128>(value >> 127);
  while (zigzag >= 0x80) {
    out.push_back(static_cast<char>(static_cast<std::uint8_t>(zigzag) | 0x80));
    zigzag >>= 7;
  }
  out.push_back(static_cast<char>(zigzag));
}

// A cursor over borrowed bytes. After a failed read `ok()` stays false and all further reads give
// zero values, so a decoder may read a whole struct and check once at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  // Everything was read and nothing failed.
  [[nodiscard]] bool complete() const { return ok_ && rest_.empty(); }
  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  std::uint8_t u8() {
    const std::string_view byte = take(1);
    return byte.empty() ? 0 : static_cast<std::uint8_t>(byte[0]);
  }

  std::uint64_t varint() {
    const UInt128 value = wide_varint(64);
    return static_cast<std::uint64_t>(value);
  }

  Int128 signed_varint() {
    const UInt128 zigzag = wide_varint(128);
    return static_cast<Int128>(zigzag >> 1) ^ -static_cast<Int128>(zigzag & 1);
  }

  template <typename Unsigned>
  Unsigned be() {
    Unsigned value = 0;
    for (const char byte : take(sizeof(Unsigned))) {
      value = static_cast<Unsigned>((static_cast<std::uint64_t>(value) << 8) |
                                    static_cast<std::uint8_t>(byte));
    }
    return value;
  }

  double real() { return std::bit_cast<double>(be<std::uint64_t>()); }

  std::string_view bytes() { return take(varint()); }

  // The next `size` bytes; fails when there are fewer.
  std::string_view take(std::uint64_t size) {
    if (!ok_ || size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return taken;
  }

  // A count of things that each take at least one byte: never more than the bytes that are left,
  // so no loop or reservation can be driven by a lying count.
  std::uint64_t count() {
    const std::uint64_t value = varint();
    if (value > rest_.size()) {
      fail();
      return 0;
    }
    return value;
  }

 private:
  // Canonical LEB128 only: overlong forms would give two encodings to one value.
  UInt128 wide_varint(int bits) {
    UInt128 value = 0;
    for (int shift = 0;; shift += 7) {
      const std::string_view next = take(1);
      if (next.empty()) {
        return 0;
      }
      const auto byte = static_cast<std::uint8_t>(next[0]);
      const auto low = static_cast<UInt128>(byte & 0x7F);
      if (shift >= bits || (shift + 7 > bits && (low >> (bits - shift)) != 0) ||
          (byte == 0 && shift > 0)) {
        fail();
        return 0;
      }
      value |= low << shift;
      if ((byte & 0x80) == 0) {
        return value;
      }
    }
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace starling
