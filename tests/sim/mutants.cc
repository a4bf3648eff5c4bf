#include "tests/sim/mutants.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "crdt/mutants.h"
#include "tests/sim/scenarios.h"
#include "tests/sim/seed.h"
#include "tests/sim/workers.h"

namespace starling {
namespace sim {
namespace {

constexpr std::array all = {
    // crdt, the gate, entries
    Mutant{"lww_drop", "a register keeps the winner only", "", 50},
    Mutant{"oblivious_counter", "a reset forgets the part that it took away", "", 50},
    Mutant{"blind_reset", "a reset takes away more than it had seen", "", 50},
    Mutant{"entry_single_dot", "all ops of an entry share its first dot", "", 50},
    Mutant{"reuse_dots", "a restart goes on with the origin before it", "", 50},
    Mutant{"no_nonce", "nothing random is part of an origin", "restored_backup", 0},
    Mutant{"no_causal", "the gate does not look at dependencies", "", 50},
    Mutant{"deps_behind", "an entry names what is synced, not what is applied", "", 50},
    Mutant{"deps_ahead", "an entry names what its node has not applied yet", "", 50},
    Mutant{"remove_ignored", "a peer's remove changes nothing", "removed_stays_removed", 0},
    Mutant{"clock_unclamped", "any clock ahead is adopted", "clock_ahead", 0},
    // sorted sets, deadlines, flushing
    Mutant{"raise_is_plain", "of concurrent raises the later one is read", "zadd_raises", 0},
    Mutant{"score_kept", "the index of scores keeps a member that is gone", "", 200},
    Mutant{"first_deadline", "of concurrent deadlines the first holds", "", 200},
    Mutant{"expiry_own_clock", "keys expire by the own clock alone", "", 50},
    Mutant{"hint_believed", "expiry does not look at the key before it takes it away", "", 50},
    Mutant{"shown_until_killed", "an expired key is shown until somebody has taken it away", "",
           50},
    Mutant{"expired_mixes", "a write to an expired key does not take that away first", "", 50},
    Mutant{"expiry_spins", "who cannot expire now asks again at once", "blocked_expiry", 0},
    Mutant{"retry_shows_expired", "what a retry reads does not expire", "retry_after_expiry", 0},
    Mutant{"flush_leaves_totals", "FLUSH kills without resetting increments", "", 50},
    Mutant{"swept_still_counted", "keys that a sweep takes away stay counted on disk", "", 50},
    // clients
    Mutant{"reply_before_commit", "answers leave before the record is written", "early_reply", 0},
    Mutant{"always_unsynced", "--sync always does not wait for the sync", "always_means_always", 0},
    Mutant{"token_ignored", "a request does not wait for what its session has seen", "", 50},
    Mutant{"op_id_lost", "entries do not carry the op id of their request", "", 50},
    Mutant{"retry_forgotten", "op ids are not kept in the checkpoint", "", 50},
    Mutant{"digest_of_older_cut", "a digest of a cut is sent with the V of now", "", 200},
    Mutant{"scan_forgets", "the last key of a page of a scan is left out", "", 50},
    // tables and checkpoints
    Mutant{"load_overwrites", "a load replaces what is in memory", "", 50},
    Mutant{"load_old_base", "a checkpoint ignores the stored cell under a pending one", "", 50},
    Mutant{"frozen_forgotten", "reads skip what a checkpoint is writing", "", 50},
    Mutant{"pack_drops_siblings", "of a small object in one piece concurrent values are left out",
           "", 50},
    Mutant{"dirty_not_noted", "what becomes dirty is not noted as perhaps stored", "", 50},
    Mutant{"evict_dirty", "a finished checkpoint drops changes made meanwhile", "", 50},
    Mutant{"marker_dropped_first", "a frozen marker no longer counts", "", 200},
    Mutant{"alone_forgotten", "what a wholesale kill has covered is read again", "", 50},
    Mutant{"sweep_old_cut", "a sweep of an older cut than a kill ends that kill's marker", "", 200},
    Mutant{"unswept", "a checkpoint ends its markers without sweeping", "", 50},
    Mutant{"state_ahead_of_log", "a checkpoint does not ask for the log first", "state_ahead", 0},
    Mutant{"checkpoint_torn", "half a checkpoint file counts", "torn_checkpoint", 0},
    Mutant{"partial_replay", "replay takes only the first run of a record", "", 50},
    Mutant{"last_record_skipped", "replay ends one record early", "", 50},
    // commands in turns, conflicts
    Mutant{"locks_ignored", "entries of peers write what a long command reads", "", 200},
    Mutant{"part_drops_op", "each part of a long command lacks its last operation", "", 50},
    Mutant{"loser_blamed", "the journal calls the first sibling the winner", "", 50},
    Mutant{"journal_rows_lost", "lines of a failed checkpoint are not written again", "", 200},
    Mutant{"replay_notes_nothing", "a replay notes no conflicts", "", 200},
    Mutant{"flush_decides_nothing", "a flush does not note first what is undecided",
           "flush_of_undecided", 0},
    // peers
    Mutant{"no_pull", "nothing is ever pulled", "", 50},
    Mutant{"hold_unbounded", "early entries are put aside without a bound", "", 50},
    Mutant{"credit_ignored", "an origin pushes without looking at the credit", "", 50},
    Mutant{"pull_flood", "a pull is answered whatever is under way already", "", 50},
    Mutant{"received_twice", "an Ack counts what it has received twice", "", 50},
    Mutant{"waiting_unbounded", "requests wait without a bound", "", 50},
    Mutant{"pull_storm", "a pull that brought nothing is repeated at once", "pull_storm", 0},
    Mutant{"ack_volatile", "an Ack calls durable what is only applied", "volatile_ack", 0},
    Mutant{"truncate_eagerly", "the log floor ignores what peers have on disk", "eager_floor", 0},
    Mutant{"silent_floor", "a pull behind a truncated log gets no answer", "joiner_below_floor", 0},
    Mutant{"join_unready", "a joiner serves before it has caught up", "early_joiner", 0},
    Mutant{"joined_volatile", "a new node counts as joined before that is on its disk",
           "joiner_loses_power", 0},
};

std::string active;  // one run has one mutant; set before its cluster exists

std::string sentence(const Violation& violation) {
  return "[" + violation.rule + "] " + violation.sentence;
}

// Prints "where|sentence|checker" if something complains.
void try_to_kill(const Mutant& mutant, std::FILE* out) {
  switch_on(mutant.name);
  if (const Scenario* scenario = find_scenario(mutant.scenario)) {
    if (const auto result = run_scenario(*scenario, false); result.violation) {
      std::fprintf(out, "scenario %s|%s|%s\n", std::string(scenario->name).c_str(),
                   sentence(*result.violation).c_str(), result.violation->checker.c_str());
    }
    return;
  }
  for (std::uint64_t seed = 1; seed <= mutant.seeds; ++seed) {
    if (const auto result = run_seed({.seed = seed}); result.violation) {
      std::fprintf(out, "seed %s of %s|%s|%s\n", std::to_string(seed).c_str(),
                   std::to_string(mutant.seeds).c_str(), sentence(*result.violation).c_str(),
                   result.violation->checker.c_str());
      return;
    }
  }
}

// The same seeds and scenarios without a mistake: prints a line for every complaint.
void try_without(std::uint64_t part, std::uint64_t parts, std::uint64_t seeds, std::FILE* out) {
  switch_on({});
  for (std::uint64_t seed = 1 + part; seed <= seeds; seed += parts) {
    if (const auto result = run_seed({.seed = seed}); result.violation) {
      std::fprintf(out, "seed %s: %s\n", std::to_string(seed).c_str(),
                   sentence(*result.violation).c_str());
    }
  }
  for (const Scenario& scenario : part == 0 ? scenarios() : std::span<const Scenario>()) {
    if (const auto result = run_scenario(scenario, false); result.violation) {
      std::fprintf(out, "scenario %s: %s\n", std::string(scenario.name).c_str(),
                   sentence(*result.violation).c_str());
    }
  }
}

bool shipping_code_passes(std::uint64_t seeds, std::uint64_t jobs) {
  bool passes = true;
  const auto reports = run_in_processes(
      jobs, jobs, [&](std::size_t part, std::FILE* out) { try_without(part, jobs, seeds, out); });
  for (const WorkerReport& report : reports) {
    passes = passes && report.lines.empty() && report.signal == 0;
    for (const std::string& line : report.lines) {
      std::printf("without a mistake, %s\n", line.c_str());
    }
  }
  return passes;
}

struct Fate {
  bool dead = false;
  std::string checker;  // that said so, if it was one
};

// A crash is no kill: somebody has to say what is wrong.
Fate print_fate(const Mutant& mutant, const WorkerReport& report) {
  const std::string name(mutant.name);
  if (!report.lines.empty()) {
    const std::string& line = report.lines.front();
    const std::size_t said = line.find('|');
    const std::size_t by = line.rfind('|');
    std::printf("%-20s dies by %s: %s\n", name.c_str(), line.substr(0, said).c_str(),
                line.substr(said + 1, by - said - 1).c_str());
    return {true, line.substr(by + 1)};
  }
  std::printf("%-20s SURVIVES %s%s\n", name.c_str(),
              mutant.scenario.empty() ? (std::to_string(mutant.seeds) + " seeds").c_str()
                                      : ("scenario " + std::string(mutant.scenario)).c_str(),
              report.signal != 0 ? ": it crashed, and no checker spoke" : "");
  return {};
}

// A checker that no mistake can make speak proves nothing.
bool all_checkers_spoke(const std::set<std::string>& spoke) {
  bool all_spoke = true;
  for (const std::string& name : names_of_checkers()) {
    if (!spoke.contains(name)) {
      std::printf("no mutant dies by the checker \"%s\"\n", name.c_str());
      all_spoke = false;
    }
  }
  return all_spoke;
}

}  // namespace

std::span<const Mutant> mutants() { return all; }
void switch_on(std::string_view name) { active = name; }

bool hunt_mutants(std::string_view only, std::uint64_t jobs) {
  std::vector<Mutant> hunted;
  std::uint64_t seeds = 0;
  for (const Mutant& mutant : all) {
    if (only.empty() || mutant.name == only) {
      hunted.push_back(mutant);
      seeds = std::max(seeds, mutant.seeds);
    }
  }
  const auto reports = run_in_processes(hunted.size(), jobs, [&](std::size_t part, std::FILE* out) {
    try_to_kill(hunted[part], out);
  });
  std::size_t killed = 0;
  std::set<std::string> spoke;
  for (std::size_t i = 0; i < hunted.size(); ++i) {
    const Fate fate = print_fate(hunted[i], reports[i]);
    killed += fate.dead ? 1 : 0;
    spoke.insert(fate.checker);
  }
  const bool complete = !only.empty() || all_checkers_spoke(spoke);
  const bool passes = shipping_code_passes(seeds, jobs);
  std::printf("%zu of %zu mutants die; the shipping code %s the same %s seeds and all scenarios\n",
              killed, hunted.size(), passes ? "passes" : "FAILS", std::to_string(seeds).c_str());
  return passes && complete && killed == hunted.size() && killed > 0;
}

}  // namespace sim

#ifdef STARLING_MUTANTS
bool mutant(std::string_view name) { return sim::active == name; }
#endif

}  // namespace starling
