// An observer of the cluster that guards one property.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/replica/replica.h"
#include "tests/sim/door.h"
#include "tests/sim/faulty_store.h"
#include "tests/sim/history.h"

namespace starling::sim {

class Judge;

// A node's entry as it stands in the record of the tick that just ended. Nothing was performed yet.
struct Birth {
  NodeHistory& node;
  Dot first;
  std::string_view bytes;
  std::uint64_t expected = 0;  // the first free dot of its origin
  const Written* entry;        // empty if the dot was taken or the bytes make no sense
  const Written* taken;        // the entry that had this dot already
  Hlc hlc_before = 0;          // of its origin's entry before it
  const VersionVector& seen;   // V of its node just before it
};

// An answer as the core gave it, before it leaves the node.
struct Answer {
  enum class Kind : std::uint8_t {
    refused,   // behind, busy, not ready, no space: nothing ran
    repeated,  // the op id was known
    read,      // ran and wrote nothing
    write,     // ran and wrote `entry`, or in turns several entries
  };
  NodeHistory& node;
  const wire::Request& request;
  const wire::Response& response;
  Kind kind = Kind::read;
  const Written* entry = nullptr;
  const VersionVector& seen;                       // what the commands ran on
  std::vector<const OracleEntry*> applied_before;  // entries under its op id that this node had
  std::vector<std::int64_t> times_ms;              // by one of which it took keys to have expired
  const LongRun* run = nullptr;                    // it ran in turns
  Oracle::Answer wanted;                           // what the specification gives (read, write)
};

// An entry that a node wrote by itself, to take away what has expired.
struct Expired {
  NodeHistory& node;
  const Written& entry;
  std::vector<ObjectKey> keys;
  std::vector<ObjectKey> left_over;  // deadlines of no key
  std::int64_t expiry_ms = 0;        // what it went by
  std::uint64_t wall_ms = 0;         // its own clock
  std::uint64_t now_us = 0;
  const replica::View& view;
};

struct Crash {
  bool power = false;
  std::uint64_t now_us = 0;
  replica::SyncMode sync = replica::SyncMode::everysec;
  std::uint64_t promise_us = 0;  // how long an acknowledged write may wait for its fsync
};

// Sees everything in the order in which it happens and complains through the judge. The history is
// that of just before the event, unless said otherwise.
class Checker {
 public:
  // `rule` as in replication.md; `property` is the one sentence it guards.
  Checker(std::string rule, std::string property)
      : rule_(std::move(rule)), property_(std::move(property)) {}
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;
  virtual ~Checker() = default;

  [[nodiscard]] const std::string& rule() const { return rule_; }
  [[nodiscard]] const std::string& property() const { return property_; }
  void belongs_to(Judge& judge);

  // -- always --
  virtual void born(const Birth&) {}
  virtual void answered(const Answer&) {}
  virtual void expired(const Expired&) {}
  virtual void logging(NodeHistory&, const Written&) {}  // `committed` is still of before
  virtual void logged(NodeHistory&, const Written&) {}   // the history is that of after
  virtual void replied(NodeHistory&, const wire::Response&, const Written*, std::uint64_t) {}
  virtual void sending(NodeHistory&, const std::vector<replica::Send>&,  // all of one tick
                       const replica::Config&) {}
  virtual void said(NodeHistory&, const wire::PeerMessage&) {}
  // On the way to a peer, by the network: bytes of entries.
  virtual void unsent(NodeHistory&, replica::ConnectionId, std::uint64_t /*bytes*/) {}
  virtual void heard(NodeHistory&, replica::ConnectionId, const wire::PeerMessage&) {}
  virtual void digested(NodeHistory&, const VersionVector&, const Digest&) {}
  virtual void ingested(NodeHistory&, std::uint64_t /*position*/, const FaultyStore&) {}
  virtual void truncating(NodeHistory&, std::uint64_t /*first_kept*/, const replica::View&,
                          const FaultyStore&) {}
  virtual void crashed(NodeHistory&, const Crash&) {}
  virtual void started(NodeHistory&, const replica::View&, const FaultyStore&) {}  // history: after
  virtual void restored(NodeHistory&) {}  // from a backup, by an operator
  virtual void looked(NodeHistory&, const replica::View&, const replica::Config&) {}
  virtual void noted(NodeHistory&, const replica::ConflictJournal&) {}  // its journal has changed
  // -- finally: all nodes are up, connected and quiet --
  virtual void finally(NodeHistory&, const replica::View&) {}

 protected:
  [[nodiscard]] History& history() const;
  void checked() const { ++*checks_; }  // for coverage
  void hit(std::string_view branch, std::uint64_t times = 1) const;
  void complain(std::string sentence) const;

 private:
  std::string rule_;
  std::string property_;
  Judge* judge_ = nullptr;
  std::uint64_t* checks_ = nullptr;
};

}  // namespace starling::sim
