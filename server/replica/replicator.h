// Deltas between nodes: connections, push, pull, acknowledgements, heartbeats, members (R6).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/replica/effects.h"
#include "server/replica/group.h"
#include "server/replica/members.h"
#include "server/replica/replica.h"

namespace starling::replica {

// One live connection to another node, from its Hello to its end. Nothing in it survives the
// connection: the peer's next Hello is authoritative.
struct Link {
  ConnectionId connection = 0;
  bool outbound = false;
  std::string dialed;  // the address, if outbound
  std::uint64_t opened_us = 0;

  bool greeted = false;  // its Hello has arrived and was accepted
  std::uint64_t node = 0;
  std::string name;
  Origin origin;
  bool ready = false;
  VersionVector applied;  // V as it told us
  VersionVector durable;  // D as it told us
  std::uint64_t last_heard_us = 0;
  std::uint64_t last_sent_us = 0;
  std::int64_t clock_skew_ms = 0;
  std::uint64_t clock_ms = 0;  // its clock as last told, at `clock_at_us` of ours
  std::uint64_t clock_at_us = 0;
  std::uint64_t members_hash = 0;
  std::uint64_t members_sent_us = 0;

  // Pushing our own entries: all up to `cursor` are on their way.
  std::uint64_t cursor = 0;
  std::uint64_t confirmed = 0;  // what it has told us it has
  std::uint64_t cursor_moved_us = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t acknowledged_bytes = 0;
  std::uint64_t credit = 0;
  std::uint64_t next_bytes = 0;  // of the run behind `cursor`, if it found no room
  // Something has found no room since then, and nothing was acknowledged. 0: not so.
  std::uint64_t blocked_since_us = 0;

  // Receiving theirs.
  std::uint64_t received_bytes = 0;
  bool ack_due = false;

  // Of entries: sent, and not acknowledged yet.
  [[nodiscard]] std::uint64_t under_way() const {
    return sent_bytes - std::min(sent_bytes, acknowledged_bytes);
  }
};

// Decides what to say to whom. Own entries are pushed to every member within its credit; everything
// else is pulled from whoever has it. The log is the buffer: there is no queue per peer, only a
// cursor (R6.1, I8).
// Runs on: core strand.
class Replicator {
 public:
  Replicator(Group& group, const Config& config, std::uint64_t node, std::optional<Origin> previous,
             Members members);

  // -- inputs --
  void connected(const PeerConnected& input, Now now);
  void dial_failed(const DialFailed& input, Now now);
  void closed(const PeerClosed& input, Now now);
  void received(PeerReceived input, Now now);
  // The own entries of this tick, so that pushes need not read the log again.
  void wrote(Run own);
  void stop(Now now);

  // -- effects of this tick, to be called after the record was taken --
  void collect(Effects& effects, bool ready, Now now);
  // When something is due without any input.
  [[nodiscard]] std::uint64_t next_due_us() const { return next_due_us_; }
  // How many connected members have applied all of it.
  [[nodiscard]] std::size_t members_with(const VersionVector& upto) const;
  // The time by which keys expire here.
  [[nodiscard]] std::int64_t expiry_ms(Now now) const;
  [[nodiscard]] bool wants_tick() const { return wants_tick_; }

  // -- faults on purpose (`kvctl partition`) --
  void cut(const std::vector<std::uint64_t>& nodes);  // empty: all
  void heal(const std::vector<std::uint64_t>& nodes);
  [[nodiscard]] bool is_cut(std::uint64_t node) const { return cut_all_ || cut_.contains(node); }

  // -- asking all connected members for their digests --
  void request_digests(std::uint64_t id);
  struct DigestAnswer {
    std::uint64_t node = 0;
    wire::DigestReply reply;
  };
  [[nodiscard]] std::vector<DigestAnswer> take_digest_answers();
  struct DigestQuestion {
    ConnectionId from = 0;
    std::uint64_t id = 0;
  };
  [[nodiscard]] std::vector<DigestQuestion> take_digest_questions();
  void answer_digest(ConnectionId to, wire::DigestReply reply);

  // -- looking --
  [[nodiscard]] const Members& members() const { return members_; }
  [[nodiscard]] bool members_changed();  // since the last call: persist them
  [[nodiscard]] std::vector<const Link*> links() const;
  [[nodiscard]] std::vector<PeerView> views(Now now) const;
  // Nodes that must not be what they are: another with our name, our identity or another history.
  [[nodiscard]] std::vector<std::string> conflicts(Now now) const;
  // How often this node said goodbye, by reason.
  using Refused = std::array<std::uint64_t, wire::goodbye_reasons>;
  [[nodiscard]] const Refused& refused() const { return refused_; }
  // V of the first greeted ready member, for a node that joins (R5.7).
  [[nodiscard]] const std::optional<VersionVector>& join_goal() const { return join_goal_; }
  [[nodiscard]] bool needs_bootstrap() const { return needs_bootstrap_; }
  // The smallest D over all known members; empty while one is away.
  [[nodiscard]] std::optional<VersionVector> durable_everywhere() const;

