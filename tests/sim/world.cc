#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "server/replica/record.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace starling::sim {
namespace {

using replica::Effects;
using replica::Now;
using wire::Command;
using wire::CommandCode;

constexpr std::uint64_t second = 1'000'000;
constexpr std::uint64_t birth_ms = 1'790'000'000'000;
constexpr std::uint64_t busy_us = 125 * second;  // of the workload, faults included
constexpr std::uint64_t calm_us = 60 * second;   // after healing, at most
constexpr std::size_t session_count = 4;

const char* name_of(const wire::PeerMessage& message) {
  static constexpr const char* names[] = {
      "Hello",     "Push",        "Pull",          "PullNack",    "Ack",
      "Heartbeat", "MemberFacts", "DigestRequest", "DigestReply", "Goodbye"};
  return names[message.index()];
}

std::string shown(const wire::Result& result) {
  struct Show {
    std::string operator()(const wire::Nil&) const { return "nil"; }
    std::string operator()(const wire::Ok&) const { return "ok"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(const std::string& text) const { return "\"" + text + "\""; }
    std::string operator()(const std::vector<std::string>& list) const {
      std::string out = "[";
      for (const std::string& item : list) {
        out += (out.size() > 1 ? " " : "") + item;
      }
      return out + "]";
    }
    std::string operator()(const wire::Error& error) const {
      return "error " + std::to_string(static_cast<int>(error.code)) + " " + error.message;
    }
  };
  return std::visit(Show{}, result);
}

std::string shown(const Command& command) {
  std::string out = std::to_string(static_cast<int>(command.code)) + " " + command.key;
  for (const std::string& arg : command.args) {
    out += " " + arg;
  }
  return command.number != 0 ? out + " #" + std::to_string(command.number) : out;
}

bool same(const wire::Result& got, const wire::Result& wanted) {
  if (const auto* error = std::get_if<wire::Error>(&wanted)) {
    const auto* other = std::get_if<wire::Error>(&got);
    return other != nullptr && other->code == error->code;
  }
  return got == wanted;
}

// Is one of the checker's own requests, not a client's.
constexpr std::uint64_t probe_id = std::uint64_t{1} << 62;

}  // namespace

World::World(const Options& options) : options_(options), random_(options.seed) {
  const std::size_t count = random_.between(3, 7);
  sessions_.resize(session_count);
  const bool tiny_memory = random_.chance(0.6);
  for (std::size_t i = 0; i < count; ++i) {
    auto node = std::make_unique<Node>();
    node->name = "n" + std::to_string(i);
    node->clock_skew_ms =
        random_.chance(0.3) ? static_cast<std::int64_t>(random_.below(20'000)) - 10'000 : 0;
    node->slow_us = random_.chance(0.15) ? random_.below(300'000) : 0;
    replica::Config& config = node->config;
    config.name = node->name;
    config.peer_address = node->name;
    if (i > 0) {
      config.join = {"n0"};
    }
    config.sync = random_.chance(0.3) ? replica::SyncMode::always : replica::SyncMode::everysec;
    config.memory_bytes = tiny_memory ? random_.between(2'000, 40'000) : 64u << 20;
    config.checkpoint_bytes = random_.chance(0.5) ? random_.between(500, 20'000) : 64u << 20;
    config.checkpoint_age = std::chrono::milliseconds(random_.between(100, 20'000));
    config.heartbeat_interval = std::chrono::milliseconds(random_.between(300, 800));
    config.peer_timeout = std::chrono::milliseconds(5'000);
    config.truncate_log = random_.chance(0.3);
    if (node->slow_us > 0) {
      hit("slow peer");
    }
    if (node->clock_skew_ms != 0) {
      hit("skewed clock");
    }
    nodes_.push_back(std::move(node));
  }
}

World::~World() = default;

Now World::now(const Node& node) const {
  return {now_us_, static_cast<std::uint64_t>(static_cast<std::int64_t>(birth_ms + now_us_ / 1000) +
                                              node.clock_skew_ms)};
}

void World::trace(const std::string& line) {
  char time[32];
  std::snprintf(time, sizeof time, "%10.4f ", static_cast<double>(now_us_) / 1e6);
  const std::string whole = time + line;
  trace_hash_ = roll_hash(trace_hash_, whole);
  if (options_.trace) {
    std::printf("%s\n", whole.c_str());
  }
}

void World::complain(std::string what) {
  if (!complaint_) {
    trace("COMPLAINT " + what);
    complaint_ = std::move(what);
  }
}

void World::at(std::uint64_t when_us, std::function<void()> what) {
  events_.push({when_us, next_order_++, std::move(what)});
}

void World::run_until(std::uint64_t end_us) {
  while (!events_.empty() && events_.top().at_us <= end_us && !complaint_) {
    const Event event = events_.top();
    events_.pop();
    now_us_ = std::max(now_us_, event.at_us);
    event.what();
  }
  now_us_ = std::max(now_us_, end_us);
}

// ---------------------------------------------------------------- nodes

void World::start(std::size_t index) {
  Node& node = *nodes_[index];
  node.config.random_seed = random_.next();
  ++node.lifetime;
  auto opened = replica::Replica::open(node.disk, node.config, now(node));
  if (!opened) {
    complain("I3: " + node.name + " does not open its own directory: " + opened.error().message);
    return;
  }
  node.replica = std::move(*opened);
  trace(node.name + " starts");
  const auto view = node.replica->view(now(node));
  if (auto problem = history_.check_vector(view.applied)) {
    complain(node.name + " after recovery: " + *problem);
  }
  const std::uint64_t lifetime = node.lifetime;
  perform(index, node.replica->end_tick(now(node)));
  // fsync once a second, as everysec promises.
  const auto again = std::make_shared<std::function<void()>>();
  *again = [this, index, lifetime, again] {
    if (nodes_[index]->lifetime == lifetime && nodes_[index]->replica) {
      sync(index);
      at(now_us_ + second, *again);
    }
  };
  at(now_us_ + second, *again);
}

void World::crash(std::size_t index, bool power) {
  Node& node = *nodes_[index];
  if (!node.replica) {
    return;
  }
  trace(node.name + (power ? " loses power" : " is killed"));
  hit(power ? "power cut" : "kill");
  node.replica.reset();
  if (power) {
    node.disk.crash();
    node.last_power_cut_us = now_us_;
  }
  for (auto it = connections_.begin(); it != connections_.end();) {
    if (it->second.node == index) {
      const End end = it->second;
      it = connections_.erase(it);
      at(now_us_ + travel_us(end.peer), [this, end] {
        if (connections_.erase(end.peer_connection) > 0) {
          feed(end.peer, replica::PeerClosed{end.peer_connection});
        }
      });
    } else {
      ++it;
    }
  }
  for (auto it = asked_.begin(); it != asked_.end();) {
    it = it->second.node == index ? asked_.erase(it) : std::next(it);
  }
}

void World::sync(std::size_t index) {
  Node& node = *nodes_[index];
  const auto position = node.disk.sync();
  feed(index, replica::LogSynced{*position});
}

void World::feed(std::size_t index, replica::Input input) {
  Node& node = *nodes_[index];
  if (!node.replica || complaint_) {
    return;
  }
  node.replica->step(std::move(input), now(node));
  if (node.replica->wants_tick()) {
    perform(index, node.replica->end_tick(now(node)));
  }
}

// The order of Effects is the contract; a crash may fall between any two of them.
void World::perform(std::size_t index, Effects effects) {
  Node& node = *nodes_[index];
  const std::uint64_t lifetime = node.lifetime;
  const auto replies = [&] {
    for (const replica::Reply& reply : effects.replies) {
      on_reply(reply);
    }
  };
  for (const auto& fact : effects.facts) {
    (void)node.disk.put_fact(fact.name, fact.value);
  }
  if (options_.reply_before_commit) {
    replies();
  }
  if (!quiet_ && effects.record && random_.chance(0.0005)) {
    hit("crash before the log write");
    crash(index, random_.chance(0.5));
    at(now_us_ + random_.between(1, 3 * second), [this, index] { start(index); });
    return;
  }
  if (effects.record) {
    observe_record(index, effects.record->record);
    if (auto written = node.disk.append(effects.record->position, effects.record->record);
        !written) {
      complain(node.name + ": " + written.error().message);
    }
    hit("record");
  }
  if (effects.sync_first) {
    const auto position = node.disk.sync();
    at(now_us_, [this, index, lifetime, position = *position] {
      if (nodes_[index]->lifetime == lifetime) {
        feed(index, replica::LogSynced{position});
      }
    });
  }
  if (!quiet_ && effects.record && random_.chance(0.0005)) {
    hit("crash after the log write");
    crash(index, random_.chance(0.5));
    at(now_us_ + random_.between(1, 3 * second), [this, index] { start(index); });
    return;
  }
  for (const auto& event : effects.events) {
    trace(node.name + " says: " + event.text);
  }
  if (!options_.reply_before_commit) {
    replies();
  }
  for (const auto& send : effects.sends) {
    deliver(index, send.connection, send.message);
  }
  for (const auto& dial : effects.dials) {
    connect(index, dial);
  }
  for (const auto& closing : effects.closes) {
    close(index, closing.connection);
  }
  if (effects.checkpoint) {
    checkpoint(index, std::shared_ptr<replica::CheckpointJob>(std::move(effects.checkpoint)));
  }
  for (auto& job : effects.cut_jobs) {
    const std::shared_ptr<replica::CutJob> shared = std::move(job);
    at(now_us_ + random_.between(10, 20'000), [this, index, lifetime, shared] {
      if (nodes_[index]->lifetime == lifetime && nodes_[index]->replica) {
        auto done = shared->run(nodes_[index]->disk);
        if (done.error) {
          complain(nodes_[index]->name + " cannot read its cut: " + done.error->message);
        } else if (done.kind == replica::CutJobKind::digest) {
          hit("checker: state on disk");
          if (done.digest != history_.digest(done.applied)) {
            complain("I3: the state on disk of " + nodes_[index]->name +
                     " is not what its log up to W gives");
          }
        }
        feed(index, std::move(done));
      }
    });
  }
  if (effects.truncate_below) {
    hit("truncation");
    (void)node.disk.truncate(*effects.truncate_below);
  }
  if (effects.wake_at_us != 0) {
    const std::uint64_t wake = std::max(effects.wake_at_us, now_us_ + 1000);
    if (node.timer_at_us <= now_us_ || wake < node.timer_at_us) {
      node.timer_at_us = wake;
      at(wake, [this, index, lifetime, wake] {
        Node& sleeper = *nodes_[index];
        if (sleeper.lifetime == lifetime && sleeper.timer_at_us == wake) {
          sleeper.timer_at_us = 0;
          feed(index, replica::TimerFired{});
        }
      });
    }
  }
}

void World::observe_record(std::size_t index, const std::string& bytes) {
  const auto record = replica::Record::decode(bytes);
  if (!record) {
    complain(nodes_[index]->name + " writes a record that does not decode");
    return;
  }
  for (const Run& run : record->runs()) {
    RunReader reader(run);
    while (!reader.done() && reader.next()) {
      if (auto problem = history_.add(run.origin, reader.first(), reader.last(), reader.bytes())) {
        complain(nodes_[index]->name + ": " + *problem);
        return;
      }
    }
  }
}

void World::checkpoint(std::size_t index, std::shared_ptr<replica::CheckpointJob> job) {
  const std::uint64_t lifetime = nodes_[index]->lifetime;
  hit("checkpoint");
  at(now_us_ + random_.between(100, 400'000), [this, index, lifetime, job] {
    Node& node = *nodes_[index];
    if (node.lifetime != lifetime || !node.replica) {
      hit("crash during a checkpoint");
      return;
    }
    if (!options_.store_ahead_of_log) {
      sync(index);  // log before state (R5.2)
    }
    if (!node.replica || node.lifetime != lifetime) {
      return;
    }
    auto done = job->run(node.disk);
    // The file is ingested; the core learns of it a little later, or never.
    at(now_us_ + random_.between(1, 50'000), [this, index, lifetime, done = std::move(done)] {
      if (nodes_[index]->lifetime == lifetime) {
        feed(index, done);
      }
    });
  });
}

// ---------------------------------------------------------------- network

bool World::blocked(std::size_t from, std::size_t to) const { return cuts_.contains({from, to}); }

std::uint64_t World::travel_us(std::size_t to) {
  return random_.between(faults_.delay_min_us, faults_.delay_max_us) + nodes_[to]->slow_us;
}

void World::connect(std::size_t from, const replica::Dial& dial) {
  std::size_t to = nodes_.size();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i]->name == dial.address) {
      to = i;
    }
  }
  const std::uint64_t lifetime = nodes_[from]->lifetime;
  const bool refused =
      to == nodes_.size() || !nodes_[to]->replica || blocked(from, to) || blocked(to, from);
  at(now_us_ + (to < nodes_.size() ? travel_us(to) : 1000),
     [this, from, to, lifetime, refused, dial] {
       if (nodes_[from]->lifetime != lifetime || !nodes_[from]->replica) {
         return;
       }
       if (refused || !nodes_[to]->replica) {
         feed(from, replica::DialFailed{dial.dial});
         return;
       }
       const replica::ConnectionId here = next_connection_++;
       const replica::ConnectionId there = next_connection_++;
       connections_[here] = {from, nodes_[from]->lifetime, to, there};
       connections_[there] = {to, nodes_[to]->lifetime, from, here};
       hit("connection");
       feed(to, replica::PeerConnected{there, std::nullopt});
       feed(from, replica::PeerConnected{here, dial.dial});
     });
}

void World::deliver(std::size_t from, replica::ConnectionId connection,
                    const wire::PeerMessage& message) {
  const auto end = connections_.find(connection);
  if (end == connections_.end()) {
    return;
  }
  const std::size_t to = end->second.peer;
  const replica::ConnectionId there = end->second.peer_connection;
  const auto* push = std::get_if<wire::Push>(&message);
  hit(std::string("message ") + name_of(message));
  if (push != nullptr && push->answers_pull) {
    hit("message Push after Pull");
  }
  const std::string frame = wire::encode(message);
  trace(nodes_[from]->name + " -> " + nodes_[to]->name + " " + name_of(message) + " " +
        std::to_string(frame.size()));
  if (blocked(from, to)) {
    hit("fault partition drops");
    return;
  }
  if (random_.chance(faults_.loss)) {
    hit("fault loss");
    return;
  }
  const int copies = random_.chance(faults_.duplication) ? 2 : 1;
  if (copies == 2) {
    hit("fault duplication");
  }
  for (int copy = 0; copy < copies; ++copy) {
    at(now_us_ + travel_us(to), [this, to, there, frame] {
      if (!connections_.contains(there) || !nodes_[to]->replica) {
        return;
      }
      wire::FrameReader reader(wire::max_frame_body);
      reader.feed(frame);
      const auto body = reader.next();
      if (!body || !*body) {
        complain("a frame does not come out as it went in");
        return;
      }
      auto decoded = wire::decode_peer(**body);
      if (!decoded) {
        complain("a message does not decode");
        return;
      }
      feed(to, replica::PeerReceived{there, std::move(*decoded), frame.size()});
    });
  }
}

void World::close(std::size_t from, replica::ConnectionId connection) {
  const auto end = connections_.find(connection);
  if (end == connections_.end()) {
    return;
  }
  const replica::ConnectionId there = end->second.peer_connection;
  const std::size_t to = end->second.peer;
  connections_.erase(end);
  (void)from;
  // Behind what was sent before it.
  at(now_us_ + travel_us(to) + faults_.delay_max_us, [this, to, there] {
    if (connections_.erase(there) > 0) {
      feed(to, replica::PeerClosed{there});
    }
  });
}

// ---------------------------------------------------------------- workload

Command World::random_command() {
  // Few keys, so that concurrent operations meet; some keys are shared by all types.
  const auto key = [&](const char* prefix, std::uint64_t count) {
    return random_.chance(0.08) ? std::string("any")
                                : prefix + std::to_string(random_.below(count));
  };
  const std::string member(1, static_cast<char>('a' + random_.below(6)));
  const auto delta = static_cast<std::int64_t>(random_.below(19)) - 9;
  switch (random_.below(16)) {
    case 0:
    case 1:
      return {CommandCode::set,
              0,
              key("s", 3),
              {random_.chance(0.5) ? std::to_string(random_.below(100)) : "text" + member},
              0};
    case 2:
    case 3:
    case 4:
      return {CommandCode::incr, 0, key("s", 3), {}, delta};
    case 5: {
      static constexpr const char* prefixes[] = {"s", "set", "h", "f", "mv"};
      return {CommandCode::del, 0, key(prefixes[random_.below(5)], 3), {}, 0};
    }
    case 6:
    case 7:
      return {CommandCode::set_add,
              0,
              key("set", 3),
              {member, std::string(1, static_cast<char>('a' + random_.below(6)))},
              0};
    case 8:
      return {CommandCode::set_remove, 0, key("set", 3), {member}, 0};
    case 9:
    case 10:
      return {
          CommandCode::hash_set, 0, key("h", 3), {member, std::to_string(random_.below(50))}, 0};
    case 11:
      return {CommandCode::hash_del, 0, key("h", 3), {member}, 0};
    case 12:
      return {CommandCode::hash_incr, 0, key("h", 3), {member}, delta};
    case 13:
      return {CommandCode::flag_enable, 0, key("f", 3), {}, 0};
    case 14:
      return {CommandCode::flag_disable, 0, key("f", 3), {}, 0};
    default:
      return {CommandCode::mv_set, 0, key("mv", 3), {member}, 0};
  }
}

Command World::random_read() {
  const std::string number = std::to_string(random_.below(3));
  switch (random_.below(7)) {
    case 0:
      return {CommandCode::get, 0, "s" + number, {}, 0};
    case 1:
      return {CommandCode::set_members, 0, "set" + number, {}, 0};
    case 2:
      return {CommandCode::hash_get_all, 0, "h" + number, {}, 0};
    case 3:
      return {CommandCode::flag_get, 0, "f" + number, {}, 0};
    case 4:
      return {CommandCode::mv_get, 0, "mv" + number, {}, 0};
    case 5:
      return {CommandCode::get, 0, "any", {}, 0};
    default:
      return {CommandCode::type, 0, "any", {}, 0};
  }
}

void World::send_request(std::size_t node, std::size_t session, wire::Request request) {
  if (!nodes_[node]->replica) {
    return;
  }
  const replica::RequestId id = next_request_++;
  for (const Command& command : request.commands) {
    trace("client " + std::to_string(session) + " -> " + nodes_[node]->name + ": " +
          shown(command));
    ++operations_;
  }
  asked_[id] = {node, nodes_[node]->lifetime, request, session};
  feed(node, replica::ClientRequest{id, std::move(request)});
}

void World::client_step() {
  const std::size_t node = random_.below(nodes_.size());
  const std::size_t session = random_.below(sessions_.size());
  if (random_.chance(0.35)) {
    check_read(node, random_read());
    return;
  }
  if (random_.chance(0.01)) {
    check_node(node);
  }
  Session& mine = sessions_[session];
  wire::Request request;
  request.id = next_op_;
  if (!mine.retryable.empty() && random_.chance(0.15)) {
    // The answer may have been lost: the same request again, at the same node.
    const auto& [where, again] = mine.retryable[random_.below(mine.retryable.size())];
    hit("retry");
    send_request(where, session, again);
    return;
  }
  request.op_id = OpId{session + 1, next_op_++};
  const std::size_t commands = random_.chance(0.2) ? random_.between(2, 5) : 1;
  for (std::size_t i = 0; i < commands; ++i) {
    request.commands.push_back(random_command());
  }
  if (random_.chance(0.3)) {
    request.token = mine.token;
    request.deadline_ms = random_.chance(0.5) ? 2'000 : 0;
    hit("token");
  }
  if (mine.retryable.size() > 10) {
    mine.retryable.erase(mine.retryable.begin());
  }
  mine.retryable.emplace_back(node, request);
  send_request(node, session, std::move(request));
}

void World::on_reply(const replica::Reply& reply) {
  if (probing_ == reply.id) {
    probe_ = reply.response;
    return;
  }
  const auto found = asked_.find(reply.id);
  if (found == asked_.end()) {
    return;
  }
  const Asked asked = std::move(found->second);
  asked_.erase(found);
  const Node& node = *nodes_[asked.node];
  const wire::Response& response = reply.response;
  for (const wire::Result& result : response.results) {
    trace(node.name + " answers: " + shown(result) + (response.repeated ? " (repeated)" : ""));
    if (const auto* error = std::get_if<wire::Error>(&result)) {
      hit("answer: error " + std::to_string(static_cast<int>(error->code)));
      return;
    }
  }
  // Session guarantee: an answer comes from a node that has seen what the session has seen.
  hit("checker: session");
  if (!asked.request.token.leq(response.token)) {
    complain("session: " + node.name + " answered without having seen what the session had seen");
  }
  sessions_[asked.session].token.join(response.token);
  const auto view_origin = [&]() -> std::optional<Dot> {
    for (const Dot& dot : history_.entries_of(*asked.request.op_id)) {
      if (response.token.covers(dot)) {
        return dot;
      }
    }
    return std::nullopt;
  };
  if (!asked.request.op_id) {
    return;
  }
  // At most one of the entries under this op id may have been applied where it was accepted.
  hit("checker: op ids");
  std::size_t seen = 0;
  for (const Dot& dot : history_.entries_of(*asked.request.op_id)) {
    seen += response.token.covers(dot) && dot.origin.node == node.replica->view(now(node)).node
                ? 1u
                : 0u;
  }
  if (seen > 1 && !response.repeated) {
    // Both are from this node: it had the first and applied the request again. Unless the first
    // came back from a peer after a power cut had lost it here.
    if (node.last_power_cut_us == 0) {
      complain("R6.3: a retry was applied a second time at " + node.name);
    }
  }
  if (response.repeated) {
    hit("answer: repeated");
  }
  if (const auto dot = view_origin()) {
    acked_.push_back({asked.node, *dot, now_us_});
  }
}

// A read is answered within its tick, from exactly V: compare it with the specification.
void World::check_read(std::size_t index, const Command& command) {
  Node& node = *nodes_[index];
  if (!node.replica || !node.replica->view(now(node)).ready) {
    return;
  }
  wire::Request request;
  request.id = probe_id;
  request.commands = {command};
  probe_.reset();
  probing_ = next_request_++;
  const std::uint64_t lifetime = node.lifetime;
  feed(index, replica::ClientRequest{*probing_, std::move(request)});
  probing_.reset();
  if (!probe_ || node.lifetime != lifetime || complaint_) {
    return;
  }
  hit("checker: reads");
  const wire::Result wanted = history_.expected(command, probe_->token);
  const wire::Result& got = probe_->results.front();
  if (!same(got, wanted)) {
    complain("spec: " + node.name + " answers " + shown(got) + " to " + shown(command) +
             ", but what it has seen gives " + shown(wanted));
  }
}

void World::check_node(std::size_t index) {
  Node& node = *nodes_[index];
  if (!node.replica) {
    return;
  }
  const auto view = node.replica->view(now(node));
  hit("checker: vector");
  if (auto problem = history_.check_vector(view.applied)) {
    complain(node.name + ": " + *problem);
  }
  if (!view.durable.leq(view.applied)) {
    complain("R1.5: D is ahead of V at " + node.name);
  }
  hit("checker: bounded memory");
  constexpr std::uint64_t most_held = 8u << 20;
  if (view.held_bytes > most_held) {
    complain("I8: " + node.name + " holds more early entries than it may");
  }
  if (view.held_bytes > 0) {
    hit("branch: held");
  }
  coverage_["branch: duplicate dropped"] += view.duplicates_dropped;
  if (view.markers > 0) {
    hit("branch: marker");
  }
}

// ---------------------------------------------------------------- faults

void World::fault_step() {
  switch (random_.below(8)) {
    case 0: {
      const std::size_t node = random_.below(nodes_.size());
      crash(node, random_.chance(0.5));
      const std::uint64_t pause = random_.between(1, 10 * second);
      if (random_.chance(0.1)) {
        nodes_[node]->clock_skew_ms +=
            static_cast<std::int64_t>(random_.below(7'200'000)) - 3'600'000;
        hit("jumping clock");
      }
      at(now_us_ + pause, [this, node] {
        if (!nodes_[node]->replica) {
          start(node);
        }
      });
      break;
    }
    case 1:
    case 2: {  // two sides
      hit("partition");
      std::vector<bool> left;
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        left.push_back(random_.chance(0.5));
      }
      for (std::size_t a = 0; a < nodes_.size(); ++a) {
        for (std::size_t b = 0; b < nodes_.size(); ++b) {
          if (left[a] != left[b]) {
            cuts_.insert({a, b});
          }
        }
      }
      break;
    }
    case 3: {  // one way
      hit("one-way partition");
      const std::size_t from = random_.below(nodes_.size());
      const std::size_t to = random_.below(nodes_.size());
      if (from != to) {
        cuts_.insert({from, to});
      }
      break;
    }
    case 4:
      cuts_.clear();
      break;
    case 5:
      faults_.loss = random_.chance(0.5) ? 0.3 : 0.05;
      faults_.duplication = random_.chance(0.5) ? 0.3 : 0.05;
      break;
    case 6:
      faults_.delay_max_us = random_.chance(0.5) ? 400'000 : 20'000;
      hit("reordering");
      break;
    default:
      faults_ = Faults{};
  }
}

void World::heal_everything() {
  trace("everything heals");
  quiet_ = true;
  cuts_.clear();
  faults_ = Faults{};
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i]->slow_us = 0;
    if (!nodes_[i]->replica) {
      start(i);
    }
  }
}

// ---------------------------------------------------------------- the run

std::optional<std::string> World::run() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    start(i);
  }
  run_until(now_us_ + 5 * second);
  const std::uint64_t end = now_us_ + busy_us;
  const std::uint64_t pace = random_.between(150'000, 300'000);
  std::uint64_t next_fault = now_us_ + random_.between(second, 10 * second);
  while (now_us_ < end && !complaint_) {
    run_until(now_us_ + random_.between(1, 2 * pace));
    const std::size_t burst = random_.chance(0.1) ? random_.between(2, 8) : 1;
    for (std::size_t i = 0; i < burst; ++i) {
      client_step();
    }
    if (now_us_ >= next_fault) {
      fault_step();
      next_fault = now_us_ + random_.between(second, 12 * second);
    }
  }
  if (!complaint_) {
    heal_everything();
    check_final();
  }
  return complaint_;
}

