#include "server/replica/group.h"

#include <algorithm>
#include <utility>

#include "crdt/mutants.h"
#include "crdt/varint.h"

namespace starling::replica {
namespace {

// What the writes of a request were answered, so that a retry gets the same: numbers and OKs. Reads
// are not kept; a retry reads anew.
std::string encode_results(const std::vector<wire::Command>& commands,
                           const std::vector<wire::Result>& results) {
  std::string out;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (!wire::is_write(commands[i].code)) {
      continue;
    }
    if (const auto* integer = std::get_if<std::int64_t>(&results[i])) {
      put_u8(out, 2);
      put_signed(out, *integer);
    } else {
      put_u8(out, 1);
    }
  }
  return out;
}

std::deque<wire::Result> decode_results(std::string_view bytes) {
  ByteReader in(bytes);
  std::deque<wire::Result> results;
  while (in.ok() && !in.at_end()) {
    if (in.u8() == 2) {
      results.emplace_back(saturate(in.signed_varint()));
    } else {
      results.emplace_back(wire::Ok{});
    }
  }
  return results;
}

constexpr std::size_t max_answer_bytes = 64u << 20;  // must fit a frame
constexpr std::size_t max_entry_payload = max_entry_size - (64u << 10);

}  // namespace

Group::Group(const Store& store, const Limits& limits)
    : store_(store),
      limits_(limits),
      tables_(store, origins_, limits.tables),
      held_(limits.hold_bytes),
      log_(store),
      conflicts_(limits.conflicts) {}

// ---------------------------------------------------------------- recovery

StoreResult<void> Group::recover(std::uint64_t unix_ms) {
  const auto stored = store_.get(checkpoint_key());
  if (!stored) {
    return std::unexpected(stored.error());
  }
  if (*stored) {
    auto row = CheckpointRow::decode(**stored);
    if (!row) {
      return std::unexpected(StoreError{StoreError::Code::corruption,
                                        "the checkpoint row of the state database is damaged; "
                                        "start with an empty directory and --join"});
    }
    for (const Origin& origin : row->origins) {
      origins_.intern(origin);
    }
    for (const auto& seal : row->seals) {
      applied_.seal(seal.node, seal.epoch);
    }
    for (const auto& [origin, stream] : row->streams) {
      applied_.advance({origin, stream.n});
    }
    streams_ = std::move(row->streams);
    for (const auto& [origin, stream] : streams_) {
      newest_ = std::max(newest_, stream.hlc);
    }
    clock_.restore(row->hlc);
  } else {
    tables_.begin_empty();
  }
  if (auto restored = restore_conflicts(); !restored) {
    return restored;
  }
  recovering_ = true;  // what was in memory before fits again
  log_end_ = store_.state_position();
  log_.saved(log_end_);
  const LogBounds bounds = store_.bounds();
  for (std::uint64_t position = log_end_ + 1;
       position + (mutant("last_record_skipped") ? 1 : 0) <= bounds.last; ++position) {
    const auto bytes = store_.read_record(position);
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    auto record = *bytes ? Record::decode(**bytes) : std::nullopt;
    if (!record) {
      return std::unexpected(StoreError{StoreError::Code::corruption,
                                        "log record " + std::to_string(position) +
                                            " is missing or damaged; start with an empty "
                                            "directory and --join"});
    }
    for (const Run& run : record->runs()) {
      const Admitted admitted = admit_one(run, unix_ms);
      if (admitted.admission != Admission::applied) {
        return std::unexpected(StoreError{
            StoreError::Code::corruption,
            "log record " + std::to_string(position) + " does not follow from what is before it" +
                (admitted.problem.empty() ? "" : ": " + admitted.problem) +
                "; start with an empty directory and --join"});
      }
      if (mutant("partial_replay")) {
        break;
      }
    }
    record_ = Record{};  // it is on disk already
    log_.add(position, *record);
    log_end_ = position;
    tables_.evict();
  }
  recovering_ = false;
  replay_left_undecided_ = tables_.any_undecided();
  conflicts_.forget_counts();
  entries_from_peers_ = 0;
  unsynced_.clear();
  unsynced_.emplace_back(log_end_, applied_);
  return {};
}

