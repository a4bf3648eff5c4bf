#include "tests/sim/mutants.h"

#include <array>
#include <string>

#include "crdt/mutants.h"

namespace starling {
namespace sim {
namespace {

constexpr std::array all = {
    Mutant{"reuse_dots", "a restart goes on with the origin before it", "", 50},
    Mutant{"no_causal", "the gate does not look at dependencies", "", 50},
    Mutant{"lww_drop", "a register keeps the winner only", "", 50},
    Mutant{"entry_single_dot", "all ops of an entry share its first dot", "", 50},
    Mutant{"oblivious_counter", "a reset forgets the part that it took away", "", 50},
    Mutant{"blind_reset", "a reset takes away more than it had seen", "", 50},
    Mutant{"load_overwrites", "a load replaces what is in memory", "", 200},
    Mutant{"load_old_base", "a checkpoint ignores the stored cell under a pending one", "", 50},
    Mutant{"evict_dirty", "a finished checkpoint drops changes made meanwhile", "", 200},
    Mutant{"marker_dropped_first", "a frozen marker no longer counts", "", 400},
    Mutant{"unswept", "a checkpoint ends its markers without sweeping", "", 200},
    Mutant{"partial_replay", "replay takes only the first run of a record", "", 50},
    Mutant{"retry_forgotten", "op ids are not kept in the checkpoint", "", 200},
    Mutant{"no_pull", "nothing is ever pulled", "", 50},
    Mutant{"frozen_forgotten", "reads skip what a checkpoint is writing", "", 50},
    Mutant{"pull_storm", "a pull that brought nothing is repeated at once", "pull_storm", 0},
    Mutant{"ack_volatile", "an Ack calls durable what is only applied", "volatile_ack", 0},
    Mutant{"truncate_eagerly", "the log floor ignores what peers have on disk", "eager_floor", 0},
    Mutant{"clock_unclamped", "any clock ahead is adopted", "clock_ahead", 0},
    Mutant{"join_unready", "a joiner serves before it has caught up", "early_joiner", 0},
    Mutant{"reply_before_commit", "answers leave before the record is written", "early_reply", 0},
    Mutant{"state_ahead_of_log", "a checkpoint does not sync the log first", "state_ahead", 0},
    Mutant{"checkpoint_torn", "half a checkpoint file counts", "torn_checkpoint", 0},
};

std::string active;  // one run has one mutant; set before its cluster exists

}  // namespace

std::span<const Mutant> mutants() { return all; }
void switch_on(std::string_view name) { active = name; }

}  // namespace sim

#ifdef STARLING_MUTANTS
bool mutant(std::string_view name) { return sim::active == name; }
#endif

}  // namespace starling
