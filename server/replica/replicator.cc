#include "server/replica/replicator.h"

#include <algorithm>
#include <utility>

#include "crdt/mutants.h"
#include "server/replica/splitmix.h"

namespace starling::replica {
namespace {

constexpr std::size_t push_bytes = 1u << 20;  // of entries that are read at once to be pushed
constexpr std::size_t recent_own_capacity = 8u << 20;
constexpr std::uint64_t second_us = 1'000'000;
constexpr std::uint64_t dial_delay_us = 50'000;
constexpr std::uint64_t dial_delay_max_us = 3 * second_us;
constexpr std::uint64_t conflict_memory_us = 10 * second_us;
constexpr std::size_t max_conflicts = 16;

std::uint64_t missing_ops(const VersionVector& from, const VersionVector& in) {
  std::uint64_t missing = 0;
  for (const auto& c : from.components()) {
    if (!in.covers({c.origin, c.n})) {
      missing += c.n - std::min(c.n, in.at(c.origin));
    }
  }
  return missing;
}

}  // namespace

Replicator::Replicator(Group& group, const Config& config, std::uint64_t node,
                       std::optional<Origin> previous, Members members)
    : group_(group),
      config_(config),
      node_(node),
      previous_(previous),
      window_(config.window()),
      members_(std::move(members)),
      random_state_(splitmix64(config.random_seed ^ node)) {
  wire::Member facts = self_facts();
  if (const wire::Member* known = members_.find(node_)) {
    facts.revision = known->revision;
    if (!(facts == *known)) {
      facts.revision = std::max(known->revision + 1, group_.clock().last());
    }
  } else {
    facts.revision = std::max<std::uint64_t>(1, group_.clock().last());
  }
  members_.merge(facts);
}

wire::Member Replicator::self_facts() const {
  return {
      node_, config_.name, config_.peer_address, config_.client_address, wire::MemberState::active,
      0};
}

// Doubles with every failure up to a bound, with jitter so that nodes do not dial in step.
std::uint64_t Replicator::backoff_us(std::uint64_t failures) {
  const std::uint64_t delay =
      std::min(dial_delay_max_us, dial_delay_us << std::min<std::uint64_t>(failures, 6));
  return delay / 2 + random() % delay;
}

std::uint64_t Replicator::random() { return random_state_ = splitmix64(random_state_); }

void Replicator::say(ConnectionId connection, wire::PeerMessage message) {
  sends_.push_back({connection, std::move(message)});
  wants_tick_ = true;
}

void Replicator::event(Severity severity, std::string text) {
  events_.push_back({severity, std::move(text)});
  wants_tick_ = true;
}

void Replicator::end(Link& link, wire::Goodbye::Reason reason, std::string detail, Now now) {
  ++refused_[static_cast<std::size_t>(reason)];
  say(link.connection, wire::Goodbye{reason, std::move(detail)});
  reason == wire::Goodbye::Reason::duplicate ? dial_later(link, now) : rest(link.dialed, now);
  closes_.push_back({link.connection});
  lose(link);
}

// Whoever refuses, this side or the other: dialling again at once would only repeat it.
void Replicator::rest(const std::string& dialed, Now now) {
  if (!dialed.empty()) {
    DialState& dial = dials_[dialed];
    dial.failures = 6;
    dial.next_us = now.monotonic_us + dial_delay_max_us;
  }
}

// A connection that ends as soon as it began is a refusal: back off as if it had failed.
void Replicator::dial_later(const Link& link, Now now) {
  if (!link.dialed.empty()) {
    DialState& dial = dials_[link.dialed];
    dial.failures = now.monotonic_us > link.opened_us + second_us ? 0 : dial.failures + 1;
    dial.next_us = now.monotonic_us + backoff_us(dial.failures);
  }
}

// ---------------------------------------------------------------- connections

void Replicator::connected(const PeerConnected& input, Now now) {
  std::string dialed;
  for (auto& [address, state] : dials_) {
    if (input.dial && state.dial == *input.dial) {
      state.dial = 0;
      dialed = address;
    }
  }
  if (stopping_ || cut_all_) {
    closes_.push_back({input.connection});
    wants_tick_ = true;
    return;
  }
  Link& link = links_[input.connection];
  link.connection = input.connection;
  link.outbound = input.dial.has_value();
  link.dialed = std::move(dialed);
  link.opened_us = link.last_heard_us = now.monotonic_us;
  say(link.connection, hello(now));
}

void Replicator::dial_failed(const DialFailed& input, Now now) {
  for (auto& [address, state] : dials_) {
    if (state.dial == input.dial) {
      state.dial = 0;
      ++state.failures;
      state.next_us = now.monotonic_us + backoff_us(state.failures);
    }
  }
}

void Replicator::closed(const PeerClosed& input, Now now) {
  const auto it = links_.find(input.connection);
  if (it == links_.end()) {
    return;
  }
  if (it->second.greeted) {
    event(Severity::info, "lost the connection to " + it->second.name);
  }
  dial_later(it->second, now);
  lose(it);
  wants_tick_ = true;
}

// Of a member only, as in note_vectors.
Replicator::Links::iterator Replicator::lose(Links::iterator it) {
  const Link& link = it->second;
  if (link.greeted && members_.find(link.node) != nullptr) {
    PastLinks& past = past_links_[link.node];
    if (link.last_heard_us >= past.last_heard_us) {  // of two links the older one may end later
      past.last_heard_us = link.last_heard_us;
      past.clock_skew_ms = link.clock_skew_ms;
    }
    past.sent_bytes += link.sent_bytes;
    past.received_bytes += link.received_bytes;
  }
  return links_.erase(it);
}

wire::Hello Replicator::hello(Now now) const {
  wire::Hello hello;
  hello.cluster = config_.cluster;
  hello.node = node_;
  hello.name = config_.name;
  hello.origin = group_.self();
  hello.previous = previous_;
  hello.applied = group_.applied();
  hello.durable = group_.durable();
  for (const auto& [origin, stream] : group_.streams()) {
    if (stream.n > 0) {
      hello.hashes.push_back({origin, stream.n, stream.hash});
    }
  }
  hello.members = members_.all();
  hello.clock_ms = now.unix_ms;
  hello.ready = ready_;
  return hello;
}

void Replicator::received(PeerReceived input, Now now) {
  const auto it = links_.find(input.connection);
  if (it == links_.end()) {
    return;
  }
  Link& link = it->second;
  link.last_heard_us = now.monotonic_us;
  if (const auto* hello = std::get_if<wire::Hello>(&input.message)) {
    on(link, *hello, now);
    return;
  }
  if (const auto* goodbye = std::get_if<wire::Goodbye>(&input.message)) {
    on(link, *goodbye, now);
    return;
  }
  if (!link.greeted || is_cut(link.node)) {
    return;
  }
  if (auto* push = std::get_if<wire::Push>(&input.message)) {
    on(link, *push, now);
  } else if (const auto* pull = std::get_if<wire::Pull>(&input.message)) {
    on(link, *pull, now);
  } else if (const auto* nack = std::get_if<wire::PullNack>(&input.message)) {
    on(link, *nack, now);
  } else if (const auto* ack = std::get_if<wire::Ack>(&input.message)) {
    on(link, *ack);
  } else if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&input.message)) {
    on(link, *heartbeat, now);
  } else if (const auto* facts = std::get_if<wire::MemberFacts>(&input.message)) {
    on(link, *facts);
  } else if (const auto* question = std::get_if<wire::DigestRequest>(&input.message)) {
    constexpr std::size_t max_questions = 64;
    if (digest_questions_.size() < max_questions) {
      digest_questions_.push_back({link.connection, question->id});
      wants_tick_ = true;
    }
  } else if (auto* answer = std::get_if<wire::DigestReply>(&input.message)) {
    digest_answers_.push_back({link.node, std::move(*answer)});
    wants_tick_ = true;
  }
}

