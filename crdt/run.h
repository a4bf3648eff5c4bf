// A run: consecutive entries of one origin, as they travel and as they lie in the log (R1.7).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "crdt/entry.h"
#include "crdt/varint.h"

namespace starling {

// The header is outside the hashed bytes: it says where the entries belong, so that a receiver can
// check them against its own stream before it decodes anything.
struct Run {
  Origin origin;
  std::uint64_t first = 0;        // dot of the first op
  std::uint64_t last = 0;         // dot of the last op; runs end at entry ends
  std::uint64_t hash_before = 0;  // h of the origin's stream just before `first`
  VersionVector deps_before;      // stream deps just before `first`
  std::string entries;            // each entry as length-prefixed bytes

  friend bool operator==(const Run&, const Run&) = default;
};

void put_run(std::string& out, const Run& run);
[[nodiscard]] Run read_run(ByteReader& in);

// Walks the entries of a run without decoding them.
class RunReader {
 public:
  explicit RunReader(const Run& run) : in_(run.entries), last_of_run_(run.last), next_(run.first) {}

  [[nodiscard]] bool done() const { return in_.at_end(); }
  // False when the bytes are damaged or an entry ends beyond the run's last dot.
  [[nodiscard]] bool next();
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t first() const { return first_; }
  [[nodiscard]] std::uint64_t last() const { return next_ - 1; }

 private:
  ByteReader in_;
  std::string_view bytes_;
  std::uint64_t last_of_run_ = 0;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace starling
