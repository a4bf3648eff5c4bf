#include "tests/sim/faults.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

namespace starling::sim {

void Faults::schedule(std::uint64_t within_us) {
  usual_weather_ = cluster_.network.weather;
  const std::size_t count = random_.between(4, 12);
  for (std::size_t i = 0; i < count; ++i) {
    cluster_.after(random_.below(within_us), [this] { strike(); });
  }
}

void Faults::strike() {
  static constexpr std::array<Kind, 19> kinds = {
      &Faults::crash,
      &Faults::crash_at_work,
      &Faults::crash,
      &Faults::crash_soon,
      &Faults::crash_soon,
      &Faults::crash_in_disk_write,
      &Faults::crash_in_disk_write,
      &Faults::crash_while_starting,
      &Faults::stop_for_a_while,
      &Faults::split,
      &Faults::isolate,
      &Faults::block_one_way,
      &Faults::partition_by_command,
      &Faults::reset_connections,
      &Faults::bad_weather,
      &Faults::slow_node,
      &Faults::jump_clock,
      &Faults::spoil_checkpoints,
      &Faults::delay_checkpoints,
  };
  if (!over_) {
    const Kind kind =
        random_.chance(0.06) ? &Faults::fill_disk : kinds[random_.below(kinds.size())];
    (this->*kind)();
  }
}

// By what the cluster has counted, whoever set it off.
std::uint64_t Faults::happened() const {
  static constexpr std::array kinds = {"kill",
                                       "power cut",
                                       "graceful stop",
                                       "crash between two effects",
                                       "crash inside a disk write",
                                       "crash during a start",
                                       "partition",
                                       "isolated node",
                                       "one-way partition",
                                       "partition by command",
                                       "connections reset",
                                       "bad weather",
                                       "slow peer",
                                       "jumping clock",
                                       "checkpoint cut short",
                                       "checkpoint without room",
                                       "slow checkpoints",
                                       "stalled checkpoints",
                                       "disk nearly full"};
  std::uint64_t happened = 0;
  for (const char* kind : kinds) {
    happened += cluster_.coverage().count(std::string("fault ") + kind);
  }
  return happened;
}

std::size_t Faults::any_node() {
  std::size_t node = random_.below(cluster_.size());
  for (std::size_t i = 0; i < cluster_.size() && !cluster_.up(node); ++i) {
    node = (node + 1) % cluster_.size();
  }
  return node;
}

void Faults::say(const char* kind, const std::string& line) {
  cluster_.coverage().hit(std::string("fault ") + kind);
  cluster_.note(line);
}

// ---------------------------------------------------------------- nodes

void Faults::crash() {
  const std::size_t node = any_node();
  random_.chance(0.5) ? cluster_.kill(node) : cluster_.cut_power(node);
}

// Whoever has a long command under way next.
void Faults::crash_at_work() { cluster_.in_turns ? crash_at_work(20 * second) : crash(); }

void Faults::crash_at_work(std::uint64_t within_us) {
  for (std::size_t node = 0; node < cluster_.size(); ++node) {
    if (cluster_.works(node)) {
      random_.chance(0.5) ? cluster_.kill(node) : cluster_.cut_power(node);
      return;
    }
  }
  const std::uint64_t pause_us = random_.between(1, 50 * ms);
  if (pause_us < within_us) {
    cluster_.after(pause_us, [this, left_us = within_us - pause_us] {
      if (!over_) {
        crash_at_work(left_us);
      }
    });
  }
}

// At some step of what it does next.
void Faults::crash_soon() {
  cluster_.crash_at_step(any_node(), random_.between(1, 30), random_.chance(0.5));
}

// Of a fact, a record, or a row of a checkpoint.
void Faults::crash_in_disk_write() {
  const std::size_t node = any_node();
  cluster_.crash_with_power(node, random_.chance(0.5));
  cluster_.disk(node).die_in(random_.between(1, 40));
}

void Faults::crash_while_starting() {
  const std::size_t node = any_node();
  cluster_.kill(node);
  // A start writes its origin, and soon after it what it learns.
  cluster_.disk(node).die_in(random_.chance(0.7) ? 1 : random_.between(2, 4));
}

void Faults::stop_for_a_while() {
  const std::size_t node = any_node();
  cluster_.stop(node);
  ends_within(5 * second, [this, node] { cluster_.start(node); });
}

// ---------------------------------------------------------------- network

void Faults::split() {
  std::set<std::size_t> side{0};
  for (std::size_t i = 1; i + 1 < cluster_.size(); ++i) {
    if (random_.chance(0.5)) {
      side.insert(i);
    }
  }
  say("partition", "the cluster is split");
  cluster_.network.split(side);
  ends_within(25 * second, [this] { cluster_.network.heal(); });
}

void Faults::isolate() {
  const std::size_t node = any_node();
  say("isolated node", cluster_.name(node) + " is cut off");
  cluster_.network.split({node});
  ends_within(40 * second, [this] { cluster_.network.heal(); });
}

void Faults::block_one_way() {
  const std::size_t from = any_node();
  const std::size_t to = (from + random_.between(1, cluster_.size() - 1)) % cluster_.size();
  say("one-way partition", "nothing gets from " + cluster_.name(from) + " to " + cluster_.name(to));
  cluster_.network.block(from, to);
  ends_within(25 * second, [this, from, to] { cluster_.network.unblock(from, to); });
}

// As `kvctl partition` does.
void Faults::partition_by_command() {
  const std::size_t node = any_node();
  if (!cluster_.up(node)) {
    return;
  }
  wire::Request cut;
  cut.commands = {{wire::CommandCode::partition, 0, "", {}, 0}};
  if (random_.chance(0.5)) {
    cut.commands[0].args = {cluster_.name((node + 1) % cluster_.size())};
  }
  cluster_.coverage().hit("fault partition by command");
  cluster_.request(node, std::move(cut), {});
  ends_within(20 * second, [this, node] { heal_by_command(node); });
}

void Faults::heal_by_command(std::size_t node) {
  if (cluster_.up(node)) {
    wire::Request heal;
    heal.commands = {{wire::CommandCode::heal, 0, "", {}, 0}};
    cluster_.request(node, std::move(heal), {});
  }
}

void Faults::reset_connections() {
  const std::size_t node = any_node();
  say("connections reset", "connections of " + cluster_.name(node) + " are reset");
  cluster_.network.reset_connections(node);
}

void Faults::bad_weather() {
  auto& weather = cluster_.network.weather;
  say("bad weather", "frames are lost, repeated and reordered");
  weather.loss = random_.chance(0.5) ? 0.3 : 0.05;
  weather.duplication = random_.chance(0.5) ? 0.3 : 0.05;
  weather.reordering = random_.chance(0.5) ? 0.3 : 0.05;
  weather.delay_max_us = weather.delay_min_us + random_.between(1 * ms, 400 * ms);
  ends_within(20 * second, [this] {
    if (!over_) {
      cluster_.network.weather = usual_weather_;
    }
  });
}

void Faults::slow_node() {
  const std::size_t node = any_node();
  say("slow peer", cluster_.name(node) + " becomes slow");
  cluster_.network.slow(node, random_.between(50 * ms, 2 * second));
  ends_within(30 * second, [this, node] { cluster_.network.slow(node, 0); });
}

// ---------------------------------------------------------------- clocks and disks

void Faults::jump_clock() {
  const std::size_t node = any_node();
  constexpr std::int64_t half_an_hour_ms = 30 * 60'000;
  const std::int64_t jump =
      static_cast<std::int64_t>(random_.below(2 * half_an_hour_ms)) - half_an_hour_ms;
  say("jumping clock", "the clock of " + cluster_.name(node) + " jumps");
  cluster_.clock(node).skew_ms += jump;
  ends_within(30 * second, [this, node, jump] { cluster_.clock(node).skew_ms -= jump; });
}

void Faults::spoil_checkpoints() {
  const std::size_t node = any_node();
  if (random_.chance(0.5)) {
    say("checkpoint cut short", "the next checkpoint of " + cluster_.name(node) + " is cut short");
    cluster_.disk(node).cut_checkpoint_short(random_.between(1, 30));
    return;
  }
  say("checkpoint without room", cluster_.name(node) + " has no room for checkpoints");
  cluster_.disk(node).leave_no_room_for_checkpoints(true);
  ends_within(15 * second,
              [this, node] { cluster_.disk(node).leave_no_room_for_checkpoints(false); });
}

void Faults::delay_checkpoints() {
  const std::size_t node = any_node();
  if (random_.chance(0.4)) {
    say("stalled checkpoints", cluster_.name(node) + " cannot take checkpoints");
    cluster_.disk(node).stall_checkpoints(true);
    ends_within(15 * second, [this, node] { cluster_.disk(node).stall_checkpoints(false); });
    return;
  }
  say("slow checkpoints", "checkpoints of " + cluster_.name(node) + " take seconds");
  cluster_.delay_checkpoints(node, random_.between(second, 8 * second));
  ends_within(15 * second, [this, node] { cluster_.delay_checkpoints(node, 50 * ms); });
}

void Faults::fill_disk() {
  const std::size_t node = any_node();
  say("disk nearly full", "the disk of " + cluster_.name(node) + " is nearly full");
  cluster_.disk(node).set_full(true);
  ends_within(20 * second, [this, node] { cluster_.disk(node).set_full(false); });
}

// ---------------------------------------------------------------- the end

void Faults::end_all() {
  over_ = true;
  cluster_.note("everything heals");
  cluster_.restart_within(0);
  cluster_.network.heal();
  auto& weather = cluster_.network.weather;
  weather.loss = weather.duplication = weather.reordering = 0;
  weather.delay_max_us = std::min(weather.delay_max_us, weather.delay_min_us + 60 * ms);
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    cluster_.network.slow(i, 0);
    cluster_.keep_alive(i);
    FaultyStore& disk = cluster_.disk(i);
    disk.leave_no_room_for_checkpoints(false);
    disk.cut_checkpoint_short(0);
    disk.stall_checkpoints(false);
    disk.set_full(false);
    cluster_.delay_checkpoints(i, 20 * ms);
    cluster_.start(i);
    heal_by_command(i);
  }
}

}  // namespace starling::sim