// ---------------------------------------------------------------- Hello and Goodbye

bool Replicator::acceptable(Link& link, const wire::Hello& hello, Now now) {
  using Reason = wire::Goodbye::Reason;
  if (hello.protocol != wire::protocol_version) {
    event(Severity::error, "peer " + hello.name + " speaks protocol " +
                               std::to_string(hello.protocol) + ", this node speaks " +
                               std::to_string(wire::protocol_version) + "; upgrade the older one");
    end(link, Reason::wrong_protocol,
        "this node speaks protocol " + std::to_string(wire::protocol_version), now);
    return false;
  }
  if (hello.cluster != config_.cluster) {
    event(Severity::error, "node " + hello.name + " belongs to cluster \"" + hello.cluster +
                               "\", this node to \"" + config_.cluster +
                               "\"; check --cluster and --join");
    end(link, Reason::wrong_cluster, "this is cluster \"" + config_.cluster + "\"", now);
    return false;
  }
  if (hello.origin == group_.self()) {
    own_addresses_.insert(link.dialed);
    end(link, Reason::self, "this is yourself", now);
    return false;
  }
  if (hello.node == node_) {
    const std::string text =
        "another live process has the identity of this node (" + hello.name +
        "): its data directory was copied; stop one of them and give it an empty directory";
    note_conflict(text, now);
    event(Severity::error, text);
    end(link, Reason::same_node, "another live process has your node id", now);
    return false;
  }
  for (const wire::StreamHash& theirs : hello.hashes) {
    const auto stream = group_.streams().find(theirs.origin);
    if (stream != group_.streams().end() && stream->second.n == theirs.n && theirs.n > 0 &&
        stream->second.hash != theirs.hash) {
      const std::string text =
          "node " + hello.name + " holds another history of an origin than this node (a fork): " +
          "not replicating with it; restore one of the two from an empty directory";
      note_conflict(text, now);
      event(Severity::error, text);
      end(link, Reason::fork, "one origin, two histories", now);
      return false;
    }
  }
  return true;
}