void Group::begin(const Origin& self) {
  for (const auto& [origin, stream] : streams_) {
    if (origin.node == self.node) {
      clock_.restore(stream.hlc);  // ours; others' clocks are adopted within bounds only (R6.2)
    }
  }
  self_ = self;
  origins_.intern(self);
  streams_.try_emplace(self);
}

// ---------------------------------------------------------------- own writes

std::expected<Group::Executed, wire::Error> Group::execute(const wire::Request& request,
                                                           std::uint64_t unix_ms,
                                                           std::int64_t expiry_ms) {
  Executed executed;
  tables_.evict();  // what the requests before have loaded; within one, references must stay good
  if (request.op_id) {
    const auto known = outcome_of(*request.op_id, unix_ms);
    if (!known) {
      return std::unexpected(wire::Error{wire::ErrorCode::storage, known.error().message});
    }
    if (*known) {
      return repeat(request, **known, expiry_ms);
    }
  }
  Transaction transaction(tables_, self_, streams_[self_].n + 1, clock_.tick(unix_ms), applied_,
                          expiry_ms);
  std::size_t answer_bytes = 0;
  for (const wire::Command& command : request.commands) {
    wire::Result result = run_command(transaction, command, limits_.commands);
    answer_bytes += result_bytes(result);
    if (answer_bytes > max_answer_bytes) {
      return std::unexpected(
          wire::Error{wire::ErrorCode::too_large,
                      "the answer would have more than 64 MiB; ask for less at a time, or export"});
    }
    if (auto* error = std::get_if<wire::Error>(&result)) {
      return std::unexpected(std::move(*error));
    }
    if (transaction.bytes() > max_entry_payload) {
      break;  // it is refused, whatever else it holds
    }
    executed.results.push_back(std::move(result));
  }
  if (transaction.empty()) {
    return executed;
  }
  std::optional<OpId> op_id;
  std::string outcome;
  if (request.op_id && !mutant("op_id_lost")) {
    op_id = request.op_id;
    outcome = encode_results(request.commands, executed.results);
  }
  auto written = write(transaction, op_id, std::move(outcome));
  if (!written) {
    return std::unexpected(std::move(written.error()));
  }
  return executed;
}

std::expected<void, wire::Error> Group::run(const Work& work, std::uint64_t unix_ms,
                                            std::int64_t expiry_ms) {
  tables_.evict();
  Transaction transaction(tables_, self_, streams_[self_].n + 1, clock_.tick(unix_ms), applied_,
                          expiry_ms);
  work(transaction);
  if (const auto& error = transaction.error()) {
    return std::unexpected(wire::Error{wire::ErrorCode::storage, error->message});
  }
  return transaction.empty() ? std::expected<void, wire::Error>()
                             : write(transaction, std::nullopt, {});
}

std::expected<void, wire::Error> Group::write(Transaction& transaction, std::optional<OpId> op_id,
                                              std::string outcome) {
  if (transaction.bytes() + outcome.size() > max_entry_payload) {
    return std::unexpected(
        wire::Error{wire::ErrorCode::too_large,
                    "the request would write an entry of more than 64 MiB; split it"});
  }
  if (transaction.op_count() > max_ops_per_entry) {
    return std::unexpected(
        wire::Error{wire::ErrorCode::too_large, "the request would write more than " +
                                                    std::to_string(max_ops_per_entry) +
                                                    " cells at once; split it"});
  }
  OriginStream& stream = streams_[self_];
  Entry entry;
  entry.origin = self_;
  entry.first = stream.n + 1;
  entry.hlc = clock_.last();
  entry.deps = mutant("deps_behind") ? durable_ : applied_;
  if (mutant("deps_ahead")) {
    for (const auto& seen : applied_.components()) {
      entry.deps.advance({seen.origin, seen.n + (seen.origin == self_ ? 0 : 1)});
    }
  }
  entry.ops = transaction.take_ops();
  entry.op_id = op_id;
  entry.outcome = std::move(outcome);
  record_.expect(self_, entry.first, stream);
  encoded_.clear();
  encode_entry(entry, stream, encoded_);
  record_.add(entry.last(), encoded_);
  apply(entry);
  return {};
}