void World::check_final() {
  const auto equal = [&] {
    const auto first = nodes_[0]->replica->view(now(*nodes_[0])).applied;
    return std::ranges::all_of(nodes_, [&](const auto& node) {
      const auto view = node->replica->view(now(*node));
      return view.applied == first &&
             std::ranges::all_of(view.peers, &replica::PeerView::connected);
    });
  };
  const std::uint64_t deadline = now_us_ + calm_us;
  while (now_us_ < deadline && !complaint_) {
    run_until(now_us_ + second);
    if (!complaint_ && equal()) {
      break;
    }
  }
  if (complaint_) {
    return;
  }
  if (!equal()) {
    std::string text = "liveness: the nodes do not converge after everything healed:";
    for (const auto& node : nodes_) {
      const auto view = node->replica->view(now(*node));
      std::uint64_t ops = 0;
      for (const auto& c : view.applied.components()) {
        ops += c.n;
      }
      text += " " + node->name + "=" + std::to_string(ops);
    }
    complain(text);
    return;
  }
  hit("checker: converged");
  const VersionVector v = nodes_[0]->replica->view(now(*nodes_[0])).applied;
  for (std::size_t i = 0; i < nodes_.size() && !complaint_; ++i) {
    check_node(i);
    for (const char* any : {"any"}) {
      for (const CommandCode code : {CommandCode::get, CommandCode::type}) {
        check_read(i, {code, 0, any, {}, 0});
      }
    }
    for (int k = 0; k < 3 && !complaint_; ++k) {
      const std::string n = std::to_string(k);
      check_read(i, {CommandCode::get, 0, "s" + n, {}, 0});
      check_read(i, {CommandCode::set_members, 0, "set" + n, {}, 0});
      check_read(i, {CommandCode::hash_get_all, 0, "h" + n, {}, 0});
      check_read(i, {CommandCode::flag_get, 0, "f" + n, {}, 0});
      check_read(i, {CommandCode::mv_get, 0, "mv" + n, {}, 0});
    }
  }
  // I7: what was acknowledged is there, unless a power cut took it within the promised second.
  for (const Acked& ack : acked_) {
    hit("checker: acknowledged writes");
    if (v.covers(ack.dot)) {
      continue;
    }
    const Node& node = *nodes_[ack.node];
    const bool excused =
        node.config.sync != replica::SyncMode::always && node.last_power_cut_us >= ack.at_us;
    if (!excused) {
      complain("I7: a write acknowledged by " + node.name + " is lost");
      return;
    }
    hit("lost within the promised second");
  }
  // I6: equal V, equal digest, asked as a user would.
  probe_.reset();
  probing_ = next_request_++;
  wire::Request status;
  status.id = probe_id;
  status.deadline_ms = 10'000;
  status.commands = {{CommandCode::status, 0, "", {}, 1}};
  feed(0, replica::ClientRequest{*probing_, std::move(status)});
  run_until(now_us_ + 20 * second);
  probing_.reset();
  if (complaint_) {
    return;
  }
  hit("checker: digests");
  const auto* text = probe_ ? std::get_if<std::string>(&probe_->results.front()) : nullptr;
  if (text == nullptr) {
    complain("status: no answer");
    return;
  }
  if (text->find("\"alarm\"") != std::string::npos) {
    complain("I6: equal version vectors, different digests: " + *text);
  } else if (!text->ends_with("\"converged\":true}")) {
    complain("I6: the nodes are equal and do not say so: " + *text);
  }
}

}  // namespace starling::sim
