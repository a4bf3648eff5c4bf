#include "tests/sim/cluster.h"

#include <algorithm>
#include <array>
#include <utility>

#include "crdt/mutants.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace starling::sim {
namespace {

using replica::Effects;
using replica::Now;

constexpr std::uint64_t birth_ms = 1'790'000'000'000;
constexpr std::array message_names = {
    "message Hello",       "message Push",          "message Pull",        "message PullNack",
    "message Ack",         "message Heartbeat",     "message MemberFacts", "message DigestRequest",
    "message DigestReply", "message Goodbye"};

std::string short_vector(const VersionVector& v) {
  std::uint64_t sum = 0;
  for (const auto& c : v.components()) {
    sum += c.n;
  }
  return std::to_string(v.components().size()) + "/" + std::to_string(sum);
}

}  // namespace

std::string describe(const wire::PeerMessage& message) {
  std::string out = std::string(message_names[message.index()]).substr(8);
  if (const auto* push = std::get_if<wire::Push>(&message)) {
    out += " " + std::to_string(push->run.origin.node % 1000) + "/" +
           std::to_string(push->run.origin.epoch % 100'000) + ":" +
           std::to_string(push->run.first) + "-" + std::to_string(push->run.last) +
           (push->answers_pull ? " (pulled)" : "");
  } else if (const auto* pull = std::get_if<wire::Pull>(&message)) {
    out += " " + std::to_string(pull->origin.node % 1000) + "/" +
           std::to_string(pull->origin.epoch % 100'000) + " after " + std::to_string(pull->after) +
           " up to " + std::to_string(pull->upto);
  } else if (const auto* ack = std::get_if<wire::Ack>(&message)) {
    out += " V " + short_vector(ack->applied) + " D " + short_vector(ack->durable);
  } else if (const auto* beat = std::get_if<wire::Heartbeat>(&message)) {
    out += " V " + short_vector(beat->applied) + " D " + short_vector(beat->durable);
  } else if (const auto* bye = std::get_if<wire::Goodbye>(&message)) {
    out += " " + bye->detail;
  }
  return out;
}

Cluster::Cluster(const Options& options)
    : options_(options), random_(options.seed), judge_(coverage_) {
  now_us_ = second;
}

Cluster::~Cluster() = default;

// ---------------------------------------------------------------- time and trace

void Cluster::at(std::uint64_t when_us, std::function<void()> what) {
  events_.push({std::max(when_us, now_us_), next_order_++, std::move(what)});
}

void Cluster::run_until(std::uint64_t end_us) {
  while (!events_.empty() && events_.top().at_us <= end_us && !failed()) {
    auto what = std::move(const_cast<Event&>(events_.top()).what);
    now_us_ = events_.top().at_us;
    events_.pop();
    what();
  }
  now_us_ = std::max(now_us_, end_us);
}

void Cluster::mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = trace_hash_ ^ (a * 0x9E3779B97F4A7C15ULL) ^ (now_us_ << 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL + b;
  trace_hash_ = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
}

void Cluster::note(const std::string& line) {
  trace_hash_ = roll_hash(trace_hash_, line);
  if (options_.text) {
    std::string time = std::to_string(now_us_ % second / 10);
    time.insert(0, 5 - std::min<std::size_t>(5, time.size()), '0');
    time = std::to_string(now_us_ / second) + "." + time;
    time.insert(0, 10 - std::min<std::size_t>(10, time.size()), ' ');
    text_.push_back(time + "  " + line);
  }
}

Now Cluster::now(const Node& node) const {
  const double wall = static_cast<double>(now_us_) / 1000.0 * node.clock.rate;
  return {now_us_ + node.monotonic_offset_us,
          static_cast<std::uint64_t>(static_cast<std::int64_t>(birth_ms) + node.clock.skew_ms +
                                     static_cast<std::int64_t>(wall))};
}

// ---------------------------------------------------------------- nodes

std::size_t Cluster::add(replica::Config config, Clock clock) {
  auto node = std::make_unique<Node>();
  node->index = nodes_.size();
  node->name = config.name;
  node->config = std::move(config);
  node->clock = clock;
  judge_.name(node->index, node->name);
  nodes_.push_back(std::move(node));
  return nodes_.size() - 1;
}

std::size_t Cluster::find(const std::string& address) const {
  for (const auto& node : nodes_) {
    if (node->config.peer_address == address) {
      return node->index;
    }
  }
  return nodes_.size();
}

replica::View Cluster::view(std::size_t node) const {
  return nodes_[node]->replica->view(now(*nodes_[node]));
}

void Cluster::start(std::size_t index) {
  Node& node = *nodes_[index];
  if (node.replica != nullptr || failed()) {
    return;
  }
  ++node.lifetime;
  node.config.random_seed = random_.next();
  node.monotonic_offset_us = random_.between(1, 1000) * second;
  node.tick_pending = false;
  node.wake_us = 0;
  node.syncing = false;
  node.synced = 0;
  node.last_sync_us = 0;
  node.appended = node.disk.bounds().last;
  node.duplicates = 0;
  node.held = 0;
  node.dropped = 0;
  auto opened = replica::Replica::open(node.disk, node.config, now(node));
  if (!opened) {
    if (node.disk.dead()) {
      coverage_.hit("fault crash during a start");
      note(node.name + " dies while it starts");
      crash(node, node.crash_power);
      return;
    }
    judge_.complain("I3", node.name + " cannot open its own directory: " + opened.error().message);
    return;
  }
  node.replica = std::move(*opened);
  const auto view = node.replica->view(now(node));
  note(node.name + " starts at log position " + std::to_string(view.log_position) + ", state " +
       std::to_string(view.state_position) + ", V " + short_vector(view.applied));
  judge_.started(index, node.disk, view, now_us_);
  schedule_tick(node);
}

void Cluster::kill(std::size_t node) {
  if (up(node)) {
    coverage_.hit("fault kill");
    crash(*nodes_[node], false);
  }
}

void Cluster::power_cut(std::size_t node) {
  if (up(node)) {
    coverage_.hit("fault power cut");
    crash(*nodes_[node], true);
  }
}

void Cluster::stop(std::size_t index) {
  Node& node = *nodes_[index];
  if (!up(index)) {
    return;
  }
  coverage_.hit("fault graceful stop");
  note(node.name + " is told to stop");
  feed(node, replica::StopRequested{});
  later(node, 200 * ms, [this, index] {
    Node& stopping = *nodes_[index];
    (void)sync(stopping);
    if (stopping.replica != nullptr) {
      crash(stopping, false);
    }
  });
}

void Cluster::crash_at_step(std::size_t node, std::uint64_t steps, bool power) {
  nodes_[node]->crash_fuse = steps;
  nodes_[node]->crash_power = power;
}

bool Cluster::lives(Node& node) {
  if (failed()) {
    return false;
  }
  if (node.disk.dead()) {
    coverage_.hit("fault crash inside a disk write");
    crash(node, node.crash_power);
    return false;
  }
  if (node.crash_fuse > 0 && --node.crash_fuse == 0) {
    coverage_.hit("fault crash between two effects");
    crash(node, node.crash_power);
    return false;
  }
  return true;
}

void Cluster::crash(Node& node, bool power) {
  note(node.name + (power ? " loses power" : " is killed"));
  judge_.crashed(node.index, {power, now_us_, node.disk.synced_position(), node.config.sync,
                              second + 2 * weather.sync_max_us + 50 * ms});
  node.replica.reset();
  ++node.lifetime;
  node.crash_fuse = 0;
  node.disk.revive();
  if (power) {
    node.disk.power_cut();
  }
  std::erase_if(waiting_, [&](const auto& w) { return w.second.node == node.index; });
  for (std::size_t c = 0; c < connections_.size(); ++c) {
    for (const int s : {0, 1}) {
      Side& side = connections_[c].side[s];
      if (side.node == node.index && side.open) {
        side.open = false;
        if (!power) {
          transmit(c, s, {}, true);  // its kernel says goodbye for it
        }
      }
    }
  }
  if (restart_after_us_ > 0) {
    const std::uint64_t lifetime = node.lifetime;
    after(1 + random_.below(restart_after_us_), [this, &node, lifetime] {
      if (node.lifetime == lifetime) {
        start(node.index);
      }
    });
  }
}

template <typename What>
void Cluster::later(Node& node, std::uint64_t delay_us, What what) {
  after(delay_us, [this, &node, lifetime = node.lifetime, what = std::move(what)]() mutable {
    if (node.lifetime == lifetime && node.replica != nullptr) {
      what();
    }
  });
}

void Cluster::feed(Node& node, replica::Input input) {
  if (node.replica == nullptr || failed()) {
    return;
  }
  const Now then = now(node);
  judge_.clock(node.index, then.unix_ms);
  node.replica->step(std::move(input), then);
  if (node.replica->tick_full()) {
    coverage_.hit("branch full tick");
    tick(node);
    return;
  }
  schedule_tick(node);
}

// What arrives until the posted tick runs shares its record.
void Cluster::schedule_tick(Node& node) {
  if (node.tick_pending || node.replica == nullptr || !node.replica->wants_tick()) {
    return;
  }
  node.tick_pending = true;
  later(node, random_.below(300), [this, &node] {
    node.tick_pending = false;
    tick(node);
  });
}

void Cluster::tick(Node& node) {
  const Now then = now(node);
  auto effects = node.replica->end_tick(then);
  judge_.ticked(node.index, effects, then.unix_ms);
  const std::uint64_t wake = effects.wake_at_us;
  if (!failed() && perform(node, std::move(effects))) {
    sync_if_due(node);
    set_alarm(node, wake);
    if (++node.ticks % 16 == 0 && node.replica != nullptr) {
      const auto view = node.replica->view(now(node));
      judge_.looked(node.index, view, node.config);
      coverage_.add("branch duplicate dropped",
                    view.duplicates_dropped - std::exchange(node.duplicates, view.duplicates_dropped));
      if (view.markers > 0) {
        coverage_.hit("branch marker active");
      }
      if (view.held_bytes > 0) {
        coverage_.hit("branch held");
      }
    }
    schedule_tick(node);
  }
}

bool Cluster::perform(Node& node, Effects effects) {
  if (mutant("reply_before_commit")) {
    if (!answer(node, effects) || !talk(node, effects) || !commit(node, effects)) {
      return false;
    }
  } else if (!commit(node, effects) || !answer(node, effects) || !talk(node, effects)) {
    return false;
  }
  if (effects.checkpoint) {
    judge_.froze(node.index, effects.checkpoint->position());
    run_checkpoint(node, std::move(effects.checkpoint));
  }
  for (auto& job : effects.cut_jobs) {
    run_cut_job(node, std::move(job));
  }
  if (effects.truncate_below) {
    const std::uint64_t below = *effects.truncate_below;
    later(node, random_.below(20 * ms), [this, &node, below] {
      coverage_.hit("branch log truncated");
      judge_.truncated(node.index, below, node.disk);
      (void)node.disk.truncate(below);
      (void)lives(node);
    });
  }
  return lives(node);
}

bool Cluster::commit(Node& node, Effects& effects) {
  for (const auto& fact : effects.facts) {
    (void)node.disk.put_fact(fact.name, fact.value);
    if (!lives(node)) {
      return false;
    }
  }
  if (effects.record) {
    if (!lives(node)) {
      return false;
    }
    const auto appended = node.disk.append(effects.record->position, effects.record->record);
    if (appended) {
      node.appended = effects.record->position;
      coverage_.hit("log record");
      mix(node.index, roll_hash(effects.record->position, effects.record->record));
      judge_.committed(node.index, *effects.record);
    } else if (!node.disk.dead()) {
      judge_.complain("log", node.name + ": " + appended.error().message);
    }
    if (!lives(node)) {
      return false;
    }
  }
  if (effects.sync_first && !sync(node)) {
    return false;
  }
  return lives(node);
}

bool Cluster::answer(Node& node, Effects& effects) {
  for (const auto& event : effects.events) {
    note(node.name + " says: " + event.text);
  }
  for (auto& reply : effects.replies) {
    if (!lives(node)) {
      return false;
    }
    judge_.replied(node.index, reply.id, now_us_);
    const auto waiting = waiting_.find(reply.id);
    if (waiting == waiting_.end()) {
      continue;
    }
    std::string line = node.name + " answers " + waiting->second.what + ":";
    for (const wire::Result& result : reply.response.results) {
      line += " " + describe(result);
      if (const auto* error = std::get_if<wire::Error>(&result)) {
        coverage_.add("answer error " + std::to_string(static_cast<int>(error->code)), 1);
      }
    }
    note(line + (reply.response.repeated ? " (repeated)" : ""));
    const OnResponse done = std::move(waiting->second.done);
    waiting_.erase(waiting);
    if (done) {
      done(reply.response);
    }
  }
  effects.replies.clear();
  return !failed();
}

bool Cluster::talk(Node& node, Effects& effects) {
  for (const auto& one : effects.sends) {
    if (!lives(node)) {
      return false;
    }
    send(node, one.connection, one.message);
  }
  for (const auto& one : effects.dials) {
    dial(node, one);
  }
  for (const auto& one : effects.closes) {
    close(node, one.connection);
  }
  return !failed();
}

void Cluster::set_alarm(Node& node, std::uint64_t core_wake_us) {
  std::uint64_t wake = core_wake_us > node.monotonic_offset_us + now_us_
                           ? core_wake_us - node.monotonic_offset_us
                           : now_us_ + ms;
  if (node.config.sync == replica::SyncMode::everysec && !node.syncing &&
      node.synced < node.appended) {
    wake = std::min(wake, std::max(node.last_sync_us + second, now_us_ + ms));
  }
  node.wake_us = wake;
  at(wake, [this, &node, lifetime = node.lifetime, wake] {
    if (node.lifetime == lifetime && node.replica != nullptr && node.wake_us == wake) {
      sync_if_due(node);
      feed(node, replica::TimerFired{});
    }
  });
}

// ---------------------------------------------------------------- disks

bool Cluster::sync(Node& node) {
  if (node.replica == nullptr) {
    return false;
  }
  const auto position = node.disk.sync();
  if (!lives(node)) {
    return false;
  }
  judge_.synced(node.index, *position);
  node.synced = std::max(node.synced, *position);
  node.replica->step(replica::LogSynced{*position}, now(node));
  schedule_tick(node);
  return true;
}

// everysec: a second after the sync before, or at once after a quiet second. The disk has the
// records some time during the call; the core learns of it afterwards.
void Cluster::sync_if_due(Node& node) {
  if (node.config.sync != replica::SyncMode::everysec || node.syncing ||
      node.synced >= node.appended || now_us_ < node.last_sync_us + second || node.hold_syncs) {
    return;
  }
  node.syncing = true;
  node.last_sync_us = now_us_;
  coverage_.hit("log sync");
  const std::uint64_t position = node.appended;
  const std::uint64_t takes_us = random_.below(weather.sync_max_us + 1);
  later(node, random_.below(takes_us + 1), [this, &node] {
    const auto synced = node.disk.sync();
    if (lives(node)) {
      judge_.synced(node.index, *synced);
    }
  });
  later(node, takes_us, [this, &node, position] {
    node.syncing = false;
    node.synced = std::max(node.synced, position);
    feed(node, replica::LogSynced{position});
  });
}

// Log before state (R5.2), then the file, then the word of it: a crash may fall between any two.
void Cluster::run_checkpoint(Node& node, std::shared_ptr<const replica::CheckpointJob> job) {
  const std::uint64_t takes_us =
      node.checkpoint_us.value_or(random_.below(weather.checkpoint_max_us + 1));
  if (takes_us == UINT64_MAX) {
    return;
  }
  later(node, random_.below(takes_us / 4 + 1), [this, &node, job, takes_us] {
    if (!mutant("state_ahead_of_log") && node.synced < job->position() && !sync(node)) {
      return;
    }
    later(node, takes_us / 2, [this, &node, job, takes_us] {
      auto done = job->run(node.disk);
      coverage_.hit(done.error ? "checkpoint that fails" : "checkpoint");
      mix(node.index, roll_hash(done.number, std::to_string(done.bytes)));
      if (!done.error) {
        coverage_.hit("checkpoint cells", done.cells);
      }
      if (!lives(node)) {
        return;
      }
      if (!done.error) {
        judge_.ingested(node.index, node.disk);
      }
      later(node, random_.below(takes_us / 4 + 1),
            [this, &node, done = std::move(done)]() mutable { feed(node, std::move(done)); });
    });
  });
}

void Cluster::run_cut_job(Node& node, std::shared_ptr<const replica::CutJob> job) {
  const std::uint64_t first = random_.below(20 * ms);
  const std::uint64_t then = random_.below(20 * ms);
  later(node, first, [this, &node, job, then] {
    auto done = job->run(node.disk);
    if (done.error) {
      judge_.complain("I3", node.name + " cannot read its own cut: " + done.error->message);
    } else if (done.kind == replica::CutJobKind::digest) {
      judge_.digested(node.index, done.applied, done.digest);
    }
    later(node, then, [this, &node, done = std::move(done)]() mutable {
      feed(node, std::move(done));
    });
  });
}

// ---------------------------------------------------------------- network

std::uint64_t Cluster::travel_us(std::size_t from, std::size_t to) {
  return random_.between(weather.delay_min_us, weather.delay_max_us) + nodes_[from]->slow_us +
         nodes_[to]->slow_us;
}

void Cluster::dial(Node& node, const replica::Dial& dial) {
  const std::size_t to = find(dial.address);
  const bool lost = to < nodes_.size() && (blocked(node.index, to) || blocked(to, node.index));
  const bool refused = to == nodes_.size() || !up(to);
  const std::uint64_t takes_us = refused ? 2 * ms
                                 : lost  ? random_.between(500 * ms, 3 * second)
                                         : travel_us(node.index, to) + travel_us(to, node.index);
  later(node, takes_us, [this, &node, dial, to, refused, lost] {
    if (refused || lost || !up(to)) {
      coverage_.hit("dial that fails");
      feed(node, replica::DialFailed{dial.dial});
      return;
    }
    coverage_.hit("connection");
    const std::size_t connection = connections_.size();
    connections_.emplace_back();
    connections_.back().side[0].node = node.index;
    connections_.back().side[0].lifetime = node.lifetime;
    connections_.back().side[1].node = to;
    connections_.back().side[1].lifetime = nodes_[to]->lifetime;
    feed(*nodes_[to], replica::PeerConnected{id_of(connection, 1), std::nullopt});
    feed(node, replica::PeerConnected{id_of(connection, 0), dial.dial});
  });
}

void Cluster::send(Node& node, replica::ConnectionId id, const wire::PeerMessage& message) {
  const std::size_t connection = (id - 1) / 2;
  const int from = static_cast<int>((id - 1) % 2);
  Side& side = connections_[connection].side[from];
  if (!side.open || side.lifetime != node.lifetime) {
    return;
  }
  judge_.said(node.index, message);
  const std::size_t to = connections_[connection].side[1 - from].node;
  coverage_.hit(message_names[message.index()]);
  if (const auto* push = std::get_if<wire::Push>(&message); push != nullptr && push->answers_pull) {
    coverage_.hit("branch pull answered");
  }
  ++messages_;
  if (filter_ && filter_(node.index, to, message)) {
    return;
  }
  Packet packet{wire::encode(message), static_cast<std::uint8_t>(message.index())};
  mix(node.index * 64 + to, packet.frame.size());
  if (options_.text) {
    note(node.name + " -> " + nodes_[to]->name + ": " + describe(message));
  }
  const bool hello = std::holds_alternative<wire::Hello>(message);
  if (!hello && random_.chance(weather.loss)) {
    coverage_.hit("fault frame lost");
    return;
  }
  if (!hello && random_.chance(weather.duplication)) {
    coverage_.hit("fault frame duplicated");
    transmit(connection, from, packet, true);
  }
  const bool reorder = !hello && random_.chance(weather.reordering);
  if (reorder) {
    coverage_.hit("fault frame reordered");
  }
  transmit(connection, from, std::move(packet), !reorder);
}

void Cluster::transmit(std::size_t connection, int from, Packet packet, bool in_order) {
  Side& side = connections_[connection].side[from];
  const std::size_t to = connections_[connection].side[1 - from].node;
  if (blocked(side.node, to)) {
    coverage_.hit("fault frame stuck in a partition");
    side.parked.push_back(std::move(packet));
    return;
  }
  std::uint64_t when = now_us_ + travel_us(side.node, to);
  if (in_order) {
    when = std::max(when, side.last_delivery_us + 1);
    side.last_delivery_us = when;
  } else {
    when += random_.below(20 * weather.delay_max_us);
  }
  at(when, [this, connection, from, packet = std::move(packet)]() mutable {
    arrive(connection, from, std::move(packet));
  });
}

void Cluster::arrive(std::size_t connection, int from, Packet packet) {
  Connection& link = connections_[connection];
  Side& sender = link.side[from];
  Side& receiver = link.side[1 - from];
  if (blocked(sender.node, receiver.node)) {
    sender.parked.push_back(std::move(packet));
    return;
  }
  Node& node = *nodes_[receiver.node];
  if (node.replica == nullptr && node.lifetime == receiver.lifetime + 1 && !receiver.open) {
    // The machine is down: nobody answers, unless its kernel still runs.
    return;
  }
  if (!receiver.open || node.replica == nullptr || node.lifetime != receiver.lifetime) {
    receiver.open = false;
    if (!packet.frame.empty() && sender.open) {
      transmit(connection, 1 - from, {}, true);  // a reset comes back
    }
    return;
  }
  if (packet.frame.empty()) {
    receiver.open = false;
    feed(node, replica::PeerClosed{id_of(connection, 1 - from)});
    return;
  }
  wire::FrameReader reader(wire::max_frame_body);
  reader.feed(packet.frame);
  const auto body = reader.next();
  if (!body || !*body) {
    judge_.complain("wire", "a frame does not come out as it went in");
    return;
  }
  auto message = wire::decode_peer(**body);
  if (!message) {
    judge_.complain("wire", "a message does not decode: " + std::string(wire::message(message.error())));
    return;
  }
  feed(node, replica::PeerReceived{id_of(connection, 1 - from), std::move(*message),
                                   packet.frame.size()});
}

void Cluster::close(Node& node, replica::ConnectionId id) {
  const std::size_t connection = (id - 1) / 2;
  const int from = static_cast<int>((id - 1) % 2);
  Side& side = connections_[connection].side[from];
  if (side.open && side.lifetime == node.lifetime) {
    side.open = false;
    transmit(connection, from, {}, true);
  }
}

void Cluster::reset_connections(std::size_t node) {
  coverage_.hit("fault connections reset");
  note("connections of " + nodes_[node]->name + " are reset");
  for (std::size_t c = 0; c < connections_.size(); ++c) {
    Connection& link = connections_[c];
    if (link.side[0].node != node && link.side[1].node != node) {
      continue;
    }
    for (const int s : {0, 1}) {
      Side& side = link.side[s];
      if (side.open && up(side.node) && nodes_[side.node]->lifetime == side.lifetime) {
        side.open = false;
        later(*nodes_[side.node], random_.below(5 * ms), [this, c, s, &side = *nodes_[side.node]] {
          feed(side, replica::PeerClosed{id_of(c, s)});
        });
      }
    }
  }
}

void Cluster::block(std::size_t from, std::size_t to) {
  if (from != to) {
    blocked_.insert({from, to});
  }
}

void Cluster::unblock(std::size_t from, std::size_t to) {
  if (blocked_.erase({from, to}) > 0) {
    flush(from, to);
  }
}

// What TCP kept trying to deliver gets through.
void Cluster::flush(std::size_t from, std::size_t to) {
  for (std::size_t c = 0; c < connections_.size(); ++c) {
    for (const int s : {0, 1}) {
      if (connections_[c].side[s].node != from || connections_[c].side[1 - s].node != to) {
        continue;
      }
      for (Packet& packet : std::exchange(connections_[c].side[s].parked, {})) {
        transmit(c, s, std::move(packet), true);
      }
    }
  }
}

void Cluster::split(const std::set<std::size_t>& side) {
  for (std::size_t a = 0; a < nodes_.size(); ++a) {
    for (std::size_t b = 0; b < nodes_.size(); ++b) {
      if (side.contains(a) != side.contains(b)) {
        block(a, b);
      }
    }
  }
}

void Cluster::heal() {
  for (const auto& [from, to] : std::set(blocked_)) {
    unblock(from, to);
  }
}

// ---------------------------------------------------------------- clients

replica::RequestId Cluster::request(std::size_t index, wire::Request request, OnResponse done) {
  Node& node = *nodes_[index];
  const replica::RequestId id = ++last_request_;
  std::string what;
  for (const wire::Command& command : request.commands) {
    what += (what.empty() ? "\"" : ", \"") + describe(command) + "\"";
    coverage_.hit("operation");
  }
  note("client -> " + node.name + ": " + what);
  judge_.requested(index, id, request);
  waiting_[id] = {index, now_us_, std::move(what), std::move(done)};
  feed(node, replica::ClientRequest{id, std::move(request)});
  return id;
}

void Cluster::give_up(std::size_t index, replica::RequestId id) {
  if (waiting_.erase(id) > 0 && up(index)) {
    coverage_.hit("client gone");
    feed(*nodes_[index], replica::ClientGone{{id}});
  }
}

std::string Cluster::oldest_unanswered(std::uint64_t older_than_us) const {
  for (const auto& [id, waiting] : waiting_) {
    if (waiting.since_us + older_than_us < now_us_) {
      return nodes_[waiting.node]->name + " has not answered " + waiting.what + " for " +
             std::to_string((now_us_ - waiting.since_us) / second) + " s";
    }
  }
  return {};
}

}  // namespace starling::sim
