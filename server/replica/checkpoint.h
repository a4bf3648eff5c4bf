// What a checkpoint says about itself, and the rows beside the cells (R5.2).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/cell.h"
#include "crdt/entry.h"
#include "server/replica/conflict_journal.h"
#include "server/replica/jobs.h"
#include "server/replica/linear_hash_map.h"
#include "server/replica/row_keys.h"
#include "server/replica/tables.h"

namespace starling::replica {

using Streams = std::map<Origin, OriginStream>;

// Where the log holds an origin's runs: the record that ends a run with dot `last`. Ordered by
// `last`, so that the first row with last >= n is the record that holds dot n.
struct LogPlace {
  Origin origin;
  std::uint64_t last = 0;
  std::uint64_t position = 0;
};

// What a retry of an applied request is answered (R6.3).
struct OpOutcome {
  Hlc hlc = 0;
  std::string outcome;
};
struct OpIdHash {
  [[nodiscard]] std::size_t operator()(const OpId& id) const {
    return static_cast<std::size_t>(id.session ^ (id.sequence * 0x9E3779B97F4A7C15ULL));
  }
};
// Invariant: the first that was added for an id stays.
class OpOutcomes {
 public:
  void add(const OpId& id, const OpOutcome& outcome) {
    constexpr std::size_t node = 96;
    if (by_id_.try_emplace(id, outcome).second) {
      bytes_ += node + outcome.outcome.size();
    }
  }
  void add(const OpOutcomes& older) {
    for (const auto& [id, outcome] : older.by_id_) {
      add(id, outcome);
    }
  }
  [[nodiscard]] const OpOutcome* find(const OpId& id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const auto& by_id() const { return by_id_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  LinearHashMap<OpId, OpOutcome, OpIdHash> by_id_;
  std::size_t bytes_ = 0;
};

// The one row from which a replica starts again: everything about V at W.
struct CheckpointRow {
  Streams streams;  // V = n of every stream; with h, dictionary and last deps
  std::vector<VersionVector::Seal> seals;
  std::vector<Origin> origins;  // the origin table, in interning order
  Hlc hlc = 0;                  // clock high-water mark
  VersionVector stable;         // largest stable cut used so far (R5.9)

  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static std::optional<CheckpointRow> decode(std::string_view bytes);
};

struct CheckpointMeta {
  CheckpointRow row;
  std::vector<LogPlace> places;                // of the records since the checkpoint before
  std::shared_ptr<const OpOutcomes> outcomes;  // of the entries since the checkpoint before
  ConflictRows conflicts;                      // that changed since the checkpoint before
  ConflictJournal::Limits conflict_limits;
  std::uint64_t log_first = 1;  // places below it may go
  std::uint64_t now_hour = 0;   // outcomes older than the window may go
};

// Row keys under meta_prefix.
[[nodiscard]] std::string checkpoint_key();
[[nodiscard]] std::string place_key(const Origin& origin, std::uint64_t last);
[[nodiscard]] std::string places_end(const Origin& origin);
[[nodiscard]] std::string outcome_key(std::uint64_t hour, const OpId& id);
[[nodiscard]] std::string encode_outcome(const OpOutcome& outcome);
[[nodiscard]] std::optional<OpOutcome> decode_outcome(std::string_view bytes);

// Op ids are remembered for at least one whole hour: rows are grouped by the hour of their entry.
[[nodiscard]] constexpr std::uint64_t hour_of(Hlc hlc) { return hlc_unix_ms(hlc) / 3'600'000; }
inline constexpr std::uint64_t outcome_hours_kept = 2;

}  // namespace starling::replica
