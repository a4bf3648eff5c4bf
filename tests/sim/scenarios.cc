#include "tests/sim/scenarios.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "tests/sim/door_command.h"
#include "tests/sim/final_checks.h"
#include "tests/sim/stage.h"

namespace starling::sim {
namespace {

void truncating(replica::Config& config) { config.truncate_log = true; }

// ---------------------------------------------------------------- found by random seeds

// n2 cannot have what n1's entry had seen, and has no room to put that entry aside.
void pull_storm(Stage& stage) {
  const NodeIndex n0 = stage.node();
  const NodeIndex n1 = stage.node();
  const NodeIndex n2 = stage.node([](replica::Config& config) { config.hold_bytes = 0; });
  stage.settle();
  const Origin first = stage.view(n0).origin;
  stage.cluster().network.drop([=](std::size_t, std::size_t to, const wire::PeerMessage& message) {
    const auto* push = std::get_if<wire::Push>(&message);
    return to == n2 && push != nullptr && push->run.origin == first;
  });
  stage.set(n0, "first", "1");
  stage.run(second);
  stage.set(n1, "second", "2");
  const std::uint64_t before = stage.messages();
  stage.run(10 * second);
  stage.expect(stage.messages() - before < 3'000, "liveness",
               "a pull whose answer cannot be applied is repeated for ever: " +
                   std::to_string(stage.messages() - before) + " messages in 10 s");
  stage.cluster().network.drop({});
  stage.settle();
}

// What made it ready was not on its disk when the power went.
void joiner_loses_power(Stage& stage) {
  const NodeIndex n0 = stage.node();
  stage.set(n0, "old", "value");
  const NodeIndex n1 = stage.absent_node();
  stage.hold_syncs(n1);
  stage.start(n1);
  stage.settle();
  stage.expect_value(n1, "old", "value");
  stage.cut_power(n1);
  stage.isolate(n1);
  stage.start(n1);
  stage.expect_not_ready(n1);
  stage.heal();
  stage.settle();
  stage.expect_value(n1, "old", "value");
}

// The one that has it in memory is away; the other has forgotten even where it was in its log, but
// holds what came later.
void joiner_below_floor(Stage& stage) {
  const NodeIndex n0 = stage.node(truncating);
  const NodeIndex n1 = stage.node(truncating);
  stage.settle();
  for (const std::size_t entries : {80, 80, 1}) {
    stage.fill(n0, entries);
    stage.run(3 * second);
    stage.checkpoint(n0);
    stage.checkpoint(n1);
    stage.run(3 * second);
  }
  stage.expect(stage.cluster().disk(n1).bounds().first > 1, "R5.7", "nothing was truncated");
  stage.kill(n0);
  const NodeIndex n2 = stage.node([](replica::Config& config) { config.join = {"n1:7002"}; });
  stage.run(20 * second);
  stage.expect_not_ready(n2);
  const auto reasons = stage.view(n2).not_ready_reasons;
  stage.expect(!reasons.empty() && reasons.front().starts_with("needs bootstrap"), "R5.7",
               "n2 came too late for the logs of its peers and does not say so");
}

// A retry of reads and writes together answers the writes as before, and reads anew: what has
// expired since is not there. About half of the keys are for the other node to take away, which
// cannot.
void retry_after_expiry(Stage& stage) {
  const NodeIndex n0 = stage.node();
  const NodeIndex n1 = stage.node();
  stage.settle();
  wire::Request request;
  request.op_id = OpId{1, 1};
  request.commands = {{wire::CommandCode::incr, 0, "n", {}, 1}};
  for (const char* key : {"a", "b", "c", "d", "e", "f"}) {
    (void)stage.redis(n0, std::string("SET ") + key + " v PX 1000");
    request.commands.push_back({wire::CommandCode::get, 0, key, {}, 0});
  }
  stage.isolate(n1);
  const auto first = ask(stage.cluster(), n0, request);
  stage.run(1'100 * ms);
  const auto again = ask(stage.cluster(), n0, request);
  std::vector<wire::Result> wanted(request.commands.size(), wire::Nil{});
  wanted.front() = std::int64_t{1};
  stage.expect(first && first->results.back() == wire::Result("v"), "spec",
               "a key is not there before its time is over");
  stage.expect(again && again->repeated && again->results == wanted, "spec",
               "a retry reads a key that has expired");
}

// Nothing can be expired while the disk is nearly full, nor before a new node has caught up; both
// wait for that in peace.
void blocked_expiry(Stage& stage) {
  const NodeIndex n0 = stage.node();
  (void)stage.redis(n0, "SET k v PX 500");
  stage.cluster().disk(n0).set_full(true);
  const NodeIndex n1 = stage.absent_node();
  stage.isolate(n1);
  stage.start(n1);
  const std::uint64_t before = stage.cluster().ticks(n0) + stage.cluster().ticks(n1);
  stage.run(10 * second);
  const std::uint64_t ticks = stage.cluster().ticks(n0) + stage.cluster().ticks(n1) - before;
  stage.expect(
      ticks < 2'000, "liveness",
      "nodes that have nothing to do but wait woke up " + std::to_string(ticks) + " times in 10 s");
  stage.cluster().disk(n0).set_full(false);
}

// A command in turns is told to stop after its first part. It goes on to its end without knowing,
// but nothing of that may be written any more.
void stopped_in_turns(Stage& stage) {
  stage.cluster().in_turns = InTurns{.long_cells = 2, .part_ops = 3, .longest_pause_us = 100 * ms};
  const NodeIndex node = stage.node();
  std::string line = "SADD basket";
  for (int i = 0; i < 20; ++i) {
    line += " item" + std::to_string(i);
  }
  wire::Request request;
  request.commands = {door_command(line)};
  std::optional<wire::Response> answer;
  const std::uint64_t before = stage.view(node).log_position;
  (void)stage.cluster().request(node, request,
                                [&](const wire::Response& response) { answer = response; });
  while (stage.view(node).log_position == before && !answer) {
    stage.run(ms);
  }
  stage.cluster().disk(node).set_full(true);
  stage.run(10 * second);
  const auto* error = answer ? std::get_if<wire::Error>(&answer->results.front()) : nullptr;
  stage.expect(error != nullptr && error->code == wire::ErrorCode::no_space, "0008",
               "a command for which there is no space goes on in turns");
  stage.cluster().disk(node).set_full(false);
  stage.expect_redis(node, "SCARD basket", std::int64_t{2});  // beside the header of its type
}

// ---------------------------------------------------------------- disks

// n1 has applied everything and synced nothing.
void volatile_ack(Stage& stage) {
  const NodeIndex n0 = stage.node(truncating);
  const NodeIndex n1 = stage.node(truncating);
  stage.settle();
  stage.hold_syncs(n1);
  stage.fill(n0, 80);
  stage.run(3 * second);
  stage.checkpoint(n0);
  stage.fill(n0, 10);
  stage.run(3 * second);
  stage.cut_power(n1);
  stage.start(n1);
  stage.settle();
}

// n1 is away while n0 could truncate its log.
void eager_floor(Stage& stage) {
  const NodeIndex n0 = stage.node(truncating);
  const NodeIndex n1 = stage.node(truncating);
  stage.settle();
  stage.kill(n1);
  stage.fill(n0, 80);
  stage.run(3 * second);
  stage.checkpoint(n0);
  stage.fill(n0, 10);
  stage.run(3 * second);
  stage.start(n1);
  stage.settle();
  stage.expect_value(n1, "filler0", "x");
}

// The file with the state is in place before anybody thought of syncing the log.
void state_ahead(Stage& stage) {
  const NodeIndex n0 = stage.node();
  stage.hold_syncs(n0);
  stage.set(n0, "a", "1");
  stage.checkpoint(n0);
  stage.cut_power(n0);
  stage.start(n0);
  stage.expect_value(n0, "a", "1");
  stage.set(n0, "b", "2");
  stage.kill(n0);
  stage.start(n0);
  stage.expect_value(n0, "b", "2");
}

// The disk refuses the third row of a checkpoint, once.
void torn_checkpoint(Stage& stage) {
  const NodeIndex n0 = stage.node();
  stage.fill(n0, 10);
  stage.cluster().disk(n0).cut_checkpoint_short(3);
  stage.checkpoint(n0);
  stage.kill(n0);
  stage.start(n0);
  for (int i = 0; i < 10; ++i) {
    stage.expect_value(n0, "filler" + std::to_string(i), "x");
  }
}

// The process dies in the instant in which its answer has left.
void early_reply(Stage& stage) {
  const NodeIndex n0 = stage.node();
  wire::Request request;
  request.commands = {{wire::CommandCode::set, 0, "a", {"1"}, 0}};
  stage.cluster().request(n0, request, [&](const wire::Response&) {
    stage.cluster().after(0, [&] { stage.kill(n0); });
  });
  stage.run(10 * ms);
  stage.start(n0);
  stage.expect_value(n0, "a", "1");
}

// --sync always, and the machine dies in the instant in which the answer has left.
void always_means_always(Stage& stage) {
  const NodeIndex n0 =
      stage.node([](replica::Config& config) { config.sync = replica::SyncMode::always; });
  stage.set(n0, "a", "1");
  stage.cut_power(n0);
  stage.start(n0);
  stage.expect_value(n0, "a", "1");
}

// n0 wrote after its backup was taken, and n1 has what it wrote. Its clock went back as well, so
// both later starts take the same epoch: the one after the epoch in the backup.
void restored_backup(Stage& stage) {
  const NodeIndex n0 = stage.node();
  const NodeIndex n1 = stage.node();
  stage.settle();
  stage.cluster().clock(n0).skew_ms = -60'000;
  auto backup = stage.cluster().disk(n0).backup();
  stage.kill(n0);
  stage.start(n0);
  stage.set(n0, "a", "after the backup");
  stage.settle();
  stage.kill(n0);
  stage.cluster().restore(n0, std::move(backup));
  stage.start(n0);
  stage.set(n0, "b", "after the restore");
  stage.settle();
  stage.expect_value(n0, "a", "after the backup");
  stage.expect_value(n1, "b", "after the restore");
}

// ---------------------------------------------------------------- joining, clocks, values

// n1 has not even reached the member that it joins.
void early_joiner(Stage& stage) {
  const NodeIndex n0 = stage.node();
  stage.set(n0, "a", "1");
  const NodeIndex n1 = stage.absent_node();
  stage.isolate(n1);
  stage.start(n1);
  stage.expect_not_ready(n1);
  stage.heal();
  stage.settle();
  stage.expect_value(n1, "a", "1");
}

// The clock of n1 is an hour ahead.
void clock_ahead(Stage& stage) {
  const NodeIndex n0 = stage.node();
  const NodeIndex n1 = stage.node();
  stage.settle();
  stage.cluster().clock(n1).skew_ms = 3'600'000;
  stage.set(n1, "a", "from the future");
  stage.settle();
  stage.set(n0, "a", "seen it");
  stage.settle();
  stage.expect_value(n1, "a", "seen it");
}

// n0 hears of a remove by somebody who had seen its element.
void removed_stays_removed(Stage& stage) {
  const NodeIndex n0 = stage.node();
  const NodeIndex n1 = stage.node();
  stage.settle();
  using enum wire::CommandCode;
  (void)stage.ask(n0, {set_add, 0, "basket", {"milk", "bread"}, 0});
  stage.settle();
  (void)stage.ask(n1, {set_remove, 0, "basket", {"milk"}, 0});
  stage.settle();
  const auto left = stage.ask(n0, {set_members, 0, "basket", {}, 0});
  stage.expect(left == wire::Result(std::vector<std::string>{"bread"}), "I2",
               "the basket holds something else than bread");
}

constexpr std::array of_faults = {
    Scenario{"pull_storm", "a pull whose answer cannot be applied is not repeated at once",
             pull_storm},
    Scenario{"joiner_loses_power", "what a power cut can take makes nobody a member for good",
             joiner_loses_power},
    Scenario{"joiner_below_floor", "who comes too late for the log is told that it needs bootstrap",
             joiner_below_floor},
    Scenario{"retry_after_expiry", "what a retry reads expires as for everybody else",
             retry_after_expiry},
    Scenario{"blocked_expiry", "who cannot expire anything now asks again later, not at once",
             blocked_expiry},
    Scenario{"stopped_in_turns", "a command that was stopped between two turns writes no more",
             stopped_in_turns},
    Scenario{"volatile_ack", "an Ack calls durable only what is on a disk", volatile_ack},
    Scenario{"eager_floor", "a log is kept for members that are away", eager_floor},
    Scenario{"state_ahead", "a checkpoint waits for its log", state_ahead},
    Scenario{"torn_checkpoint", "a checkpoint that is cut short never happened", torn_checkpoint},
    Scenario{"early_reply", "an answered write is in the log", early_reply},
    Scenario{"always_means_always", "--sync always: an answered write survives a power cut",
             always_means_always},
    Scenario{"restored_backup", "a directory that goes back in time uses no dot again",
             restored_backup},
    Scenario{"removed_stays_removed", "what was removed stays removed", removed_stays_removed},
    Scenario{"early_joiner", "a new node serves nobody before it has caught up", early_joiner},
    Scenario{"clock_ahead", "nobody's clock is pulled far ahead, and causality still wins",
             clock_ahead},
};

}  // namespace

std::span<const Scenario> scenarios() {
  static const std::vector<Scenario> all = [] {
    std::vector<Scenario> list(of_faults.begin(), of_faults.end());
    std::ranges::copy(scenarios_of_values(), std::back_inserter(list));
    std::ranges::copy(scenarios_of_keys(), std::back_inserter(list));
    return list;
  }();
  return all;
}

const Scenario* find_scenario(std::string_view name) {
  const auto found = std::ranges::find(scenarios(), name, &Scenario::name);
  return found == scenarios().end() ? nullptr : &*found;
}

ScenarioResult run_scenario(const Scenario& scenario, bool keep_trace) {
  Stage stage(keep_trace);
  scenario.play(stage);
  return {stage.cluster().judge().violation(), stage.cluster().trace().lines()};
}

}  // namespace starling::sim
