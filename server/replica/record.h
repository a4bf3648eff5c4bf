// A record: what one tick accepted, as one log write (R1.4).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/run.h"

namespace starling::replica {

// A run is cut when it reaches this, so that one run always fits one frame (an entry never exceeds
// max_entry_size).
inline constexpr std::size_t max_run_bytes = 1u << 20;

// Runs in the order in which their entries were applied, so that replay meets every dependency.
// Consecutive entries of one origin share a run. A record has no dot and no meaning to peers.
class Record {
 public:
  // The next entry will begin at dot `first` of `origin`, whose stream is `before`; then `add` it.
  void expect(const Origin& origin, std::uint64_t first, const OriginStream& before);
  void add(std::uint64_t last, std::string_view entry);

  [[nodiscard]] bool empty() const { return runs_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] const std::vector<Run>& runs() const { return runs_; }
  [[nodiscard]] std::vector<Run> take_runs() && { return std::move(runs_); }

  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static std::optional<Record> decode(std::string_view bytes);

 private:
  std::vector<Run> runs_;
  std::size_t bytes_ = 0;
};

}  // namespace starling::replica
