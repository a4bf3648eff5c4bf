// The audit digest (R7.2): replicas with equal version vectors show equal digests.
#pragma once

#include <cstdint>
#include <string>

#include "crdt/cell.h"
#include "crdt/cell_key.h"

namespace starling {

// A sum modulo 2^128 of one hash per visible cell: independent of order, so it can be taken in any
// scan order and, bucket by bucket, added up.
struct Digest {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  Digest& operator+=(const Digest& other);
  friend bool operator==(const Digest&, const Digest&) = default;
};

// H128(key without group and bucket, canonical live content); zero for a cell that shows nothing.
[[nodiscard]] Digest digest_of(const CellKey& key, const CellValue& value);

[[nodiscard]] std::string to_hex(const Digest& digest);  // 32 lower-case digits

}  // namespace starling