void Replicator::on(Link& link, const wire::Hello& message, Now now) {
  if (is_cut(message.node)) {
    closes_.push_back({link.connection});
    lose(link);
    wants_tick_ = true;
    return;
  }
  if (link.greeted || !acceptable(link, message, now)) {
    return;
  }
  if (message.name == config_.name) {
    event(Severity::error, name_conflict(message.node));
  }
  link.greeted = true;
  link.node = message.node;
  link.name = message.name;
  link.origin = message.origin;
  link.ready = message.ready;
  note_clock(link, message.clock_ms, now);
  learn(message.members);
  note_vectors(link, message.applied, message.durable);
  link.credit = window_;
  link.cursor = link.confirmed = message.applied.at(group_.self());
  link.cursor_moved_us = now.monotonic_us;
  event(Severity::info, "connected to " + link.name);
  consider_join_goal(message.ready || message.applied.empty(), message.applied);
  drop_duplicates(link, now);
}

std::string Replicator::name_conflict(std::uint64_t other) const {
  return "two live nodes are named \"" + config_.name + "\" (this one and node " +
         std::to_string(other) + "); give each its own --name";
}

// The name in a sentence is the other side's choice: one that takes a new name each time must not
// fill the memory, or the page of reasons.
void Replicator::note_conflict(const std::string& text, Now now) {
  conflicts_[text] = now.monotonic_us;
  std::erase_if(conflicts_, [&](const auto& conflict) {
    return now.monotonic_us >= conflict.second + conflict_memory_us;
  });
  if (conflicts_.size() > max_conflicts) {
    conflicts_.erase(std::ranges::min_element(
        conflicts_, {}, [](const auto& conflict) { return conflict.second; }));
  }
}

// Refused nodes come back every few seconds; one that has not for a while is gone.
std::vector<std::string> Replicator::conflicts(Now now) const {
  std::vector<std::string> found;
  for (const auto& [text, seen_us] : conflicts_) {
    if (now.monotonic_us < seen_us + conflict_memory_us) {
      found.push_back(text);
    }
  }
  for (const auto& [connection, link] : links_) {
    if (link.greeted && link.name == config_.name) {
      found.push_back(name_conflict(link.node));
    }
  }
  return found;
}

// A joiner is done when it has what its first ready contact had (R5.7). Two fresh nodes that name
// each other have nothing to wait for.
void Replicator::consider_join_goal(bool good, const VersionVector& applied) {
  if (good && !join_goal_) {
    join_goal_ = applied;
  }
}

void Replicator::drop_duplicates(Link& link, Now now) {
  for (auto& [connection, other] : links_) {
    if (connection == link.connection || !other.greeted || other.node != link.node) {
      continue;
    }
    // Dialled by the same side: the newer one, because its dialler gave the older one up.
    // Otherwise the one that the smaller node id dialled.
    const bool keep_new =
        other.outbound == link.outbound
            ? link.opened_us >= other.opened_us
            : (link.outbound ? node_ : link.node) < (other.outbound ? node_ : link.node);
    Link& loser = keep_new ? other : link;
    end(loser, wire::Goodbye::Reason::duplicate, "there is another connection between us", now);
    return;
  }
}

