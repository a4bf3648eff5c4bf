// Entries that came before what they depend on (R2.1).
#pragma once

#include <cstddef>
#include <map>
#include <optional>

#include "crdt/run.h"

namespace starling::replica {

// Bounded: what does not fit is dropped and pulled again later, which loses nothing.
// Runs on: core strand.
class HoldBuffer {
 public:
  explicit HoldBuffer(std::size_t capacity) : capacity_(capacity) {}

  // False if there was no room.
  bool hold(Run run);
  // The held run of this origin with the smallest first dot, removed from the buffer, if it begins
  // at or before `next`.
  [[nodiscard]] std::optional<Run> take(const Origin& origin, std::uint64_t next);
  // A run of this origin that begins at or before `next` waits here.
  [[nodiscard]] bool holds(const Origin& origin, std::uint64_t next) const {
    const auto runs = runs_.find(origin);
    return runs != runs_.end() && runs->second.begin()->first <= next;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] const std::map<Origin, std::map<std::uint64_t, Run>>& runs() const { return runs_; }

 private:
  std::map<Origin, std::map<std::uint64_t, Run>> runs_;
  std::size_t capacity_;
  std::size_t bytes_ = 0;
};

}  // namespace starling::replica
