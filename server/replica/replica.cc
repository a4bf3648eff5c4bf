#include "server/replica/replica.h"

#include <algorithm>
#include <utility>

#include "crdt/mutants.h"
#include "crdt/varint.h"
#include "server/replica/replica_impl.h"
#include "server/replica/splitmix.h"

namespace starling::replica {
namespace {

constexpr std::uint64_t idle_cut_us = 30'000'000;  // an export that is not continued
constexpr std::uint64_t retry_checkpoint_us = 1'000'000;
constexpr std::uint64_t thaw_again_us = 500;

// Facts under which the store keeps what must survive every restart.
constexpr std::string_view fact_cluster = "cluster";
constexpr std::string_view fact_node = "node";
constexpr std::string_view fact_origin = "origin";
constexpr std::string_view fact_members = "members";
constexpr std::string_view fact_joined = "joined";  // V of the first contact, once reached

// Epochs grow with the seconds since this instant (2025-01-01), so that a directory restored from
// an old backup does not fall back to an epoch that was already used (R1.2).
constexpr std::uint64_t epoch_birth_ms = 1'735'689'600'000;

std::string encoded(const VersionVector& vector) {
  std::string bytes;
  put_version_vector(bytes, vector);
  return bytes;
}

}  // namespace

// ---------------------------------------------------------------- opening

StoreResult<void> Replica::Impl::open(Now now) {
  const auto fact = [&](std::string_view name) { return store_.get_fact(name); };
  const auto cluster = fact(fact_cluster);
  if (!cluster) {
    return std::unexpected(cluster.error());
  }
  if (*cluster && **cluster != config_.cluster) {
    return std::unexpected(
        StoreError{StoreError::Code::refused, "this directory belongs to cluster \"" + **cluster +
                                                  "\", not \"" + config_.cluster +
                                                  "\"; check --cluster and --data"});
  }
  const bool fresh = !*cluster;
  const auto node = fact(fact_node);
  const auto origin = fact(fact_origin);
  const auto members = fact(fact_members);
  const auto joined = fact(fact_joined);
  for (const auto* result : {&node, &origin, &members, &joined}) {
    if (!*result) {
      return std::unexpected(result->error());
    }
  }
  if (*node) {
    ByteReader in(**node);
    node_ = in.be<std::uint64_t>();
  } else {
    node_ = splitmix64(config_.random_seed) | 1;
    std::string bytes;
    put_be(bytes, node_);
    if (auto put = store_.put_fact(fact_node, bytes); !put) {
      return put;
    }
  }
  std::optional<Origin> previous;
  if (*origin) {
    ByteReader in(**origin);
    previous = read_origin(in);
  }
  if (auto recovered = group_.recover(now.unix_ms); !recovered) {
    return recovered;
  }
  // Of what was replayed onto cold cells only a checkpoint tells whether it was a conflict.
  checkpoint_wanted_ = group_.tables().any_undecided();

  // A fresh origin for every start, durable before the first write (R1.2): whatever this directory
  // has been through, no dot is ever used twice.
  Origin self;
  self.node = node_;
  const std::uint64_t seconds = (std::max(now.unix_ms, epoch_birth_ms) - epoch_birth_ms) / 1000;
  self.epoch = std::max(previous ? previous->epoch + 1 : 1, static_cast<std::uint32_t>(seconds));
  self.nonce = static_cast<std::uint32_t>(splitmix64(config_.random_seed ^ 0x6E6F6E6365ULL) >> 32);
  if (mutant("no_nonce")) {
    self.nonce = 0;
  }
  if (mutant("reuse_dots") && previous) {
    self = *previous;
  }
  std::string bytes;
  put_origin(bytes, self);
  if (auto put = store_.put_fact(fact_origin, bytes); !put) {
    return put;
  }
  group_.begin(self);

  Members known;
  if (*members) {
    if (auto decoded = Members::decode(**members)) {
      known = std::move(*decoded);
    }
  }
  replicator_.emplace(group_, config_, node_, previous, std::move(known));
  std::optional<VersionVector> goal;
  if (*joined) {
    ByteReader in(**joined);
    goal = read_version_vector(in);
  } else if (fresh && config_.join.empty()) {
    goal.emplace();  // the first of its cluster
    if (auto put = store_.put_fact(fact_joined, encoded(*goal)); !put) {
      return put;
    }
  }
  // A power cut may have taken back what the node had when it began to serve.
  joined_ = (goal && (goal->leq(group_.applied()) || mutant("joined_volatile"))) ||
            mutant("join_unready");
  return fresh ? store_.put_fact(fact_cluster, config_.cluster) : StoreResult<void>();
}

// ---------------------------------------------------------------- the tick

// Commands and messages have been stepped; now everything they did becomes one record, and only
// behind that record anything is said to anybody (R2.2).
Effects Replica::Impl::end_tick(Now now) {
  wants_tick_ = false;
  next_due_us_ = now.monotonic_us + 1'000'000;
  Effects effects;
  if (group_.locks().take_released()) {
    group_.admit_held(now.unix_ms);
  }
  retry_waiting(now);
  was_full_ = was_full_ || group_.full();
  expire(now);
  if (group_.has_record() && !(mutant("reply_before_commit") && !replies_.empty())) {
    auto written = group_.take_record();
    for (Run& own : written.own) {
      replicator_->wrote(std::move(own));
    }
    effects.record = LogWrite{written.position, std::move(written.bytes)};
    effects.sync_first = config_.sync == SyncMode::always && !mutant("always_unsynced");
  }
  answer_digest_questions();
  maybe_checkpoint(effects, now);
  start_cut_jobs(effects);
  maybe_truncate(effects);
  update_readiness(effects);
  finish_digest_rounds(now);
  replicator_->collect(effects, joined_ && !stopping_, now);
  if (store_.has_room(0) && replicator_->members_changed()) {
    effects.facts.push_back({std::string(fact_members), replicator_->members().encode()});
  }
  effects.replies = std::exchange(replies_, {});
  reply_bytes_ = 0;
  effects.events.insert(effects.events.begin(), std::make_move_iterator(events_.begin()),
                        std::make_move_iterator(events_.end()));
  events_.clear();
  if (group_.tables().thaw(config_.thawed_per_tick)) {
    due(now.monotonic_us + thaw_again_us);
  }
  group_.tables().evict();
  effects.garbage = group_.tables().garbage().take();
  std::erase_if(pinned_, [&](const auto& pin) {
    return pin.second.used_us + idle_cut_us < now.monotonic_us;
  });
  effects.wake_at_us = std::min(next_due_us_, replicator_->next_due_us());
  return effects;
}

void Replica::Impl::on(StopRequested, Now now) {
  stopping_ = true;
  while (waiting_.size() > 0) {
    refuse(waiting_.take().request,
           error(wire::ErrorCode::not_ready, "this node is shutting down"));
  }
  replicator_->stop(now);
}

// A new node serves when it has what its contact had. Its later starts serve at once only if it
// cannot lose that again: until it is on disk, a power cut takes it back to the beginning, and it
// has to catch up anew (R5.7, scenario joiner_loses_power).
void Replica::Impl::update_readiness(Effects& effects) {
  const auto& goal = replicator_->join_goal();
  if (joined_ || !goal || !goal->leq(group_.applied())) {
    return;
  }
  joined_ = true;
  effects.facts.push_back({std::string(fact_joined), encoded(*goal)});
  events_.push_back({Severity::info, "caught up with the member it joined: ready"});
}

// ---------------------------------------------------------------- checkpoints

bool Replica::Impl::has_enough_for_a_checkpoint() const {
  return group_.dirty_bytes() >= std::min(config_.checkpoint_bytes, config_.memory_bytes / 4);
}

void Replica::Impl::maybe_checkpoint(Effects& effects, Now now) {
  if (!group_.dirty()) {
    dirty_since_us_ = 0;
    checkpoint_wanted_ = false;
    return;
  }
  if (dirty_since_us_ == 0) {
    dirty_since_us_ = now.monotonic_us;
  }
  const std::uint64_t old_at =
      dirty_since_us_ + static_cast<std::uint64_t>(config_.checkpoint_age.count()) * 1000;
  const bool wanted =
      checkpoint_wanted_ || has_enough_for_a_checkpoint() || now.monotonic_us >= old_at;
  due(old_at);
  if (!wanted || group_.checkpointing()) {
    return;
  }
  if (now.monotonic_us < checkpoint_not_before_us_) {
    due(checkpoint_not_before_us_);
    return;
  }
  if (store_.checkpoint_stalled()) {
    checkpoint_not_before_us_ = now.monotonic_us + retry_checkpoint_us / 10;
    due(checkpoint_not_before_us_);
    return;
  }
  checkpoint_wanted_ = false;
  dirty_since_us_ = 0;
  effects.checkpoint = group_.checkpoint(now.unix_ms);
  effects.checkpoint_is_urgent = std::exchange(was_full_, false);
}

void Replica::Impl::on(CheckpointDone done, Now now) {
  group_.checkpoint_done(done);
  quarantined_ += done.quarantined;
  if (done.error) {
    ++checkpoint_failures_;
    checkpoint_not_before_us_ = now.monotonic_us + retry_checkpoint_us;
    checkpoint_wanted_ = true;
    events_.push_back(
        {Severity::error, "a checkpoint failed and will be tried again: " + done.error->message});
  } else {
    ingested_ = done.number;
  }
  group_.admit_held(now.unix_ms);
}

// Only below W, and below what every known member has on its disk (R5.7).
void Replica::Impl::maybe_truncate(Effects& effects) {
  if (!config_.truncate_log) {
    return;
  }
  const auto everywhere = replicator_->durable_everywhere();
  if (!everywhere) {
    return;
  }
  const std::uint64_t w = store_.state_position();
  if (w < truncated_below_ + 64) {
    return;  // not worth the trouble yet
  }
  // Records are dropped from the oldest on, as long as every run in them is durable everywhere.
  std::uint64_t first = store_.bounds().first;
  for (; first <= w; ++first) {
    const auto bytes = store_.read_record(first);
    const auto record = bytes && *bytes ? Record::decode(**bytes) : std::nullopt;
    if (!record || std::ranges::any_of(record->runs(), [&](const Run& run) {
          return !everywhere->covers({run.origin, run.last});
        })) {
      break;
    }
  }
  truncated_below_ = w;
  if (first > store_.bounds().first) {
    effects.truncate_below = first;
  }
}

// ---------------------------------------------------------------- expiry

void Replica::Impl::expire(Now now) {
  constexpr std::size_t entry_bytes = 1u << 20;
  if (cannot_serve() || group_.full() || !group_.has_room(entry_bytes)) {
    // Not now, whatever is due: to ask again at once would keep the processor busy until then.
    constexpr std::uint64_t later_us = 100'000;
    due(now.monotonic_us + (mutant("expiry_spins") ? 1 : later_us));
    return;
  }
  const auto stepped =
      expiry_.step(group_, [&](const ObjectKey& key) { return rank(key); }, now, expiry_ms(now));
  if (!stepped) {
    events_.push_back({Severity::error, "keys could not be expired: " + stepped.error().message});
  }
  due(std::max(expiry_.due_us(), now.monotonic_us + 1));
}

// Rendezvous hashing (Thaler, Ravishankar 1998): every node orders the live ones the same way, and
// a node that goes or comes moves no other.
std::uint64_t Replica::Impl::rank(const ObjectKey& key) const {
  const std::uint64_t place = place_of(key);
  const auto weight = [&](std::uint64_t node) { return splitmix64(splitmix64(place) ^ node); };
  std::uint64_t before = 0;
  for (const Link* link : replicator_->links()) {
    before += link->ready && !replicator_->is_cut(link->node) && weight(link->node) > weight(node_)
                  ? 1
                  : 0;
  }
  return before;
}

// ---------------------------------------------------------------- the face

Replica::Replica(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Replica::~Replica() = default;

std::expected<std::unique_ptr<Replica>, StoreError> Replica::open(Store& store, Config config,
                                                                  Now now) {
  auto impl = std::make_unique<Impl>(store, std::move(config));
  if (auto opened = impl->open(now); !opened) {
    return std::unexpected(opened.error());
  }
  return std::unique_ptr<Replica>(new Replica(std::move(impl)));
}

void Replica::step(Input input, Now now) { impl_->step(std::move(input), now); }
Effects Replica::end_tick(Now now) { return impl_->end_tick(now); }
Replica::Outcome Replica::run(const Work& work, const Demand& demand, Now now) {
  return impl_->run(work, demand, now);
}
void Replica::expect(std::uint8_t db, std::span<const std::string_view> keys) const {
  SmallVector<std::uint64_t, 32> places;
  for (const std::string_view key : keys) {
    places.push_back(place_of(db, key));
  }
  impl_->group().tables().expect({places.data(), places.size()});
}
Replica::Outcome Replica::run_in_turns(const Work& work, const Demand& demand, Now now,
                                       Turns& turns) {
  return impl_->run_in_turns(work, demand, now, turns);
}
KeyLocks& Replica::locks() { return impl_->group().locks(); }
Watches& Replica::watches() { return impl_->group().watches(); }
const VersionVector& Replica::applied() const { return impl_->group().applied(); }
std::size_t Replica::members_with(const VersionVector& upto) const {
  return impl_->members_with(upto);
}
std::int64_t Replica::expiry_ms(Now now) const { return impl_->expiry_ms(now); }
StoreResult<std::string> Replica::why(const ObjectKey& key) { return impl_->explainer().why(key); }
StoreResult<std::string> Replica::explain(const ObjectKey& key) {
  return impl_->explainer().explain(key);
}
std::string Replica::conflicts(const ConflictQuery& query) {
  return journal_json(impl_->group().conflicts(), query, impl_->explainer().names());
}
const ConflictJournal& Replica::conflict_journal() const { return impl_->group().conflicts(); }
bool Replica::wants_tick() const { return impl_->wants_tick(); }
bool Replica::tick_full() const { return impl_->tick_full(); }
View Replica::view(Now now) const { return impl_->view(now); }
std::string Replica::status_json(Now now) const { return impl_->status_json(now); }
std::vector<std::string> Replica::client_addresses() const { return impl_->client_addresses(); }

}  // namespace starling::replica