void Replicator::on(Link& link, const wire::Goodbye& message, Now now) {
  using Reason = wire::Goodbye::Reason;
  if (message.reason != Reason::duplicate && message.reason != Reason::shutting_down &&
      message.reason != Reason::self) {
    event(Severity::error, (link.name.empty() ? "the node at " + link.dialed : link.name) +
                               " refused this node: " + message.detail);
  }
  if (message.reason == Reason::self) {
    own_addresses_.insert(link.dialed);
  }
  message.reason == Reason::duplicate ? dial_later(link, now) : rest(link.dialed, now);
  closes_.push_back({link.connection});
  lose(link);
  wants_tick_ = true;
}

void Replicator::on(Link& link, const wire::MemberFacts& message) {
  (void)link;
  learn(message.members);
}

void Replicator::learn(const std::vector<wire::Member>& facts) {
  for (const wire::Member& member : facts) {
    if (member.node != node_) {
      members_changed_ = members_.merge(member) || members_changed_;
      continue;
    }
    // Somebody remembers newer facts about us than we do: ours are true now, so they must win.
    const wire::Member* own = members_.find(node_);
    if (own != nullptr && member.revision >= own->revision && !(member == *own)) {
      wire::Member corrected = *own;
      corrected.revision = member.revision + 1;
      members_changed_ = members_.merge(corrected) || members_changed_;
    }
  }
  wants_tick_ = wants_tick_ || members_changed_;
}

bool Replicator::members_changed() { return std::exchange(members_changed_, false); }

// ---------------------------------------------------------------- entries in

void Replicator::on(Link& link, wire::Push& message, Now now) {
  link.received_bytes += message.run.entries.size() * (mutant("received_twice") ? 2 : 1);
  link.ack_due = true;
  wants_tick_ = true;
  const Origin origin = message.run.origin;
  if (origin == group_.self()) {
    return;  // nobody knows our own entries better than we do
  }
  if (!group_.has_room(message.run.entries.size())) {
    return;  // pulled again once the disk has space (R2.4)
  }
  const Group::Admitted admitted = group_.admit(std::move(message.run), now.unix_ms);
  if (admitted.admission == Group::Admission::stalled) {
    event(Severity::error, "entries from " + link.name + " are not accepted: " + admitted.problem);
    return;
  }
  // More of a pulled origin is wanted: ask again without waiting. Not if this answer brought
  // nothing that could be applied: asking at once would then go round for ever (scenario
  // pull_storm).
  const bool useful = admitted.admission == Group::Admission::applied || mutant("pull_storm");
  if (message.answers_pull && useful && group_.applied().at(origin) < link.applied.at(origin)) {
    PullState& pull = pulls_[origin];
    pull.asked_us = 0;
    pull.lacking_since_us = 0;
    pull.n_then = group_.applied().at(origin);
  }
}

void Replicator::on(Link& link, const wire::Ack& message) {
  note_vectors(link, message.applied, message.durable);
  if (message.received_bytes > link.acknowledged_bytes) {
    link.acknowledged_bytes = message.received_bytes;
    link.blocked_since_us = 0;
  }
  link.credit = message.credit_bytes;
  wants_tick_ = true;
}

void Replicator::note_clock(Link& link, std::uint64_t clock_ms, Now now) {
  link.clock_skew_ms = static_cast<std::int64_t>(clock_ms) - static_cast<std::int64_t>(now.unix_ms);
  link.clock_ms = clock_ms;
  link.clock_at_us = now.monotonic_us;
}

// What it has on its disk is remembered of a member only, which the directory lists anyway: there
// may be any number of others who come and go.
void Replicator::note_vectors(Link& link, const VersionVector& applied,
                              const VersionVector& durable) {
  link.applied = applied;
  link.durable = durable;
  if (members_.find(link.node) != nullptr) {
    last_durable_[link.node] = durable;
  }
}

std::size_t Replicator::members_with(const VersionVector& upto) const {
  std::size_t members = 0;
  for (const auto& [id, link] : links_) {
    members += link.greeted && upto.leq(link.applied) ? 1 : 0;
  }
  return members;
}

// The smaller of our clock and that of the member we heard of last, so that a clock that is fast
// alone expires nothing early (replication.md §4, TTL).
std::int64_t Replicator::expiry_ms(Now now) const {
  const Link* freshest = nullptr;
  for (const auto& [id, link] : links_) {
    if (link.greeted && (freshest == nullptr || link.clock_at_us > freshest->clock_at_us)) {
      freshest = &link;
    }
  }
  std::uint64_t time = now.unix_ms;
  if (freshest != nullptr && !mutant("expiry_own_clock")) {
    time = std::min(time, freshest->clock_ms + (now.monotonic_us - freshest->clock_at_us) / 1000);
  }
  return static_cast<std::int64_t>(std::min<std::uint64_t>(time, INT64_MAX));
}

