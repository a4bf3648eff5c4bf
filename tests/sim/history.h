// What has happened to the cluster so far: who wrote what, who has it in its log, what lies on
// which disk. Facts only; the checkers judge them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "crdt/entry.h"
#include "server/replica/effects.h"
#include "tests/sim/oracle.h"
#include "tests/sim/reference_state.h"

namespace starling::sim {

// An entry as its origin wrote it.
struct Written {
  Entry entry;
  std::string bytes;
  EntryId id = no_entry;   // the oracle's, once the request behind it is known
  bool committed = false;  // its origin has it in its log

  [[nodiscard]] Dot first() const { return entry.dot(0); }
  [[nodiscard]] Dot last() const { return {entry.origin, entry.last()}; }
};

// One node, over all its lifetimes.
struct NodeHistory {
  std::string name;
  bool founder = false;  // names nobody to join
  std::uint64_t id = 0;  // 0: never started
  Origin self;
  std::uint64_t started_us = 0;
  std::uint64_t latest_wall_ms = 0;  // that its clock ever showed
  // Of each other node, by index: how far its clock was ahead of virtual time, at most, by what
  // this lifetime has heard.
  std::map<std::size_t, std::int64_t> clocks_ahead_ms;

  VersionVector applied;  // what its log holds
  std::uint64_t position = 0;
  ReferenceState state;                               // what its log gives
  std::map<std::uint64_t, VersionVector> applied_at;  // by log position, from the checkpoint on
  std::uint64_t synced = 0;  // up to here its disk keeps the log whatever happens

  std::map<std::uint64_t, ReferenceState> frozen;  // by log position
  std::uint64_t ingested = 0;                      // log position of the state on disk
  ReferenceState ingested_state;

  struct Asked {
    wire::Request request;
    std::int64_t expiry_ms = 0;  // what expiry went by when it came
    std::uint64_t tick = 0;      // in which it came
  };
  std::unordered_map<replica::RequestId, Asked> asked;  // and not answered yet
  std::uint64_t tick = 0;
  std::uint64_t answered = 0;  // last own dot that belongs to a request, or to expiry

  // What a power cut leaves it at least: V at the synced end of its log.
  [[nodiscard]] const VersionVector& durable() const;
};

class History {
 public:
  [[nodiscard]] NodeHistory& node(std::size_t index) { return nodes_[index]; }
  [[nodiscard]] const std::map<std::size_t, NodeHistory>& nodes() const { return nodes_; }
  [[nodiscard]] Oracle& oracle() { return oracle_; }

  // The end of what this origin ever wrote.
  [[nodiscard]] const OriginStream& head(const Origin& origin) { return heads_[origin]; }
  // The entry with this first or last dot.
  [[nodiscard]] Written* beginning_at(const Dot& first);
  [[nodiscard]] Written* ending_at(const Dot& last);
  [[nodiscard]] Written* holding(const Dot& dot);  // among others
  // The next entry of this origin; nothing if it does not decode as that.
  Written* write(const Origin& origin, std::string_view bytes);
  // This node has it in its log now.
  void log(NodeHistory& node, Written& written, bool by_its_origin);

  // Entries written under one op id: more than one if nodes that had not seen each other took it.
  [[nodiscard]] const std::vector<EntryId>& under(const OpId& id) { return by_op_id_[id]; }
  // This entry is what came of a request that was answered so.
  void link(Written& written, const std::vector<wire::Result>& results);

  [[nodiscard]] std::string shown(const Dot& dot) const;

 private:
  using Stream = std::map<std::uint64_t, Written>;  // by first dot

  std::map<std::size_t, NodeHistory> nodes_;
  std::map<Origin, Stream> streams_;
  std::map<Origin, OriginStream> heads_;
  std::map<OpId, std::vector<EntryId>> by_op_id_;
  Oracle oracle_;
};

}  // namespace starling::sim