// The answers of the first time for what was written, fresh ones for what is read.
std::expected<Group::Executed, wire::Error> Group::repeat(const wire::Request& request,
                                                          const OpOutcome& outcome,
                                                          std::int64_t expiry_ms) {
  Executed executed;
  executed.repeated = true;
  auto written = decode_results(outcome.outcome);
  const std::int64_t time_ms = mutant("retry_shows_expired") ? 0 : expiry_ms;
  Transaction reading(tables_, self_, 1, 0, applied_, time_ms);
  for (const wire::Command& command : request.commands) {
    if (!wire::is_write(command.code)) {
      executed.results.push_back(run_command(reading, command, limits_.commands));
    } else if (!written.empty()) {
      executed.results.push_back(std::move(written.front()));
      written.pop_front();
    } else {
      return std::unexpected(wire::Error{wire::ErrorCode::bad_request,
                                         "this op id was used for another request before"});
    }
  }
  return executed;
}

StoreResult<std::optional<OpOutcome>> Group::outcome_of(const OpId& id,
                                                        std::uint64_t unix_ms) const {
  for (const OpOutcomes* outcomes : {&std::as_const(outcomes_), frozen_outcomes_.get()}) {
    if (const OpOutcome* known = outcomes != nullptr ? outcomes->find(id) : nullptr) {
      return *known;
    }
  }
  // By the hour of the clock that stamped it, which may be ahead of ours.
  constexpr std::uint64_t hours_ahead = 24;
  const std::uint64_t now = hour_of(std::max(clock_.last(), hlc_at(unix_ms)));
  const std::uint64_t newest = std::clamp(hour_of(newest_), now, now + hours_ahead);
  for (std::uint64_t hour = newest + 1; hour-- > now - std::min(now, outcome_hours_kept);) {
    const auto row = store_.get(outcome_key(hour, id));
    if (!row) {
      return std::unexpected(row.error());
    }
    if (*row) {
      return decode_outcome(**row);
    }
  }
  return std::nullopt;
}

// ---------------------------------------------------------------- the gate

Group::Admitted Group::admit(Run run, std::uint64_t unix_ms) {
  tables_.evict();
  Admitted admitted = admit_one(std::move(run), unix_ms);
  if (admitted.admission == Admission::applied) {
    admitted.entries += admit_held(unix_ms);
  }
  return admitted;
}

// The head of every origin is tried until none moves.
std::uint64_t Group::admit_held(std::uint64_t unix_ms) {
  std::uint64_t entries = 0;
  for (bool moved = true; moved;) {
    moved = false;
    std::vector<Origin> origins;
    for (const auto& [origin, runs] : held_.runs()) {
      origins.push_back(origin);
    }
    for (const Origin& origin : origins) {
      while (auto next = held_.take(origin, applied_.at(origin) + 1)) {
        const Admitted admitted = admit_one(std::move(*next), unix_ms);
        entries += admitted.entries;
        if (admitted.admission == Admission::applied) {
          moved = true;
        } else if (admitted.admission != Admission::duplicate) {
          break;
        }
      }
    }
  }
  return entries;
}