void Replicator::on(Link& link, const wire::Heartbeat& message, Now now) {
  note_vectors(link, message.applied, message.durable);
  link.ready = message.ready;
  consider_join_goal(message.ready, message.applied);
  note_clock(link, message.clock_ms, now);
  link.members_hash = message.members_hash;
  group_.clock().observe(message.hlc, now.unix_ms);
  wants_tick_ = true;
}

// ---------------------------------------------------------------- entries out

void Replicator::wrote(Run own) {
  // A run of one small command is several times as large as its entry.
  const auto bytes_of = [](const Run& run) { return sizeof(Run) + 64 + run.entries.capacity(); };
  const std::size_t capacity = std::min(recent_own_capacity, config_.memory_bytes / 16);
  recent_own_bytes_ += bytes_of(own);
  recent_own_.push_back(std::move(own));
  while (recent_own_bytes_ > capacity && recent_own_.size() > 1) {
    recent_own_bytes_ -= bytes_of(recent_own_.front());
    recent_own_.pop_front();
  }
}

void Replicator::push_all(Now now) {
  for (auto& [connection, link] : links_) {
    if (link.greeted && !is_cut(link.node)) {
      push(link, now);
    }
  }
}

// Everything of an origin comes after everything of the earlier origins of its node.
bool Replicator::lacks_earlier_origin(const Link& link) const {
  return std::ranges::any_of(group_.applied().components(), [&](const auto& c) {
    return c.origin.node == node_ && c.origin != group_.self() &&
           !link.applied.covers({c.origin, c.n});
  });
}