 private:
  struct DialState {
    DialId dial = 0;  // under way, 0 if none
    std::uint64_t failures = 0;
    std::uint64_t next_us = 0;
  };
  // What figures tell of a member over all links with it that have ended.
  struct PastLinks {
    std::uint64_t last_heard_us = 0;
    std::int64_t clock_skew_ms = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t received_bytes = 0;
  };
  struct PullState {
    std::uint64_t lacking_since_us = 0;
    std::uint64_t asked_us = 0;
    std::uint64_t n_then = 0;
    std::size_t turn = 0;  // whom to ask next
  };

  using Links = std::map<ConnectionId, Link>;
  // Forgets a link, and remembers of it what figures tell. Returns the next one.
  Links::iterator lose(Links::iterator it);
  void lose(const Link& link) { lose(links_.find(link.connection)); }

  void say(ConnectionId connection, wire::PeerMessage message);
  void end(Link& link, wire::Goodbye::Reason reason, std::string detail, Now now);
  void rest(const std::string& dialed, Now now);
  void dial_later(const Link& link, Now now);
  void event(Severity severity, std::string text);
  [[nodiscard]] wire::Hello hello(Now now) const;
  [[nodiscard]] wire::Member self_facts() const;

  void note_clock(Link& link, std::uint64_t clock_ms, Now now);
  void note_vectors(Link& link, const VersionVector& applied, const VersionVector& durable);
  void on(Link& link, const wire::Hello& message, Now now);
  void on(Link& link, wire::Push& message, Now now);
  void on(Link& link, const wire::Pull& message, Now now);
  void on(Link& link, const wire::PullNack& message, Now now);
  void on(Link& link, const wire::Ack& message);
  void on(Link& link, const wire::Heartbeat& message, Now now);
  void on(Link& link, const wire::MemberFacts& message);
  void on(Link& link, const wire::Goodbye& message, Now now);

  [[nodiscard]] bool acceptable(Link& link, const wire::Hello& hello, Now now);
  [[nodiscard]] std::string name_conflict(std::uint64_t other) const;
  void note_conflict(const std::string& text, Now now);
  // Of two connections to one node, the same one stays on both sides.
  void drop_duplicates(Link& link, Now now);
  void learn(const std::vector<wire::Member>& facts);
  void consider_join_goal(bool good, const VersionVector& applied);

  void push_all(Now now);
  void push(Link& link, Now now);
  [[nodiscard]] bool has_room(Link& link, std::uint64_t bytes, Now now) const;
  static void note_blocked(Link& link, Now now);
  [[nodiscard]] std::vector<Run> runs_behind(const Link& link) const;
  [[nodiscard]] bool lacks_earlier_origin(const Link& link) const;
  void send_due(Now now, bool ready);
  void pull_missing(Now now);
  void dial_missing(Now now);
  void drop_silent(Now now);
  [[nodiscard]] std::string silence(const Link& link, Now now);
  void due(std::uint64_t at_us) { next_due_us_ = std::min(next_due_us_, at_us); }
  [[nodiscard]] std::uint64_t backoff_us(std::uint64_t failures);
  [[nodiscard]] std::uint64_t random();

  Group& group_;
  const Config& config_;
  std::uint64_t node_;
  std::optional<Origin> previous_;
  std::uint64_t window_;  // bytes of entries under way to a peer, or from one
  bool full_ = false;     // no entry is taken in until a checkpoint has gone through
  Members members_;
  bool members_changed_ = true;
  Links links_;
  std::map<std::string, DialState> dials_;
  std::set<std::string> own_addresses_;  // that turned out to be ourselves
  DialId last_dial_ = 0;
  std::map<Origin, PullState> pulls_;
  std::deque<Run> recent_own_;  // the latest, in order
  std::size_t recent_own_bytes_ = 0;
  std::set<std::uint64_t> cut_;
  bool cut_all_ = false;
  bool stopping_ = false;
  bool ready_ = false;
  bool needs_bootstrap_ = false;
  std::optional<VersionVector> join_goal_;
  Refused refused_{};
  std::map<std::string, std::uint64_t> conflicts_;       // sentence -> when it was true last
  std::map<std::uint64_t, VersionVector> last_durable_;  // of members, over connections
  std::map<std::uint64_t, PastLinks> past_links_;        // of members
  std::vector<DigestQuestion> digest_questions_;
  std::vector<DigestAnswer> digest_answers_;
  std::uint64_t random_state_;
  std::uint64_t next_due_us_ = 0;
  bool wants_tick_ = true;

  // Gathered since the last collect.
  std::vector<Send> sends_;
  std::vector<Dial> new_dials_;
  std::vector<Close> closes_;
  std::vector<Event> events_;
};

}  // namespace starling::replica
