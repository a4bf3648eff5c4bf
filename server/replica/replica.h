// The replica core: commands and messages in, records, replies and sends out.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/replica/conflict_report.h"
#include "server/replica/effects.h"
#include "server/replica/key_locks.h"
#include "server/replica/transaction.h"
#include "server/replica/turns.h"
#include "server/replica/watches.h"
#include "storage/store.h"

namespace starling::replica {

enum class SyncMode : std::uint8_t { os, everysec, always };

struct Config {
  std::string cluster = "starling";
  std::string name;            // unique in the cluster
  std::string peer_address;    // what other nodes dial (--advertise)
  std::string client_address;  // what clients are told
  std::vector<std::string> join;
  SyncMode sync = SyncMode::everysec;
  std::uint64_t memory_bytes = 256u << 20;  // bound of all tables together (--memory)
  // How much is done at once; for tests that want it little.
  std::size_t wholesale_cells = 1000;  // a kill of more cells does not look at each
  std::size_t thawed_per_tick = 256;   // cells of a finished checkpoint
  std::uint64_t max_value_bytes = 8u << 20;
  std::size_t hold_bytes = 8u << 20;    // of entries that came too early; more is pulled again
  std::uint64_t window_bytes = 0;       // under way to a peer; 0: see `window`
  std::size_t waiting_bytes = 0;        // of requests that wait; 0: see `most_waiting`
  std::size_t conflict_lines = 10'000;  // of the journal (--conflict-lines)
  bool allow_faults = false;
  // Random: a new directory takes its node id from here, every start its nonce and its jitter.
  std::uint64_t random_seed = 0;
  // Freeze when the dirty table reaches this, or this long after its first change.
  std::uint64_t checkpoint_bytes = 64u << 20;
  std::chrono::milliseconds checkpoint_age{60'000};
  std::chrono::milliseconds heartbeat_interval{100};
  std::chrono::milliseconds peer_timeout{5'000};
  // R5.7: until snapshot bootstrap exists, the log is only truncated under this test switch.
  bool truncate_log = false;

  // What bounds memory per peer and for clients that wait (I8).
  // Of entries that a node has under way to another. A run that is larger goes alone (R2.1).
  [[nodiscard]] std::uint64_t window() const {
    return window_bytes > 0 ? window_bytes
                            : std::clamp(memory_bytes / 16, smallest_window, largest_window);
  }
  // … and what one answer to a pull may add to that.
  [[nodiscard]] std::uint64_t pull_answer() const {
    return std::min(largest_pull_answer, 2 * window());
  }
  [[nodiscard]] std::size_t most_waiting() const {
    return waiting_bytes > 0 ? waiting_bytes : std::max<std::size_t>(memory_bytes / 8, 1u << 20);
  }

  static constexpr std::uint64_t smallest_window = 2u << 20;
  static constexpr std::uint64_t largest_window = 72u << 20;
  static constexpr std::uint64_t largest_pull_answer = 4u << 20;
};

// A few figures for health, status and metrics.
struct PeerView {
  struct Heard {
    std::uint64_t ms_ago = 0;
    std::int64_t clock_skew_ms = 0;  // then
  };
  std::uint64_t node = 0;
  std::string name;
  std::string address;
  bool connected = false;
  bool cut = false;              // by `kvctl partition`
  std::uint64_t behind_ops = 0;  // ops we have that it has not applied
  std::uint64_t ahead_ops = 0;   // ops it has that we have not applied
  std::optional<Heard> heard;    // last; empty: not since this process started
  // Payload of Push messages, both kinds, over all links since this process started.
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_under_way = 0;  // sent, and not acknowledged yet
};
struct View {
  bool ready = false;
  std::vector<std::string> not_ready_reasons;
  std::vector<std::string> degraded_reasons;
  std::uint64_t node = 0;
  Origin origin;
  VersionVector applied;
  VersionVector durable;
  std::uint64_t log_position = 0;
  std::uint64_t state_position = 0;
  std::uint64_t table_bytes = 0;
  std::uint64_t evicted_bytes = 0;  // of clean cells, since the start
  std::uint64_t held_bytes = 0;     // entries that came too early
  std::uint64_t waiting_bytes = 0;  // requests that wait
  std::uint64_t waiting_requests = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t checkpoint_failures = 0;
  std::uint64_t commands = 0;
  std::uint64_t entries_applied = 0;  // from peers
  std::uint64_t write_stalls = 0;     // times that writes had to wait for a checkpoint (R5.2)
  std::uint64_t write_stall_us = 0;
  std::array<std::uint64_t, wire::goodbye_reasons> peers_refused{};  // by Goodbye::Reason
  std::uint64_t duplicates_dropped = 0;
  std::uint64_t runs_dropped = 0;  // came too early and found no room
  std::uint64_t markers = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t expired_keys = 0;                           // killed by this node
  std::uint64_t conflict_lines = 0;                         // in the journal
  std::uint64_t conflict_lines_dropped = 0;                 // because it holds no more
  std::array<std::uint64_t, conflict_classes> conflicts{};  // noted by this process, by class
  std::vector<PeerView> peers;
};

// One replicated state machine (R1.1), sans IO: no socket, clock, thread, file or global. Feed it
// inputs with `step`, then take the effects of the whole tick with `end_tick`; what one tick
// accepted is one log record (R1.4, R2.2). The caller performs the effects in order and feeds back
// what follows from them. Runs on: core strand. The store is read on that strand too (cold cells);
// it must outlive this.
class Replica {
 public:
  // Recovers from the store: last checkpoint, then the log behind it (R5.4). Takes a fresh origin,
  // durably, before it returns. An error means the directory must not be served.
  static std::expected<std::unique_ptr<Replica>, StoreError> open(Store& store, Config config,
                                                                  Now now);
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;
  ~Replica();

  void step(Input input, Now now);
  [[nodiscard]] Effects end_tick(Now now);

  // A command of a door that keeps its answers to itself, run at once as a part of this tick; what
  // it answers must not leave before the tick's record is committed, reads included (R2.2).
  using Work = std::function<void(Transaction&)>;
  struct Demand {
    bool writes = false;
    std::size_t payload = 0;  // bytes it may write, about
    // It can run in turns: it is stopped when it has looked at more cells than this.
    std::optional<std::size_t> most_cells = {};
  };
  enum class Ran : std::uint8_t {
    done,
    wait,        // memory is full of what is not yet on disk: try again in a later tick (R5.2)
    takes_long,  // nothing of it was kept: `run_in_turns` can do it
    refused,     // nothing of it was kept: `refusal` says why
  };
  struct Outcome {
    Ran ran = Ran::done;
    std::optional<wire::Error> refusal;
  };
  [[nodiscard]] Outcome run(const Work& work, const Demand& demand, Now now);
  // A hint: these keys will be asked for next.
  void expect(std::uint8_t db, std::span<const std::string_view> keys) const;
  // Work that takes long. Between two turns everything else goes on, ticks included; the keys that
  // it reads and writes are to be locked as long as it runs. If it is refused, a part of what it
  // writes may have been kept.
  [[nodiscard]] Outcome run_in_turns(const Work& work, const Demand& demand, Now now, Turns& turns);
  [[nodiscard]] KeyLocks& locks();
  [[nodiscard]] Watches& watches();
  // V: what a session here has seen.
  [[nodiscard]] const VersionVector& applied() const;
  // How many other members have applied all of it.
  [[nodiscard]] std::size_t members_with(const VersionVector& upto) const;
  [[nodiscard]] std::int64_t expiry_ms(Now now) const;
  // As JSON; see Explainer.
  [[nodiscard]] StoreResult<std::string> why(const ObjectKey& key);
  [[nodiscard]] StoreResult<std::string> explain(const ObjectKey& key);
  // As JSON; see journal_json.
  [[nodiscard]] std::string conflicts(const ConflictQuery& query);
  [[nodiscard]] const ConflictJournal& conflict_journal() const;
  // Something happened since the last end_tick that wants one.
  [[nodiscard]] bool wants_tick() const;
  // The tick has taken in as much as one record should hold: end it before the next step (R1.4).
  [[nodiscard]] bool tick_full() const;

  [[nodiscard]] View view(Now now) const;
  [[nodiscard]] std::string status_json(Now now) const;
  // Client doors of all active members, this node's first.
  [[nodiscard]] std::vector<std::string> client_addresses() const;

 private:
  class Impl;
  explicit Replica(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace starling::replica