void Replicator::push(Link& link, Now now) {
  const Origin& self = group_.self();
  const std::uint64_t end = group_.applied().at(self);
  // What was received must show up in its V; if it does not, it had no room there: start again from
  // what the peer says it has. What is still under way may be slow.
  const std::uint64_t patience_us = std::max<std::uint64_t>(
      second_us, 10'000 * static_cast<std::uint64_t>(config_.heartbeat_interval.count()));
  const std::uint64_t has = link.applied.at(self);
  if (has > link.confirmed || has >= link.cursor) {
    link.confirmed = has;
    if (has > link.cursor) {
      link.cursor = has;
      link.next_bytes = 0;
    }
    link.cursor_moved_us = now.monotonic_us;
  } else if (link.under_way() == 0 && now.monotonic_us > link.cursor_moved_us + patience_us) {
    link.cursor = has;
    link.next_bytes = 0;
    link.cursor_moved_us = now.monotonic_us;
  }
  if (link.cursor < end && lacks_earlier_origin(link)) {
    return;  // it could only put these entries aside; it pulls what comes before them first
  }
  while (link.cursor < end && has_room(link, link.next_bytes, now)) {
    std::vector<Run> runs = runs_behind(link);
    if (runs.empty()) {
      return;  // below the floor: the peer will pull and learn that it needs state sync
    }
    for (Run& run : runs) {
      const std::uint64_t bytes = run.entries.size();
      if (!has_room(link, bytes, now)) {
        link.next_bytes = bytes;
        return;  // the log keeps it, an Ack comes
      }
      link.next_bytes = 0;
      link.sent_bytes += bytes;
      link.cursor = run.last;
      link.last_sent_us = now.monotonic_us;
      say(link.connection, wire::Push{std::move(run), false});
    }
  }
}

// R6.1: what is under way stays within the credit. A run that is larger goes alone.
bool Replicator::has_room(Link& link, std::uint64_t bytes, Now now) const {
  const std::uint64_t allowed = std::min(link.credit, window_);
  if (mutant("credit_ignored")) {
    return true;
  }
  if (link.under_way() == 0) {
    return allowed > 0;
  }
  if (allowed > 0 && link.under_way() + bytes <= allowed) {
    return true;
  }
  note_blocked(link, now);
  return false;
}

void Replicator::note_blocked(Link& link, Now now) {
  if (link.blocked_since_us == 0) {
    link.blocked_since_us = now.monotonic_us;
  }
}

// Own entries behind the cursor: at least one run, if the log still holds them.
std::vector<Run> Replicator::runs_behind(const Link& link) const {
  const auto recent = std::ranges::upper_bound(recent_own_, link.cursor, {}, &Run::last);
  if (recent != recent_own_.end() && recent->first <= link.cursor + 1) {
    return {*recent};
  }
  auto found =
      group_.log().read(group_.self(), link.cursor, group_.applied().at(group_.self()), push_bytes);
  return found ? std::move(found->runs) : std::vector<Run>{};
}

void Replicator::on(Link& link, const wire::Pull& message, Now now) {
  const std::uint64_t upto = std::min(message.upto, group_.applied().at(message.origin));
  if (message.after >= upto) {
    return;
  }
  // Who asks again before an answer has arrived, or for much at once, gets no more until it says
  // that it has received something: it asks again.
  if (link.under_way() > window_ && !mutant("pull_flood")) {
    note_blocked(link, now);
    return;
  }
  const auto found = group_.log().read(message.origin, message.after, upto, config_.pull_answer());
  if (!found) {
    event(Severity::error, "cannot read the log for " + link.name + ": " + found.error().message);
    return;
  }
  if (found->below_floor) {
    say(link.connection, wire::PullNack{message.origin, upto});
    return;
  }
  for (const Run& run : found->runs) {
    link.sent_bytes += run.entries.size();
    // Only the last one says so: it makes the other side ask for more, once.
    say(link.connection, wire::Push{run, &run == &found->runs.back()});
  }
}

void Replicator::on(Link& link, const wire::PullNack& message, Now now) {
  (void)now;
  if (message.floor > group_.applied().at(message.origin)) {
    if (!needs_bootstrap_) {
      event(Severity::error, link.name +
                                 " no longer has the log that this node needs: this node "
                                 "needs bootstrap from a peer");
    }
    needs_bootstrap_ = true;
  }
}

// An origin that some connected peer has more of than we do, for longer than a push would take, is
// pulled from one of those that have it, in turn.
void Replicator::pull_missing(Now now) {
  const std::uint64_t interval_us =
      static_cast<std::uint64_t>(config_.heartbeat_interval.count()) * 1000;
  const std::uint64_t patience_us = 2 * interval_us;
  if (mutant("no_pull") || full_ || !group_.has_room(0)) {
    return;  // it could only be dropped again
  }
  std::map<Origin, std::vector<Link*>> sources;
  for (auto& [connection, link] : links_) {
    if (!link.greeted || is_cut(link.node)) {
      continue;
    }
    for (const auto& c : link.applied.components()) {
      if (c.origin != group_.self() && !group_.applied().covers({c.origin, c.n})) {
        sources[c.origin].push_back(&link);
      }
    }
  }
  // What could only be put aside is not pulled: later origins of a node before its earlier ones,
  // and what lies here already and waits for others.
  std::optional<std::uint64_t> lacking_node;
  std::erase_if(sources, [&](const auto& source) {
    const Origin& origin = source.first;
    const bool later = lacking_node == origin.node;
    if (!group_.stalled().contains(origin)) {
      lacking_node = origin.node;
    }
    return later || group_.held().holds(origin, group_.applied().at(origin) + 1);
  });
  std::erase_if(pulls_, [&](const auto& pull) { return !sources.contains(pull.first); });
  for (auto& [origin, links] : sources) {
    const std::uint64_t n = group_.applied().at(origin);
    const bool fresh = !pulls_.contains(origin);
    PullState& pull = pulls_[origin];
    if (fresh || n != pull.n_then) {
      // It moves: what was asked for is arriving, or it is being pushed. Asking again would only
      // bring the same bytes twice.
      (pull.asked_us != 0 ? pull.asked_us : pull.lacking_since_us) = now.monotonic_us;
    }
    pull.n_then = n;
    // Its own node pushes it; an ended or absent origin nobody pushes, so ask at once.
    const bool pushed =
        std::ranges::any_of(links, [&](const Link* l) { return l->origin == origin; });
    const std::uint64_t wait_us = pushed ? patience_us : interval_us / 10;
    if (pull.lacking_since_us != 0 && now.monotonic_us < pull.lacking_since_us + wait_us) {
      due(pull.lacking_since_us + wait_us);
      continue;
    }
    if (pull.asked_us != 0 && now.monotonic_us < pull.asked_us + 2 * patience_us) {
      due(pull.asked_us + 2 * patience_us);
      continue;
    }
    Link* link = links[pull.turn++ % links.size()];
    pull.asked_us = now.monotonic_us;
    due(pull.asked_us + 2 * patience_us);
    say(link->connection, wire::Pull{origin, n, link->applied.at(origin)});
  }
}

// ---------------------------------------------------------------- timers

void Replicator::send_due(Now now, bool ready) {
  const std::uint64_t interval_us =
      static_cast<std::uint64_t>(config_.heartbeat_interval.count()) * 1000;
  const std::uint64_t members_hash = members_.hash();
  for (auto& [connection, link] : links_) {
    if (!link.greeted || is_cut(link.node)) {
      continue;
    }
    if (std::exchange(link.ack_due, false)) {
      wire::Ack ack;
      ack.applied = group_.applied();
      ack.durable = mutant("ack_volatile") ? group_.applied() : group_.durable();
      ack.received_bytes = link.received_bytes;
      ack.credit_bytes =
          full_ ? 0 : window_ - std::min<std::uint64_t>(group_.held().bytes(), window_ / 2);
      say(connection, std::move(ack));
    }
    if (link.members_hash != 0 && link.members_hash != members_hash &&
        now.monotonic_us >= link.members_sent_us + second_us) {
      link.members_sent_us = now.monotonic_us;
      say(connection, wire::MemberFacts{members_.all()});
    }
    if (now.monotonic_us >= link.last_sent_us + interval_us) {
      link.last_sent_us = now.monotonic_us;
      wire::Heartbeat heartbeat;
      heartbeat.applied = group_.applied();
      heartbeat.durable = group_.durable();
      heartbeat.hlc = group_.clock().last();
      heartbeat.clock_ms = now.unix_ms;
      heartbeat.members_hash = members_hash;
      heartbeat.ready = ready;
      say(connection, std::move(heartbeat));
    }
    due(link.last_sent_us + interval_us);
  }
}

void Replicator::drop_silent(Now now) {
  for (auto it = links_.begin(); it != links_.end();) {
    const Link& link = it->second;
    const std::string silence = this->silence(link, now);
    if (silence.empty()) {
      ++it;
      continue;
    }
    if (link.greeted) {
      event(Severity::warning, link.name + " has " + silence + ": reconnecting");
    }
    closes_.push_back({link.connection});
    it = lose(it);
  }
}

// What it has been, for too long. A peer that says nothing of what was sent, while more waits, has
// not got it and never will: a new connection begins with what it has. A large entry may take a
// second for each MiB.
std::string Replicator::silence(const Link& link, Now now) {
  const auto over = [&](std::uint64_t since_us, std::uint64_t timeout_us) {
    due(since_us + timeout_us);
    return now.monotonic_us >= since_us + timeout_us;
  };
  const std::uint64_t timeout_us = static_cast<std::uint64_t>(config_.peer_timeout.count()) * 1000;
  if (over(link.last_heard_us, timeout_us)) {
    return "been silent for " + std::to_string(timeout_us / 1000) + " ms";
  }
  const std::uint64_t patience_us = timeout_us + link.under_way();
  if (link.blocked_since_us > 0 && over(link.blocked_since_us, patience_us)) {
    return "not acknowledged " + std::to_string(link.under_way()) + " bytes for " +
           std::to_string(patience_us / 1000) + " ms";
  }
  return {};
}

void Replicator::dial_missing(Now now) {
  std::set<std::string> wanted;
  for (const wire::Member& member : members_.all()) {
    if (member.node == node_ || member.state != wire::MemberState::active || is_cut(member.node)) {
      continue;
    }
    const bool linked = std::ranges::any_of(
        links_, [&](const auto& l) { return l.second.greeted && l.second.node == member.node; });
    if (!linked) {
      wanted.insert(member.peer_address);
    }
  }
  // --join addresses only matter until they have led to members.
  for (const std::string& address : config_.join) {
    const bool known = std::ranges::any_of(
        members_.all(), [&](const wire::Member& m) { return m.peer_address == address; });
    const bool linked =
        std::ranges::any_of(links_, [&](const auto& l) { return l.second.dialed == address; });
    if (!known && !linked && !cut_all_) {
      wanted.insert(address);
    }
  }
  for (const std::string& address : wanted) {
    if (address.empty() || own_addresses_.contains(address)) {
      continue;
    }
    const bool under_way =
        std::ranges::any_of(links_, [&](const auto& l) { return l.second.dialed == address; });
    DialState& state = dials_[address];
    if (state.dial != 0 || under_way) {
      continue;
    }
    if (now.monotonic_us < state.next_us) {
      due(state.next_us);
      continue;
    }
    state.dial = ++last_dial_;
    new_dials_.push_back({state.dial, address});
  }
}

void Replicator::stop(Now now) {
  stopping_ = true;
  while (!links_.empty()) {
    end(links_.begin()->second, wire::Goodbye::Reason::shutting_down, config_.name + " is stopping",
        now);
  }
}

void Replicator::collect(Effects& effects, bool ready, Now now) {
  ready_ = ready;
  next_due_us_ = now.monotonic_us + second_us;
  const bool was_full = std::exchange(full_, group_.full());
  if (was_full && !full_) {
    for (auto& [connection, link] : links_) {
      link.ack_due = true;  // with credit
    }
  }
  if (!stopping_) {
    drop_silent(now);
    push_all(now);
    pull_missing(now);
    send_due(now, ready);
    dial_missing(now);
  }
  const auto move_into = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    from.clear();
  };
  move_into(effects.sends, sends_);
  move_into(effects.dials, new_dials_);
  move_into(effects.closes, closes_);
  move_into(effects.events, events_);
  wants_tick_ = false;
}

