// The conflict journal of one node: the latest lines, bounded, kept in the state database
// (replication.md R5.2, §11).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/replica/conflict.h"

namespace starling::replica {

// Rows of the state to put or, without a value, to erase.
using ConflictRows = std::map<std::string, std::optional<std::string>>;

// Lines by name, so that whatever tells of a conflict again (a replay, another op on the same cell)
// adds nothing. When there are too many, those with the earliest time go, and what is as old as
// they were is not taken in again.
// Rows follow with each checkpoint: what `take_rows` gives is written in the same file as the cells
// up to there, and a replay of the log behind it tells the rest again.
// Runs on: core strand; a checkpoint job has one of its own.
class ConflictJournal {
 public:
  struct Limits {
    std::size_t lines = 10'000;
    std::size_t bytes = 10'000 * 800;  // of all lines: they hold user keys, which may be long
    static Limits of_lines(std::size_t lines) { return {lines, lines * 800}; }
  };
  explicit ConflictJournal(const Limits& limits) : limits_(limits) {}

  void note(Conflict conflict);
  // What another journal has dropped.
  void note_dropped(std::uint64_t count, Hlc up_to);

  // -- looking --
  [[nodiscard]] std::size_t size() const { return lines_.size(); }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  // How many lines had to go, and the time up to which none are kept; of the whole life of the data
  // directory.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] Hlc dropped_up_to() const { return dropped_up_to_; }
  // Lines that were new since the process started.
  [[nodiscard]] std::uint64_t count(ConflictClass of) const {
    return counts_[static_cast<std::size_t>(of)];
  }
  // Newest first, until the visitor returns false.
  void for_each(const std::function<bool(const Conflict&)>& visit) const;

  // -- rows --
  [[nodiscard]] ConflictRows take_rows();
  // The rows that were taken last are on disk, or they are not and have to be taken again.
  void rows_written(bool written);
  // At start: takes in all rows, those that do not decode left alone, then keeps to the limits.
  void restore(std::string_view key, std::string_view value);
  void restored() { shrink(); }
  // What recovery has told is not new.
  void forget_counts() { counts_ = {}; }

 private:
  using Place = std::pair<Hlc, ConflictId>;

  void insert(Conflict conflict);
  void shrink();
  void erase(std::map<ConflictId, Conflict>::iterator line);

  Limits limits_;
  std::map<ConflictId, Conflict> lines_;
  std::set<Place> by_time_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  Hlc dropped_up_to_ = 0;
  std::array<std::uint64_t, conflict_classes> counts_{};
  std::set<ConflictId> changed_;  // their rows are not what they should be
  std::set<ConflictId> taken_;    // … and are being written
};

// The row that tells what was dropped; it comes before those of the lines.
[[nodiscard]] std::string dropped_conflicts_key();

}  // namespace starling::replica
