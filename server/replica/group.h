// The replicated state machine: the only place where entries become state (R1.1, R2.1).
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crdt/cell.h"
#include "crdt/entry.h"
#include "crdt/hybrid_clock.h"
#include "server/replica/checkpoint.h"
#include "server/replica/commands.h"
#include "server/replica/conflict_finder.h"
#include "server/replica/conflict_journal.h"
#include "server/replica/hold_buffer.h"
#include "server/replica/key_locks.h"
#include "server/replica/log_index.h"
#include "server/replica/record.h"
#include "server/replica/tables.h"
#include "server/replica/watches.h"
#include "wire/messages.h"

namespace starling::replica {

// Version vector, streams, tables and the record of the current tick. Own writes, entries from
// peers and replay all pass the same gate and take the same joins.
// Runs on: core strand.
class Group {
 public:
  struct Limits {
    Tables::Limits tables{};
    CommandLimits commands{};
    ConflictJournal::Limits conflicts{};
    std::size_t hold_bytes = 8u << 20;
  };

  Group(const Store& store, const Limits& limits);

  // -- recovery --
  // Loads the checkpoint row and replays the log behind it (R5.4). Then `begin` gives the origin
  // under which this process writes.
  [[nodiscard]] StoreResult<void> recover(std::uint64_t unix_ms);
  void begin(const Origin& self);

  // -- own writes --
  struct Executed {
    std::vector<wire::Result> results;
    bool repeated = false;
  };
  // Runs all commands of a request; its writes become one entry, or nothing does. `expiry_ms` is
  // the time by which keys expire.
  [[nodiscard]] std::expected<Executed, wire::Error> execute(const wire::Request& request,
                                                             std::uint64_t unix_ms,
                                                             std::int64_t expiry_ms);
  // The same for work that reads and writes a transaction by itself, and keeps its answer.
  using Work = std::function<void(Transaction&)>;
  using ExpiryTime = std::function<std::int64_t(Now)>;
  [[nodiscard]] std::expected<void, wire::Error> run(const Work& work, std::uint64_t unix_ms,
                                                     std::int64_t expiry_ms);

  // The same for work that takes long, in turns; it begins within the first. What it has written
  // before it is refused stays.
  [[nodiscard]] std::expected<void, wire::Error> run_in_turns(const Work& work, Now now,
                                                              const ExpiryTime& expiry_ms,
                                                              Turns& turns);

  // -- the gate --
  enum class Admission : std::uint8_t {
    applied,    // moved V
    duplicate,  // all of it was known
    held,       // waits for what it depends on, for memory, or for a long command
    dropped,    // would wait, but the buffer is full
    stalled,    // refused: damaged, of a newer format, or a fork
  };
  struct Admitted {
    Admission admission = Admission::duplicate;
    std::uint64_t entries = 0;  // applied, held ones that became ready included
    std::string problem;        // of a stalled one, for people
  };
  [[nodiscard]] Admitted admit(Run run, std::uint64_t unix_ms);
  // What was held may be next now, or have room now. Returns how many entries were applied.
  std::uint64_t admit_held(std::uint64_t unix_ms);

  // -- the tick --
  [[nodiscard]] bool has_record() const { return !record_.empty(); }
  [[nodiscard]] std::size_t record_bytes() const { return record_.bytes(); }
  // The disk's reserve allows this tick's record to grow by so much.
  [[nodiscard]] bool has_room(std::size_t bytes) const {
    return store_.has_room(record_.bytes() + bytes);
  }
  // The record of this tick and its log position; the group counts it as written from now on.
  struct Written {
    std::uint64_t position = 0;
    std::string bytes;
    std::vector<Run> own;  // what this origin wrote
  };
  [[nodiscard]] Written take_record();
  // The log is durable up to `position`: D moves (R1.5).
  void synced(std::uint64_t position);

  // -- checkpoints --
  [[nodiscard]] bool dirty() const;
  [[nodiscard]] std::size_t dirty_bytes() const;  // what the next checkpoint would take from memory
  // Of what is not on disk yet: nothing more is to be written until a checkpoint has ended.
  [[nodiscard]] bool full() const;
  [[nodiscard]] bool checkpointing() const { return tables_.freezing() || tables_.thawing(); }
  // Freezes at the tick boundary after `take_record`. Requires !checkpointing().
  [[nodiscard]] std::unique_ptr<CheckpointJob> checkpoint(std::uint64_t unix_ms);
  void checkpoint_done(const CheckpointDone& done);