// ---------------------------------------------------------------- faults, digests, views

void Replicator::cut(const std::vector<std::uint64_t>& nodes) {
  cut_all_ = cut_all_ || nodes.empty();
  cut_.insert(nodes.begin(), nodes.end());
  for (auto it = links_.begin(); it != links_.end();) {
    if (it->second.greeted ? is_cut(it->second.node) : cut_all_) {
      closes_.push_back({it->first});
      it = lose(it);
    } else {
      ++it;
    }
  }
  wants_tick_ = true;
}

void Replicator::heal(const std::vector<std::uint64_t>& nodes) {
  if (nodes.empty()) {
    cut_all_ = false;
    cut_.clear();
  }
  for (const std::uint64_t node : nodes) {
    cut_.erase(node);
  }
  for (auto& [address, state] : dials_) {
    state.next_us = 0;
    state.failures = 0;
  }
  wants_tick_ = true;
}

void Replicator::request_digests(std::uint64_t id) {
  for (const auto& [connection, link] : links_) {
    if (link.greeted && !is_cut(link.node)) {
      say(connection, wire::DigestRequest{id});
    }
  }
}

std::vector<Replicator::DigestQuestion> Replicator::take_digest_questions() {
  return std::exchange(digest_questions_, {});
}

std::vector<Replicator::DigestAnswer> Replicator::take_digest_answers() {
  return std::exchange(digest_answers_, {});
}