Group::Admitted Group::admit_one(Run run, std::uint64_t unix_ms) {
  const Origin origin = run.origin;
  Admitted admitted;
  if (run.last <= applied_.at(origin) || applied_.covers({origin, run.last})) {
    ++duplicates_;
    return admitted;
  }
  const auto hold = [&](Run rest) {
    const bool held = held_.hold(std::move(rest));
    runs_dropped_ += held ? 0 : 1;
    admitted.admission = admitted.entries > 0 ? Admission::applied
                         : held               ? Admission::held
                                              : Admission::dropped;
    return admitted;
  };
  if (run.first > applied_.at(origin) + 1) {
    return hold(std::move(run));
  }
  OriginStream& stream = streams_[origin];
  const auto stall = [&](std::string problem) {
    stalled_[origin] = problem;
    admitted.admission = admitted.entries > 0 ? Admission::applied : Admission::stalled;
    admitted.problem = std::move(problem);
    return admitted;
  };
  if (run.first == stream.n + 1 && run.hash_before != stream.hash) {
    return stall("one origin has two histories (a fork): its entries are not accepted");
  }
  RunReader reader(run);
  while (!reader.done()) {
    if (!reader.next()) {
      return stall(std::string(message(EntryError::damaged)));
    }
    if (reader.last() <= stream.n) {
      continue;
    }
    if (!recovering_ && full()) {
      return hold(std::move(run));  // memory is never exceeded: it waits for a checkpoint (R5.2)
    }
    if (reader.first() != stream.n + 1) {
      return stall(std::string(message(EntryError::damaged)));
    }
    auto parsed = parse_entry(reader.bytes(), origin, stream);
    if (!parsed) {
      return stall(std::string(message(parsed.error())));
    }
    if (!parsed->entry.deps.leq(applied_) && !mutant("no_causal")) {
      // It waits, or what is left of it; without room, it is pulled again once its dependencies are
      // here.
      return hold(std::move(run));
    }
    if (!locks_.allow(parsed->entry)) {
      return hold(std::move(run));
    }
    record_.expect(origin, reader.first(), stream);
    record_.add(reader.last(), reader.bytes());
    advance_stream(stream, *parsed, reader.bytes());
    origins_.intern(origin);
    clock_.observe(parsed->entry.hlc, unix_ms);
    apply(parsed->entry);
    ++admitted.entries;
    ++entries_from_peers_;
  }
  stalled_.erase(origin);
  admitted.admission = admitted.entries > 0 ? Admission::applied : Admission::duplicate;
  return admitted;
}

void Group::apply(Entry& entry) {
  if (tables_.any_undecided()) {
    note_conflicts_before(entry);
  }
  // Whoever had seen all that is here cannot have met anything.
  const bool may_meet = entry.origin != self_ && !applied_.leq(entry.deps);
  VersionVector context = entry.deps;
  for (std::size_t i = 0; i < entry.ops.size(); ++i) {
    Op& op = entry.ops[i];
    if (!watches_.watches(op.key.object) || !changes_nothing(entry, op)) {
      watches_.wrote(op);
    }
    const Dot dot = mutant("entry_single_dot") ? entry.dot(0) : entry.dot(i);
    if (auto* assign = std::get_if<Assign>(&op.change)) {
      const Hlc hlc = has_payload(op.key.cell.kind()) ? entry.hlc : 0;
      tables_.assign(op.key, Sibling{dot, hlc, std::move(assign->bytes)}, context);
    } else if (const auto* remove = std::get_if<Remove>(&op.change)) {
      VersionVector killed = context;
      if (remove->context) {
        killed.meet(*remove->context);  // an older view may only shrink what is removed (R3.1)
      }
      if (mutant("remove_ignored") && entry.origin != self_) {
        continue;
      }
      tables_.kill(op.key, killed);
    } else if (const auto* increment = std::get_if<Increment>(&op.change)) {
      tables_.add(op.key, part_of(*increment, dot));
    } else if (const auto* reset = std::get_if<Reset>(&op.change)) {
      for (const ObservedTotal& seen : reset->observed) {
        tables_.reset(op.key, seen, dot);
      }
    } else {
      tables_.kill_scope(std::get<Kill>(op.change).level, op.key.object, context,
                         applied_.leq(context));
    }
    if (!mutant("entry_single_dot")) {
      context.advance(dot);
    }
  }
  if (may_meet) {
    note_conflicts_of(entry);
  }
  remember(entry);
  applied_.advance({entry.origin, entry.last()});
}

