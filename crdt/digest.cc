#include "crdt/digest.h"

#include <xxhash.h>

#include "crdt/varint.h"

namespace starling {

Digest& Digest::operator+=(const Digest& other) {
  const std::uint64_t sum = low + other.low;
  high += other.high + (sum < low ? 1 : 0);
  low = sum;
  return *this;
}

Digest digest_of(const CellKey& key, const CellValue& value) {
  const std::string live = canonical_live(key.cell.kind(), value);
  if (live.empty()) {
    return {};
  }
  std::string bytes;
  put_u8(bytes, key.object.db);
  put_bytes(bytes, key.object.key);
  put_u8(bytes, static_cast<std::uint8_t>(key.cell.kind()));
  put_bytes(bytes, key.cell.subkey());
  bytes.append(live);
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

std::string to_hex(const Digest& digest) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const std::uint64_t half : {digest.high, digest.low}) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      out.push_back(digits[(half >> shift) & 0xF]);
    }
  }
  return out;
}

}  // namespace starling
