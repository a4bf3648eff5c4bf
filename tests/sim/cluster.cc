#include "tests/sim/cluster.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tests/sim/describe.h"
#include "tests/sim/door_command.h"

namespace starling::sim {
namespace {

using replica::Effects;
using replica::Now;

constexpr std::uint64_t birth_ms = 1'790'000'000'000;

}  // namespace

Cluster::Cluster(const Options& options) : random_(options.seed), trace_(options.keep_lines) {}

Cluster::~Cluster() = default;

Now Cluster::now(const Node& node) const {
  const double wall = static_cast<double>(now_us()) / 1000.0 * node.clock.rate;
  return {now_us() + node.monotonic_offset_us,
          static_cast<std::uint64_t>(static_cast<std::int64_t>(birth_ms) + node.clock.skew_ms +
                                     static_cast<std::int64_t>(wall))};
}

// ---------------------------------------------------------------- nodes

std::size_t Cluster::add(replica::Config config, NodeClock clock) {
  auto node = std::make_unique<Node>();
  node->index = nodes_.size();
  node->config = std::move(config);
  node->clock = clock;
  judge_.added(node->index, node->config);
  nodes_.push_back(std::move(node));
  return nodes_.size() - 1;
}

std::size_t Cluster::find(const std::string& address) const {
  const auto node = std::ranges::find_if(
      nodes_, [&](const auto& one) { return one->config.peer_address == address; });
  return static_cast<std::size_t>(node - nodes_.begin());
}

replica::View Cluster::view(std::size_t node) const {
  return nodes_[node]->replica->view(now(*nodes_[node]));
}

void Cluster::start(std::size_t index) {
  Node& node = *nodes_[index];
  if (up(index) || failed()) {
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
  node.dropped = 0;
  node.conflicts = UINT64_MAX;  // its journal has been loaded
  const Now then = now(node);
  judge_.clock(index, then.unix_ms);
  auto opened = replica::Replica::open(node.disk, node.config, then);
  if (!opened) {
    if (node.disk.dead()) {
      coverage_.hit("fault crash during a start");
      crash(node, node.crash_power);
    } else {
      judge_.complain("I3",
                      name(index) + " cannot open its own directory: " + opened.error().message);
    }
    return;
  }
  node.replica = std::move(*opened);
  node.door = std::make_unique<Door>(*node.replica,
                                     Door::Shell{[this, &node] { return now(node); },
                                                 [this, &node](std::uint64_t delay_us) {
                                                   later(node, delay_us, [this, &node] {
                                                     feed(node.index, replica::TimerFired{});
                                                   });
                                                 }},
                                     in_turns, node.config.random_seed);
  const auto view = node.replica->view(then);
  note(name(index) + " starts at log position " + std::to_string(view.log_position) + ", state " +
       std::to_string(view.state_position) + ", V " + describe(view.applied));
  judge_.started(index, node.disk, view, now_us());
  schedule_tick(node);
}

void Cluster::kill(std::size_t node) {
  if (up(node)) {
    coverage_.hit("fault kill");
    crash(*nodes_[node], false);
  }
}

void Cluster::cut_power(std::size_t node) {
  if (up(node)) {
    coverage_.hit("fault power cut");
    crash(*nodes_[node], true);
  }
}

// It says goodbye, syncs and ends.
void Cluster::stop(std::size_t index) {
  if (!up(index)) {
    return;
  }
  coverage_.hit("fault graceful stop");
  note(name(index) + " is told to stop");
  feed(index, replica::StopRequested{});
  Node& node = *nodes_[index];
  later(node, 200 * ms, [this, &node] {
    if (sync(node)) {
      crash(node, false);
    }
  });
}

void Cluster::restore(std::size_t index, std::unique_ptr<MemoryStore> backup) {
  note(name(index) + " is restored from a backup");
  nodes_[index]->disk.restore(std::move(backup));
  judge_.restored(index, nodes_[index]->disk);
}

void Cluster::crash_at_step(std::size_t node, std::uint64_t steps, bool power) {
  nodes_[node]->crash_fuse.light(steps);
  nodes_[node]->crash_power = power;
}

void Cluster::keep_alive(std::size_t node) {
  nodes_[node]->crash_fuse.light(0);
  nodes_[node]->disk.revive();
}

bool Cluster::lives(Node& node) {
  if (failed() || node.replica == nullptr) {
    return false;
  }
  if (node.disk.dead()) {
    coverage_.hit("fault crash inside a disk write");
    crash(node, node.crash_power);
    return false;
  }
  if (node.crash_fuse.burns_down()) {
    coverage_.hit("fault crash between two effects");
    crash(node, node.crash_power);
    return false;
  }
  return true;
}

// A change of the disk may have been the death of its node; other failures are nobody's plan.
bool Cluster::done(Node& node, const StoreResult<void>& change) {
  if (!change && !node.disk.dead()) {
    judge_.complain("R2.4", name(node.index) + ": " + change.error().message);
  }
  return lives(node);
}

void Cluster::crash(Node& node, bool power) {
  note(name(node.index) + (power ? " loses power" : " is killed"));
  // A sync that is due waits for the one under way, and for the tick after it.
  const std::uint64_t promise_us = second + 2 * sync_max_us + 50 * ms;
  judge_.crashed(node.index, {power, now_us(), node.config.sync, promise_us});
  if (works(node.index)) {
    coverage_.hit("fault crash within a long command");
  }
  node.door.reset();
  node.replica.reset();
  node.crash_fuse.light(0);
  node.disk.revive();
  if (power) {
    node.disk.cut_power();
  }
  std::erase_if(waiting_, [&](const auto& w) { return w.second.node == node.index; });
  network.crashed(node.index, node.lifetime++, power);
  if (restart_within_us_ > 0) {
    after(1 + random_.below(restart_within_us_), [this, &node, lifetime = node.lifetime] {
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

// ---------------------------------------------------------------- the tick

void Cluster::feed(std::size_t index, replica::Input input) {
  Node& node = *nodes_[index];
  if (node.replica == nullptr || failed()) {
    return;
  }
  const Now then = now(node);
  judge_.clock(index, then.unix_ms);
  node.replica->step(std::move(input), then);
  if (node.replica->tick_full()) {
    tick(node);
  } else {
    schedule_tick(node);
  }
}

// What arrives until the posted tick runs shares its record.
void Cluster::schedule_tick(Node& node) {
  if (node.tick_pending || node.replica == nullptr || !node.replica->wants_tick()) {
    return;
  }
  node.tick_pending = true;
  constexpr std::uint64_t within_us = 300;
  later(node, random_.below(within_us), [this, &node] {
    node.tick_pending = false;
    tick(node);
  });
}

void Cluster::tick(Node& node) {
  const Now then = now(node);
  judge_.clock(node.index, then.unix_ms);
  const auto door = node.door->take_answers();
  const std::int64_t expiry_ms = node.replica->expiry_ms(then);
  auto effects = node.replica->end_tick(then);
  judge_.ticked(node.index, {effects, door, now_us(), then.unix_ms, expiry_ms,
                             [&] { return node.replica->view(then); }});
  const std::uint64_t wake = effects.wake_at_us;
  if (!failed() && perform(node, std::move(effects), door)) {
    sync_if_due(node);
    set_alarm(node, wake);
    constexpr std::uint64_t looks_every = 16;
    if (++node.ticks % looks_every == 0) {
      look(node);
    }
    node.door->go_on();
    schedule_tick(node);
  }
}

void Cluster::look(Node& node) {
  const auto view = node.replica->view(now(node));
  judge_.looked(node.index, view, node.config);
  const auto conflicts =
      std::accumulate(view.conflicts.begin(), view.conflicts.end(), std::uint64_t{0});
  if (std::exchange(node.conflicts, conflicts) != conflicts) {
    judge_.noted(node.index, node.replica->conflict_journal());
  }
  coverage_.hit("branch duplicate dropped",
                view.duplicates_dropped - std::exchange(node.duplicates, view.duplicates_dropped));
  coverage_.hit("branch entries dropped",
                view.runs_dropped - std::exchange(node.dropped, view.runs_dropped));
  coverage_.hit("branch entries held", view.held_bytes > 0 ? 1 : 0);
  coverage_.hit("branch marker active", view.markers > 0 ? 1 : 0);
}

// The order of Effects is the contract.
bool Cluster::perform(Node& node, Effects effects, const std::vector<DoorAnswer>& door) {
  if (!commit(node, effects) || !answer(node, effects, door) || !talk(node, effects)) {
    return false;
  }
  begin_jobs(node, effects);
  return lives(node);
}

bool Cluster::commit(Node& node, const Effects& effects) {
  for (const auto& fact : effects.facts) {
    if (!done(node, node.disk.put_fact(fact.name, fact.value))) {
      return false;
    }
  }
  if (effects.record) {
    if (!lives(node)) {
      return false;
    }
    const auto& [position, record] = *effects.record;
    const auto appended = node.disk.append(position, record);
    if (appended) {
      node.appended = position;
      trace_.mix(now_us(), node.index, roll_hash(position, record));
      judge_.committed(node.index, *effects.record);
    }
    if (!done(node, appended)) {
      return false;
    }
  }
  return !effects.sync_first || sync(node);
}

bool Cluster::answer(Node& node, const Effects& effects, const std::vector<DoorAnswer>& door) {
  for (const auto& event : effects.events) {
    note(name(node.index) + " says: " + event.text);
  }
  for (const auto& reply : effects.replies) {
    if (!tell(node, reply.id, reply.response)) {
      return false;
    }
  }
  for (const auto& reply : door) {
    if (reply.is_part) {
      note(name(node.index) + " has written a part of what is under way");
    } else if (!tell(node, reply.id, reply.response)) {
      return false;
    }
  }
  return lives(node);
}

bool Cluster::tell(Node& node, replica::RequestId id, const wire::Response& response) {
  if (!lives(node)) {
    return false;
  }
  judge_.replied(node.index, response, now_us());
  const auto waiting = waiting_.find(id);
  if (waiting == waiting_.end()) {
    return true;  // the client has gone
  }
  std::string line = name(node.index) + " answers " + waiting->second.what + ":";
  for (const wire::Result& result : response.results) {
    line += " " + describe(result);
  }
  note(line + (response.repeated ? " (repeated)" : ""));
  const OnResponse done = std::move(waiting->second.done);
  waiting_.erase(waiting);
  if (done) {
    done(response);
  }
  return true;
}

bool Cluster::talk(Node& node, const Effects& effects) {
  judge_.sending(node.index, effects.sends, node.config);
  for (const auto& [connection, message] : effects.sends) {
    if (!lives(node)) {
      return false;
    }
    judge_.said(node.index, message);
    if (const auto* push = std::get_if<wire::Push>(&message);
        push != nullptr && push->answers_pull) {
      coverage_.hit("branch pull answered");
    } else if (std::holds_alternative<wire::PullNack>(message)) {
      coverage_.hit("branch pull refused below the floor");
    }
    network.send(node.index, connection, message);
    if (const auto bytes = network.unsent(connection)) {
      judge_.unsent(node.index, connection, *bytes);
    }
  }
  for (const auto& one : effects.dials) {
    network.dial(node.index, find(one.address), one.dial);
  }
  for (const auto& one : effects.closes) {
    network.close(node.index, one.connection);
  }
  return lives(node);
}

void Cluster::begin_jobs(Node& node, Effects& effects) {
  if (effects.checkpoint) {
    judge_.froze(node.index);
    run_checkpoint(node, std::move(effects.checkpoint));
  }
  for (auto& job : effects.cut_jobs) {
    run_cut_job(node, std::move(job));
  }
  if (effects.truncate_below) {
    const std::uint64_t below = *effects.truncate_below;
    judge_.truncating(node.index, below, node.replica->view(now(node)), node.disk);
    later(node, random_.below(20 * ms), [this, &node, below] {
      coverage_.hit("branch log truncated");
      done(node, node.disk.truncate(below));
    });
  }
}

void Cluster::set_alarm(Node& node, std::uint64_t core_wake_us) {
  std::uint64_t wake = core_wake_us > node.monotonic_offset_us + now_us()
                           ? core_wake_us - node.monotonic_offset_us
                           : now_us() + ms;
  if (node.config.sync == replica::SyncMode::everysec && !node.syncing &&
      node.synced < node.appended) {
    wake = std::min(wake, std::max(node.last_sync_us + second, now_us() + ms));
  }
  if (node.wake_us > now_us() && node.wake_us <= wake) {
    return;  // the alarm that is set comes first, and sets the next
  }
  node.wake_us = wake;
  later(node, wake - now_us(), [this, &node, wake] {
    if (node.wake_us == wake) {
      sync_if_due(node);
      feed(node.index, replica::TimerFired{});
    }
  });
}

// ---------------------------------------------------------------- disks

bool Cluster::sync(Node& node) {
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
      node.synced >= node.appended || now_us() < node.last_sync_us + second || node.hold_syncs) {
    return;
  }
  node.syncing = true;
  node.last_sync_us = now_us();
  coverage_.hit("branch log sync");
  const std::uint64_t position = node.appended;
  const std::uint64_t takes_us = random_.below(sync_max_us + 1);
  later(node, random_.below(takes_us + 1), [this, &node] {
    const auto synced = node.disk.sync();
    if (lives(node)) {
      judge_.synced(node.index, *synced);
    }
  });
  later(node, takes_us, [this, &node, position] {
    node.syncing = false;
    node.synced = std::max(node.synced, position);
    feed(node.index, replica::LogSynced{position});
  });
}

// Log before state (R5.2), then the file, then the word of it: a crash may fall between any two.
void Cluster::run_checkpoint(Node& node, const std::shared_ptr<const replica::CheckpointJob>& job) {
  const std::uint64_t takes_us = node.checkpoint_us.value_or(random_.below(checkpoint_max_us + 1));
  later(node, random_.below(takes_us / 4 + 1), [this, &node, job, takes_us] {
    if (node.synced < job->position() && !sync(node)) {
      return;
    }
    later(node, takes_us / 2, [this, &node, job, takes_us] {
      auto done = job->run(node.disk);
      trace_.mix(now_us(), done.number, done.bytes);
      coverage_.hit(done.error ? "branch checkpoint failed" : "branch checkpoint");
      if (!lives(node)) {
        return;
      }
      if (!done.error) {
        judge_.ingested(node.index, node.disk);
      }
      later(node, random_.below(takes_us / 4 + 1),
            [this, &node, done = std::move(done)]() mutable { feed(node.index, std::move(done)); });
    });
  });
}

void Cluster::run_cut_job(Node& node, const std::shared_ptr<const replica::CutJob>& job) {
  const std::uint64_t first = random_.below(20 * ms);
  const std::uint64_t then = random_.below(20 * ms);
  later(node, first, [this, &node, job, then] {
    auto done = job->run(node.disk);
    if (done.error) {
      judge_.complain("I3", name(node.index) + " cannot read its own cut: " + done.error->message);
    } else if (done.kind == replica::CutJobKind::digest) {
      judge_.digested(node.index, done.applied, done.digest);
    }
    later(node, then,
          [this, &node, done = std::move(done)]() mutable { feed(node.index, std::move(done)); });
  });
}

// ---------------------------------------------------------------- clients

replica::RequestId Cluster::request(std::size_t index, wire::Request request, OnResponse done) {
  const replica::RequestId id = ++last_request_;
  std::string what;
  for (const wire::Command& command : request.commands) {
    what += (what.empty() ? "\"" : ", \"") + describe(command) + "\"";
  }
  note("client -> " + name(index) + ": " + what);
  judge_.requested(index, id, request, expiry_ms(index));
  count_waiting(*nodes_[index], request);
  waiting_[id] = {index, now_us(), std::move(what), std::move(done)};
  if (!is_door(request)) {
    feed(index, replica::ClientRequest{id, std::move(request)});
    return id;
  }
  Node& node = *nodes_[index];
  judge_.clock(index, now(node).unix_ms);
  node.door->ask(id, request);
  node.replica->tick_full() ? tick(node) : schedule_tick(node);
  return id;
}

void Cluster::give_up(std::size_t index, replica::RequestId id) {
  if (waiting_.erase(id) > 0 && up(index)) {
    coverage_.hit("client gone");
    if (nodes_[index]->door->works_for(id)) {
      coverage_.hit("client gone within its long command");
    }
    nodes_[index]->door->give_up(id);
    feed(index, replica::ClientGone{{id}});
  }
}

// Both ways into a node have to wait for the keys of its long commands.
void Cluster::count_waiting(const Node& node, const wire::Request& request) {
  const replica::KeyLocks& locks = node.replica->locks();
  const bool waits =
      is_door(request)
          ? node.door->writes_locked_key(request)
          : locks.any() && std::ranges::any_of(request.commands, [&](const wire::Command& command) {
              return wire::is_write(command.code) &&
                     !locks.allows(command.key, replica::KeyLocks::Use::write);
            });
  if (waits) {
    coverage_.hit("branch write waits for a long command's key");
  }
}

void Cluster::count_waiting(const Node& node, const wire::PeerMessage& message) {
  const auto* push = std::get_if<wire::Push>(&message);
  if (node.replica == nullptr || push == nullptr || !node.replica->locks().any()) {
    return;
  }
  for (const Written* entry = judge_.history().beginning_at({push->run.origin, push->run.first});
       entry != nullptr && entry->last().n <= push->run.last;
       entry = judge_.history().beginning_at({push->run.origin, entry->last().n + 1})) {
    if (!node.replica->locks().allow(entry->entry)) {
      coverage_.hit("branch entry of a peer waits for a long command's key");
    }
  }
}

std::string Cluster::oldest_unanswered(std::uint64_t older_than_us) const {
  for (const auto& [id, waiting] : waiting_) {
    if (waiting.since_us + older_than_us < now_us()) {
      return name(waiting.node) + " has not answered " + waiting.what + " for " +
             std::to_string((now_us() - waiting.since_us) / second) + " s";
    }
  }
  return {};
}

}  // namespace starling::sim