bool Group::changes_nothing(const Entry& entry, const Op& op) {
  const auto* assign = std::get_if<Assign>(&op.change);
  const CellKind kind = op.key.cell.kind();
  if (assign == nullptr || (kind != CellKind::set_element && kind != CellKind::scored_member)) {
    return false;
  }
  const auto now = tables_.read(op.key);
  if (!now || !is_present(**now)) {
    return false;
  }
  const auto& cell = std::get<DottedCell>(**now);
  return kind == CellKind::set_element ||
         (entry.origin == self_ && cell.winner()->bytes == assign->bytes);
}

void Group::remember(const Entry& entry) {
  newest_ = std::max(newest_, entry.hlc);
  if (entry.op_id) {
    outcomes_.add(*entry.op_id, {entry.hlc, entry.outcome});
  }
}

// ---------------------------------------------------------------- the tick

Group::Written Group::take_record() {
  Written written;
  written.position = ++log_end_;
  written.bytes = record_.encode();
  log_.add(written.position, record_);
  for (Run& run : std::exchange(record_, {}).take_runs()) {
    if (run.origin == self_) {
      written.own.push_back(std::move(run));
    }
  }
  // Bounded: beyond this, D moves in larger steps.
  constexpr std::size_t max_unsynced = 4096;
  if (unsynced_.size() == max_unsynced) {
    unsynced_.pop_back();
  }
  unsynced_.emplace_back(written.position, applied_);
  return written;
}

void Group::synced(std::uint64_t position) {
  while (!unsynced_.empty() && unsynced_.front().first <= position) {
    durable_.join(unsynced_.front().second);
    unsynced_.pop_front();
  }
}

// ---------------------------------------------------------------- checkpoints

std::size_t Group::dirty_bytes() const { return tables_.dirty_bytes() + outcomes_.bytes(); }

bool Group::full() const {
  return tables_.full(outcomes_.bytes() + (frozen_outcomes_ ? frozen_outcomes_->bytes() : 0));
}

bool Group::dirty() const { return tables_.dirty() || log_end_ > store_.state_position(); }

std::unique_ptr<CheckpointJob> Group::checkpoint(std::uint64_t unix_ms) {
  auto meta = std::make_unique<CheckpointMeta>();
  meta->row.streams = streams_;
  meta->row.seals.assign(applied_.seals().begin(), applied_.seals().end());
  meta->row.origins = origins_.origins();
  meta->row.hlc = clock_.last();
  meta->places = log_.take_unsaved();
  frozen_outcomes_ = std::make_shared<const OpOutcomes>(std::exchange(outcomes_, {}));
  meta->outcomes = frozen_outcomes_;
  meta->conflicts = conflicts_.take_rows();
  meta->conflict_limits = conflicts_.limits();
  meta->log_first = store_.bounds().first;
  meta->now_hour = hour_of(hlc_at(unix_ms));
  frozen_position_ = log_end_;
  return std::make_unique<CheckpointJob>(++checkpoint_number_, log_end_, tables_.freeze(log_end_),
                                         std::move(meta));
}

void Group::checkpoint_done(const CheckpointDone& done) {
  tables_.checkpoint_done(!done.error);
  conflicts_.rows_written(!done.error);
  for (const Conflict& conflict : done.conflicts) {
    conflicts_.note(conflict);
  }
  if (done.conflicts_dropped > 0 && !done.error) {
    conflicts_.note_dropped(done.conflicts_dropped, done.conflicts_dropped_up_to);
  }
  if (done.error) {
    log_.unsaved();
    outcomes_.add(*frozen_outcomes_);
  } else {
    log_.saved(frozen_position_);
    replay_left_undecided_ = false;
  }
  const std::size_t nodes = frozen_outcomes_->by_id().size();
  tables_.garbage().add(std::exchange(frozen_outcomes_, nullptr), nodes);
  tables_.evict();
}

}  // namespace starling::replica