void Replicator::answer_digest(ConnectionId to, wire::DigestReply reply) {
  if (links_.contains(to)) {
    say(to, std::move(reply));
  }
}

std::vector<const Link*> Replicator::links() const {
  std::vector<const Link*> links;
  for (const auto& [connection, link] : links_) {
    if (link.greeted) {
      links.push_back(&link);
    }
  }
  return links;
}

std::vector<PeerView> Replicator::views(Now now) const {
  std::vector<PeerView> views;
  for (const wire::Member& member : members_.all()) {
    if (member.node == node_ || member.state != wire::MemberState::active) {
      continue;
    }
    PeerView view;
    view.node = member.node;
    view.name = member.name;
    view.address = member.peer_address;
    view.cut = is_cut(member.node);
    if (const auto past = past_links_.find(member.node); past != past_links_.end()) {
      view.heard = {(now.monotonic_us - past->second.last_heard_us) / 1000,
                    past->second.clock_skew_ms};
      view.bytes_sent = past->second.sent_bytes;
      view.bytes_received = past->second.received_bytes;
    }
    for (const auto& [connection, link] : links_) {
      if (link.greeted && link.node == member.node) {
        view.connected = true;
        view.behind_ops = missing_ops(group_.applied(), link.applied);
        view.ahead_ops = missing_ops(link.applied, group_.applied());
        view.heard = {(now.monotonic_us - link.last_heard_us) / 1000, link.clock_skew_ms};
        view.bytes_sent += link.sent_bytes;
        view.bytes_received += link.received_bytes;
        view.bytes_under_way = link.under_way();
      }
    }
    if (!view.connected) {
      const auto last = last_durable_.find(member.node);
      view.behind_ops = missing_ops(group_.applied(),
                                    last == last_durable_.end() ? VersionVector{} : last->second);
    }
    views.push_back(std::move(view));
  }
  return views;
}

std::optional<VersionVector> Replicator::durable_everywhere() const {
  VersionVector least = group_.durable();
  if (mutant("truncate_eagerly")) {
    return least;
  }
  for (const wire::Member& member : members_.all()) {
    if (member.node == node_ || member.state != wire::MemberState::active) {
      continue;
    }
    const auto theirs = last_durable_.find(member.node);
    if (theirs == last_durable_.end()) {
      return std::nullopt;
    }
    least.meet(theirs->second);
  }
  return least;
}

}  // namespace starling::replica