  // -- looking --
  [[nodiscard]] const Origin& self() const { return self_; }
  [[nodiscard]] const VersionVector& applied() const { return applied_; }
  [[nodiscard]] const VersionVector& durable() const { return durable_; }
  [[nodiscard]] const Streams& streams() const { return streams_; }
  [[nodiscard]] const HoldBuffer& held() const { return held_; }
  [[nodiscard]] const LogIndex& log() const { return log_; }
  [[nodiscard]] Tables& tables() { return tables_; }
  [[nodiscard]] Watches& watches() { return watches_; }
  [[nodiscard]] KeyLocks& locks() { return locks_; }
  [[nodiscard]] const Tables& tables() const { return tables_; }
  [[nodiscard]] const ConflictJournal& conflicts() const { return conflicts_; }
  [[nodiscard]] HybridClock& clock() { return clock_; }
  [[nodiscard]] std::uint64_t log_position() const { return log_end_; }
  [[nodiscard]] std::uint64_t checkpoint_number() const { return checkpoint_number_; }
  [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
  [[nodiscard]] std::uint64_t runs_dropped() const { return runs_dropped_; }
  [[nodiscard]] std::uint64_t entries_from_peers() const { return entries_from_peers_; }
  [[nodiscard]] const std::map<Origin, std::string>& stalled() const { return stalled_; }

 private:
  class RunInTurns;

  Admitted admit_one(Run run, std::uint64_t unix_ms);
  // Takes the payloads: nobody needs them once the entry is encoded.
  void apply(Entry& entry);
  // What the transaction has written becomes the next entry of this origin.
  [[nodiscard]] std::expected<void, wire::Error> write(Transaction& transaction,
                                                       std::optional<OpId> op_id,
                                                       std::string outcome);
  // An add of what is there already is a write to other nodes, but WATCH must not take it for one.
  [[nodiscard]] bool changes_nothing(const Entry& entry, const Op& op);
  void remember(const Entry& entry);
  // -- conflicts (group_conflicts.cc) --
  [[nodiscard]] StoreResult<void> restore_conflicts();
  // What readers may have seen meet is noted before `entry` can take it away.
  void note_conflicts_before(const Entry& entry);
  void note_conflicts_of(const Entry& entry);
  void note_undecided(const ObjectKey& object);
  void note_undecided(const CellKey& key);
  void look_for_conflicts(const CellKey& key);
  [[nodiscard]] std::expected<Executed, wire::Error> repeat(const wire::Request& request,
                                                            const OpOutcome& outcome,
                                                            std::int64_t expiry_ms);
  [[nodiscard]] StoreResult<std::optional<OpOutcome>> outcome_of(const OpId& id,
                                                                 std::uint64_t unix_ms) const;

  const Store& store_;
  Limits limits_;
  OriginTable origins_;
  Tables tables_;
  Streams streams_;
  VersionVector applied_;  // V
  VersionVector durable_;  // D
  HybridClock clock_;
  Hlc newest_ = 0;  // of all entries applied, whoever's clock stamped it
  Origin self_;
  bool recovering_ = false;
  bool replay_left_undecided_ = false;  // until a checkpoint has decided it
  HoldBuffer held_;
  LogIndex log_;
  Record record_;
  std::string encoded_;  // scratch of `write`  // of the current tick
  std::uint64_t log_end_ = 0;
  std::deque<std::pair<std::uint64_t, VersionVector>> unsynced_;  // position -> V there
  Watches watches_;
  KeyLocks locks_;
  ConflictJournal conflicts_;
  OpOutcomes outcomes_;                                // since the last freeze
  std::shared_ptr<const OpOutcomes> frozen_outcomes_;  // in the checkpoint being written
  std::uint64_t checkpoint_number_ = 0;
  std::uint64_t frozen_position_ = 0;
  std::map<Origin, std::string> stalled_;
  std::uint64_t duplicates_ = 0;
  std::uint64_t runs_dropped_ = 0;
  std::uint64_t entries_from_peers_ = 0;
};

}  // namespace starling::replica
