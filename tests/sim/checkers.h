// The judge: observers of a simulated cluster, one property each. Every complaint names its checker
// and says in one sentence what went wrong.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "crdt/cell.h"
#include "crdt/digest.h"
#include "server/replica/effects.h"
#include "server/replica/replica.h"
#include "tests/sim/faulty_store.h"
#include "tests/sim/oracle.h"

namespace starling::sim {

// How often each thing happened in a run; the sum over all seeds must cover everything.
class Coverage {
 public:
  void hit(const char* what, std::uint64_t times = 1) { counts_[what] += times; }
  void add(const std::string& what, std::uint64_t times) { counts_[what] += times; }
  void merge(const Coverage& other) {
    for (const auto& [what, count] : other.counts_) {
      counts_[what] += count;
    }
  }
  [[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>>& counts() const {
    return counts_;
  }

 private:
  std::map<std::string, std::uint64_t, std::less<>> counts_;
};

struct Violation {
  std::string checker;  // as in replication.md §10: I1, I2, …
  std::string sentence;
};

// The cells of one node as its log gives them, computed with nothing but crdt/: no layers, no
// partial cells, no markers, no eviction, no replay from the middle.
class ReferenceState {
 public:
  void apply(const Entry& entry);
  [[nodiscard]] const std::map<CellKey, CellValue>& cells() const { return cells_; }
  [[nodiscard]] Digest digest() const;
  friend bool operator==(const ReferenceState&, const ReferenceState&) = default;

 private:
  std::map<CellKey, CellValue> cells_;
};

// Always: after each tick, record, message, checkpoint and start. Finally: when all is healed.
class Judge {
 public:
  explicit Judge(Coverage& coverage) : coverage_(coverage) {}

  // -- what happens to the cluster --
  void requested(std::size_t node, replica::RequestId id, const wire::Request& request);
  void clock(std::size_t node, std::uint64_t wall_ms) {
    nodes_[node].max_wall_ms = std::max(nodes_[node].max_wall_ms, wall_ms);
  }
  // After a start, or the end of a recovery.
  void started(std::size_t node, const FaultyStore& store, const replica::View& view,
               std::uint64_t now_us);
  // A tick has ended; nothing of it has been performed yet.
  void ticked(std::size_t node, const replica::Effects& effects, std::uint64_t wall_ms);
  void committed(std::size_t node, const replica::LogWrite& write);
  void replied(std::size_t node, replica::RequestId id, std::uint64_t now_us);
  void said(std::size_t node, const wire::PeerMessage& message);
  void synced(std::size_t node, std::uint64_t position) { nodes_[node].synced = position; }
  void froze(std::size_t node, std::uint64_t position);
  void ingested(std::size_t node, const FaultyStore& store);
  void looked(std::size_t node, const replica::View& view, const replica::Config& config);
  void digested(std::size_t node, const VersionVector& applied, const Digest& digest);
  struct Crash {
    bool power = false;
    std::uint64_t now_us = 0;
    std::uint64_t synced_position = 0;
    replica::SyncMode sync = replica::SyncMode::everysec;
    std::uint64_t promise_us = 0;  // how long an acknowledged write may wait for its fsync
  };
  void crashed(std::size_t node, const Crash& crash);
  // The log of this node is about to lose its records below `first_kept`.
  void truncated(std::size_t node, std::uint64_t first_kept, const FaultyStore& store);
  // All nodes are up, connected and quiet.
  void finally(std::size_t node, const replica::View& view);

  [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }
  void complain(std::string checker, std::string sentence);
  [[nodiscard]] Oracle& oracle() { return oracle_; }
  [[nodiscard]] const VersionVector& applied(std::size_t node) { return nodes_[node].applied; }
  [[nodiscard]] std::uint64_t entries() const { return entries_; }
  void name(std::size_t node, std::string name) { nodes_[node].name = std::move(name); }

 private:
  struct Known {  // an entry of somebody's stream
    std::uint64_t last = 0;
    std::string bytes;
    Entry entry;
    EntryId id = no_entry;   // once the request behind it is known
    bool committed = false;  // its origin has it in its log
  };
  struct Acked {
    Dot dot;
    std::uint64_t at_us = 0;
    std::uint64_t position = 0;
    bool settled = false;  // must be on disk whatever happens
  };
  struct Track {  // one node
    std::string name;
    Origin self;
    std::uint64_t node = 0;
    VersionVector applied;  // what its log holds
    std::uint64_t position = 0;
    ReferenceState state;
    std::map<std::uint64_t, VersionVector> applied_at;  // by log position
    std::uint64_t synced = 0;                           // its disk cannot lose records up to here
    std::map<std::uint64_t, ReferenceState> frozen;     // by log position
    std::uint64_t ingested = 0;
    ReferenceState ingested_state;
    std::uint64_t written = 0;  // last own dot that a reply was linked to
    std::unordered_map<replica::RequestId, wire::Request> requests;
    std::unordered_map<replica::RequestId, Dot> writes;  // executed, not yet answered
    std::vector<Acked> acked;
    std::uint64_t max_wall_ms = 0;
    std::uint64_t started_us = 0;
    VersionVector must_have;  // after the crash under way
    bool crashed = false;
  };
  using Stream = std::map<std::uint64_t, Known>;  // by first dot

  [[nodiscard]] std::string shown(const Dot& dot) const;
  void born(Track& track, const Run& run, std::uint64_t wall_ms);
  void answered(Track& track, const wire::Request& request, const wire::Response& response,
                replica::RequestId id);
  void compare(const Track& track, const wire::Request& request,
               const std::vector<wire::Result>& got, const std::vector<wire::Result>& wanted,
               const VersionVector& seen);
  void check_state(Track& track, const Cut& cut, const ReferenceState& wanted,
                   const VersionVector& applied, const char* when);
  [[nodiscard]] Known* find(const Dot& first);
  // What this node's disk holds whatever happens.
  [[nodiscard]] const VersionVector& safe(const Track& track) const;
  void commit(Track& track, const Run& run, bool replay);

  Coverage& coverage_;
  std::optional<Violation> violation_;
  Oracle oracle_;
  std::map<std::size_t, Track> nodes_;
  std::map<std::uint64_t, std::string> names_;  // by node id
  std::map<Origin, Stream> streams_;
  std::map<Origin, OriginStream> heads_;
  std::map<OpId, std::vector<EntryId>> by_op_id_;
  std::map<std::string, Digest> digests_;  // by encoded V
  std::uint64_t entries_ = 0;
};

[[nodiscard]] std::string describe(const wire::Result& result);
[[nodiscard]] std::string describe(const wire::Command& command);

}  // namespace starling::sim
