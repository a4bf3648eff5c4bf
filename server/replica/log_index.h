// Finds entries in the log by their dots: serves pulls and late pushes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "server/replica/checkpoint.h"
#include "server/replica/record.h"
#include "storage/store.h"

namespace starling::replica {

// Places of runs: those since the last checkpoint in memory, older ones as rows of the state.
// Runs on: core strand.
class LogIndex {
 public:
  explicit LogIndex(const Store& store) : store_(store) {}

  void add(std::uint64_t position, const Record& record);

  // Places not yet handed to a checkpoint.
  [[nodiscard]] std::vector<LogPlace> take_unsaved();
  // The checkpoint at this position is ingested: its places are rows now.
  void saved(std::uint64_t position);
  // The checkpoint failed: hand its places out again.
  void unsaved() { first_unsaved_ = saved_position_ + 1; }

  struct Found {
    std::vector<Run> runs;     // consecutive; the first one contains dot after + 1
    bool below_floor = false;  // the log no longer holds it
  };
  // Whole runs of `origin` that hold the dots (after, upto]: as many as fit into `max_bytes`, and
  // the first in any case. Runs may begin before `after`: the receiver drops what it has.
  [[nodiscard]] StoreResult<Found> read(const Origin& origin, std::uint64_t after,
                                        std::uint64_t upto, std::size_t max_bytes) const;

 private:
  [[nodiscard]] StoreResult<std::optional<std::uint64_t>> position_of(const Origin& origin,
                                                                      std::uint64_t n) const;

  const Store& store_;
  std::map<Origin, std::map<std::uint64_t, std::uint64_t>> recent_;  // last -> position
  std::uint64_t saved_position_ = 0;
  std::uint64_t first_unsaved_ = 1;
  std::uint64_t last_added_ = 0;
};

}  // namespace starling::replica
