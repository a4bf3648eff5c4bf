// When a key expires: an attribute of the key, not of its value (replication.md §4, TTL).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/dotted_cell.h"
#include "crdt/mutants.h"
#include "crdt/varint.h"

namespace starling {

// Milliseconds since 1970. PERSIST is a deadline of its own, so that it wins over a concurrent
// EXPIRE instead of being one side of a race.
inline constexpr std::int64_t never_expires = std::numeric_limits<std::int64_t>::max();

[[nodiscard]] inline std::string encode_deadline(std::int64_t unix_ms) {
  std::string out;
  put_be(out, static_cast<std::uint64_t>(unix_ms));
  return out;
}

// Bytes that are no deadline never expire anything.
[[nodiscard]] inline std::int64_t decode_deadline(std::string_view bytes) {
  ByteReader in(bytes);
  const auto at = static_cast<std::int64_t>(in.be<std::uint64_t>());
  return in.complete() ? at : never_expires;
}

// The latest of the live deadlines holds; nullopt: none, or persistent.
[[nodiscard]] inline std::optional<std::int64_t> deadline_of(const DottedCell& cell) {
  std::optional<std::int64_t> latest;
  for (const Sibling& sibling : cell.siblings()) {
    const std::int64_t at = decode_deadline(sibling.bytes);
    latest = !latest                    ? at
             : mutant("first_deadline") ? std::min(*latest, at)
                                        : std::max(*latest, at);
  }
  return latest == never_expires ? std::nullopt : latest;
}

}  // namespace starling
