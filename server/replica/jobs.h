// Work that the core hands out because it reads or writes much of the disk: checkpoints and reads
// of a cut. A job owns all it needs, runs on a background thread against the store, and comes back
// as an input. The simulator runs the same jobs inline, late, or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crdt/cell.h"
#include "crdt/digest.h"
#include "crdt/mutants.h"
#include "crdt/version_vector.h"
#include "server/replica/conflict.h"
#include "storage/store.h"

namespace starling::replica {

class FrozenTables;  // immutable, shared with the core until the checkpoint is done

// What a checkpoint says about itself besides the cells (R5.2).
struct CheckpointMeta;

struct CheckpointDone {
  std::uint64_t number = 0;
  std::optional<StoreError> error;  // set: nothing was ingested; the core tries again later
  std::uint64_t cells = 0;
  std::uint64_t bytes = 0;
  std::vector<Conflict> conflicts;      // that showed when pending operands met their base
  std::uint64_t conflicts_dropped = 0;  // of these, more than the journal would keep
  Hlc conflicts_dropped_up_to = 0;
  std::uint64_t quarantined = 0;  // cells whose stored bytes did not decode and were left alone
};

// Writes the frozen tables as one sorted file: resolves pending operands against the state (R4.2),
// sweeps what active markers cover (R3.6), ingests (R5.2).
class CheckpointJob {
 public:
  CheckpointJob(std::uint64_t number, std::uint64_t position,
                std::shared_ptr<const FrozenTables> tables, std::unique_ptr<CheckpointMeta> meta);
  CheckpointJob(const CheckpointJob&) = delete;
  CheckpointJob& operator=(const CheckpointJob&) = delete;
  ~CheckpointJob();

  // The log must be durable up to this position before `run` (log before state, R5.2).
  [[nodiscard]] std::uint64_t position() const {
    return mutant("state_ahead_of_log") ? 0 : position_;
  }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  // Runs on: checkpoint thread.
  [[nodiscard]] CheckpointDone run(Store& store) const;

 private:
  std::uint64_t number_;
  std::uint64_t position_;
  std::shared_ptr<const FrozenTables> tables_;
  std::unique_ptr<CheckpointMeta> meta_;
};

enum class CutJobKind : std::uint8_t { scan, export_, digest };

struct CutJobDone {
  std::uint64_t id = 0;
  CutJobKind kind = CutJobKind::scan;
  std::optional<StoreError> error;
  std::shared_ptr<const Cut> cut;  // the one that was read, for the next page
  std::string next_cursor;         // scan, export: empty = finished
  std::vector<std::string> items;  // scan: user keys; export: NDJSON lines
  VersionVector applied;           // digest: V of the cut
  Digest digest;
  std::uint64_t cells = 0;
};

// Reads an exact cut (R5.8): a page of keys, a page of NDJSON, or the audit digest of everything.
class CutJob {
 public:
  struct Params {
    std::uint64_t id = 0;
    CutJobKind kind = CutJobKind::scan;
    std::uint8_t db = 0;
    std::shared_ptr<const Cut> cut;  // read this one; empty: a new one
    std::string prefix;              // scan: only user keys with this prefix
    std::string cursor;              // where the previous page ended; empty = the beginning
    std::uint64_t limit = 0;         // scan: keys; export: bytes
    std::int64_t now_ms = 0;         // what is over by then is hidden
  };
  explicit CutJob(Params params) : params_(std::move(params)) {}

  [[nodiscard]] const Params& params() const { return params_; }
  // Runs on: any background thread.
  [[nodiscard]] CutJobDone run(const Store& store) const;

 private:
  Params params_;
};

}  // namespace starling::replica
