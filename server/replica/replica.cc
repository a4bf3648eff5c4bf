#include "server/replica/replica.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "crdt/mutants.h"
#include "crdt/varint.h"
#include "server/json_writer.h"
#include "server/replica/commands.h"
#include "server/replica/expiry.h"
#include "server/replica/explain.h"
#include "server/replica/group.h"
#include "server/replica/members.h"
#include "server/replica/replicator.h"
#include "server/replica/splitmix.h"
#include "server/replica/waiting_requests.h"

namespace starling::replica {
namespace {

constexpr std::uint64_t patience_us = 10'000'000;   // of a request that waits for memory or a key
constexpr std::size_t max_cut_jobs = 64;            // cut reads not yet done
constexpr std::size_t tick_bytes = 1u << 20;        // a tick ends at about this much (R1.4)
constexpr std::size_t tick_reply_bytes = 4u << 20;  // … or when its answers have grown to this
constexpr std::uint64_t idle_cut_us = 30'000'000;   // an export that is not continued
constexpr std::uint64_t digest_patience_us = 5'000'000;
constexpr std::uint64_t retry_checkpoint_us = 1'000'000;
constexpr std::uint64_t thaw_again_us = 500;

constexpr std::string_view no_space =
    "the disk is nearly full: writes are refused until there is space";

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

wire::Error error(wire::ErrorCode code, std::string message) { return {code, std::move(message)}; }

std::size_t payload_bytes(const wire::Request& request) {
  std::size_t bytes = 0;
  for (const wire::Command& command : request.commands) {
    bytes += command.key.size();
    for (const std::string& argument : command.args) {
      bytes += argument.size();
    }
  }
  return bytes;
}

}  // namespace

class Replica::Impl {
 public:
  Impl(Store& store, Config config)
      : store_(store),
        config_(std::move(config)),
        group_(store, {.tables = {.memory_bytes = config_.memory_bytes,
                                  .wholesale_cells = config_.wholesale_cells},
                       .commands = {.max_value_bytes = config_.max_value_bytes},
                       .conflicts = ConflictJournal::Limits::of_lines(config_.conflict_lines),
                       .hold_bytes = config_.hold_bytes}),
        waiting_(std::max<std::size_t>(config_.memory_bytes / 8, 1u << 20)) {}

  StoreResult<void> open(Now now);

  void step(Input input, Now now) {
    wants_tick_ = true;
    std::visit([&](auto& one) { on(std::move(one), now); }, input);
  }

  Effects end_tick(Now now);
  Outcome run(const Work& work, const Demand& demand, Now now);
  Outcome run_in_turns(const Work& work, const Demand& demand, Now now, Turns& turns);
  [[nodiscard]] Group& group() { return group_; }
  [[nodiscard]] std::size_t members_with(const VersionVector& upto) const {
    return replicator_->members_with(upto);
  }
  [[nodiscard]] std::int64_t expiry_ms(Now now) const { return replicator_->expiry_ms(now); }
  [[nodiscard]] Explainer explainer() { return {group_, *replicator_, config_.name}; }

  [[nodiscard]] bool wants_tick() const { return wants_tick_ || replicator_->wants_tick(); }
  // Who writes much waits then, so that memory is never full of it for those who write little.
  [[nodiscard]] bool checkpoints_are_behind() const {
    return group_.full() || (group_.checkpointing() && has_enough_for_a_checkpoint());
  }
  [[nodiscard]] bool tick_full() const {
    return group_.record_bytes() >= tick_bytes || reply_bytes_ >= tick_reply_bytes;
  }
  [[nodiscard]] View view(Now now) const;
  [[nodiscard]] std::string status_json(Now now) const { return status(now, nullptr); }
  [[nodiscard]] std::vector<std::string> client_addresses() const;

 private:
  class CheckedTurns;
  struct CutRequest {  // one page or digest that a client or a peer asked for
    std::optional<RequestId> client;
    std::uint64_t client_request = 0;
    std::optional<Replicator::DigestQuestion> peer;
    std::optional<std::uint64_t> round;  // our own digest for a status
    std::uint64_t after_checkpoint = 0;  // not before this checkpoint is ingested
    CutJob::Params params;
  };
  struct PinnedCut {  // an export between two pages
    std::shared_ptr<const Cut> cut;
    std::uint64_t used_us = 0;
  };
  struct DigestRound {  // one `status` that wants to know whether all agree
    RequestId client = 0;
    std::uint64_t client_request = 0;
    std::uint64_t until_us = 0;
    std::map<std::uint64_t, wire::DigestReply> answers;  // by node
    std::string failure;                                 // why there is none of our own
    std::set<std::uint64_t> asked;
  };

  void on(ClientRequest request, Now now);
  void on(ClientGone gone, Now now);
  void on(PeerConnected input, Now now) { replicator_->connected(input, now); }
  void on(DialFailed input, Now now) { replicator_->dial_failed(input, now); }
  void on(PeerClosed input, Now now) { replicator_->closed(input, now); }
  void on(PeerReceived input, Now now) { replicator_->received(std::move(input), now); }
  void on(LogSynced input, Now) { group_.synced(input.position); }
  void on(CheckpointDone done, Now now);
  void on(CutJobDone done, Now now);
  void on(TimerFired, Now) {}
  void on(StopRequested, Now now);

  // -- client requests --
  void serve(ClientRequest request, Now now);
  bool serve_special(const ClientRequest& request, Now now);
  void reply(RequestId id, std::uint64_t request, std::vector<wire::Result> results,
             bool repeated = false);
  void refuse(const ClientRequest& request, wire::Error error);
  void wait(ClientRequest request, std::uint64_t until_us);
  void stall(Now now);
  void end_stall(Now now);
  [[nodiscard]] bool is_unlocked(const wire::Request& request);
  void retry_waiting(Now now);
  [[nodiscard]] std::optional<wire::Error> cannot_serve() const;

  // -- cuts and checkpoints --
  [[nodiscard]] bool has_too_many_cuts() const {
    return cut_requests_.size() + running_cuts_.size() >= max_cut_jobs;
  }
  void request_cut(CutRequest request);
  void page(const ClientRequest& request, const wire::Command& command, Now now);
  void start_cut_jobs(Effects& effects);
  [[nodiscard]] bool has_enough_for_a_checkpoint() const;
  void maybe_checkpoint(Effects& effects, Now now);
  void maybe_truncate(Effects& effects);

  // -- expiry --
  void expire(Now now);
  [[nodiscard]] std::uint64_t rank(const ObjectKey& key) const;

  // -- status --
  void begin_digest_round(const ClientRequest& request, Now now);
  void answer_digest_questions();
  void finish_digest_rounds(Now now);
  [[nodiscard]] std::string status(Now now, const DigestRound* round) const;
  [[nodiscard]] std::vector<std::uint64_t> nodes_named(const std::vector<std::string>& names,
                                                       std::optional<wire::Error>& problem) const;
  void update_readiness(Effects& effects);
  void due(std::uint64_t at_us) { next_due_us_ = std::min(next_due_us_, at_us); }

  Store& store_;
  Config config_;
  Group group_;
  std::uint64_t node_ = 0;
  std::optional<Replicator> replicator_;
  bool wants_tick_ = true;
  bool stopping_ = false;
  bool joined_ = false;  // it has had what its first contact had: it serves
  std::uint64_t next_due_us_ = 0;

  WaitingRequests waiting_;
  std::vector<Reply> replies_;
  std::size_t reply_bytes_ = 0;
  std::vector<Event> events_;
  std::deque<CutRequest> cut_requests_;
  std::map<std::uint64_t, CutRequest> running_cuts_;
  std::map<std::uint64_t, PinnedCut> pinned_;
  std::uint64_t last_cut_job_ = 0;
  std::uint64_t last_pin_ = 0;
  std::map<std::uint64_t, DigestRound> rounds_;
  std::uint64_t last_round_ = 0;

  bool checkpoint_wanted_ = false;
  bool was_full_ = false;                          // since the last checkpoint began
  std::optional<std::uint64_t> stalled_since_us_;  // writes wait for a checkpoint
  std::uint64_t write_stalls_ = 0;
  std::uint64_t write_stall_us_ = 0;
  std::uint64_t dirty_since_us_ = 0;  // 0: clean
  std::uint64_t checkpoint_not_before_us_ = 0;
  std::uint64_t ingested_ = 0;  // number of the last ingested checkpoint
  std::uint64_t truncated_below_ = 0;
  std::uint64_t checkpoint_failures_ = 0;
  std::uint64_t quarantined_ = 0;
  std::uint64_t commands_ = 0;
  Expiry expiry_;
};

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

// ---------------------------------------------------------------- client requests

void Replica::Impl::reply(RequestId id, std::uint64_t request, std::vector<wire::Result> results,
                          bool repeated) {
  wire::Response response;
  response.id = request;
  response.token = group_.applied();
  response.repeated = repeated;
  response.results = std::move(results);
  for (const wire::Result& result : response.results) {
    reply_bytes_ += result_bytes(result);
  }
  replies_.push_back({id, std::move(response)});
}

void Replica::Impl::refuse(const ClientRequest& request, wire::Error error) {
  std::vector<wire::Result> results;
  results.emplace_back(std::move(error));
  reply(request.id, request.request.id, std::move(results));
}

std::optional<wire::Error> Replica::Impl::cannot_serve() const {
  if (stopping_) {
    return error(wire::ErrorCode::not_ready, "this node is shutting down");
  }
  if (!joined_) {
    return error(
        wire::ErrorCode::not_ready,
        replicator_->needs_bootstrap()
            ? "this node is new and needs bootstrap: its peers no longer hold the whole log"
            : "this node is new and still catching up with the member it joined");
  }
  return std::nullopt;
}

void Replica::Impl::on(ClientRequest request, Now now) {
  if (!request.request.token.leq(group_.applied()) && !mutant("token_ignored")) {
    // This session has seen more than this node: wait for it, but not for ever.
    if (request.request.deadline_ms == 0) {
      refuse(request, error(wire::ErrorCode::behind,
                            "this node has not yet seen what this session has seen"));
    } else {
      const std::uint64_t until =
          now.monotonic_us + std::uint64_t{request.request.deadline_ms} * 1000;
      wait(std::move(request), until);
    }
    return;
  }
  serve(std::move(request), now);
}

void Replica::Impl::on(ClientGone gone, Now) {
  waiting_.forget({gone.ids.begin(), gone.ids.end()});
}

void Replica::Impl::serve(ClientRequest request, Now now) {
  commands_ += request.request.commands.size();
  if (request.request.commands.empty()) {
    refuse(request, error(wire::ErrorCode::bad_request, "the request holds no command"));
    return;
  }
  if (serve_special(request, now)) {
    return;
  }
  if (auto problem = cannot_serve()) {
    refuse(request, std::move(*problem));
    return;
  }
  const bool writes = std::ranges::any_of(
      request.request.commands, [](const wire::Command& c) { return wire::is_write(c.code); });
  const std::uint64_t until = now.monotonic_us + patience_us;
  if (!is_unlocked(request.request)) {
    wait(std::move(request), until);
    return;
  }
  if (writes && !group_.has_room(payload_bytes(request.request))) {
    refuse(request, error(wire::ErrorCode::no_space, std::string(no_space)));
    return;
  }
  if (writes && group_.full()) {
    stall(now);
    wait(std::move(request), until);
    return;
  }
  auto executed = group_.execute(request.request, now.unix_ms, expiry_ms(now));
  if (!executed) {
    refuse(request, std::move(executed.error()));
    return;
  }
  reply(request.id, request.request.id, std::move(executed->results), executed->repeated);
}

// Memory is never exceeded: writes wait until a checkpoint has gone through (R5.2).
void Replica::Impl::stall(Now now) {
  checkpoint_wanted_ = true;
  if (!stalled_since_us_) {
    stalled_since_us_ = now.monotonic_us;
    ++write_stalls_;
  }
}

void Replica::Impl::end_stall(Now now) {
  if (stalled_since_us_ && !group_.full()) {
    write_stall_us_ += now.monotonic_us - *std::exchange(stalled_since_us_, std::nullopt);
  }
}

void Replica::Impl::wait(ClientRequest request, std::uint64_t until_us) {
  if (!waiting_.add(request, until_us)) {
    refuse(request, error(wire::ErrorCode::busy, "too many requests are waiting; retry later"));
  }
}

bool Replica::Impl::is_unlocked(const wire::Request& request) {
  KeyLocks& locks = group_.locks();
  return !locks.any() || std::ranges::all_of(request.commands, [&](const wire::Command& command) {
    return locks.allows(command.key,
                        wire::is_write(command.code) ? KeyLocks::Use::write : KeyLocks::Use::read);
  });
}

Replica::Outcome Replica::Impl::run(const Work& work, const Demand& demand, Now now) {
  const auto refused = [](wire::Error error) { return Outcome{Ran::refused, std::move(error)}; };
  wants_tick_ = true;
  ++commands_;
  if (auto problem = cannot_serve()) {
    return refused(std::move(*problem));
  }
  if (demand.writes && !group_.has_room(demand.payload)) {
    return refused(error(wire::ErrorCode::no_space, std::string(no_space)));
  }
  if (demand.writes && group_.full()) {
    stall(now);
    return {Ran::wait, std::nullopt};
  }
  bool too_long = false;
  auto ran = group_.run(
      [&](Transaction& transaction) {
        if (demand.most_cells) {
          transaction.limit_steps(*demand.most_cells);
        }
        work(transaction);
        too_long = transaction.too_long();
      },
      now.unix_ms, expiry_ms(now));
  if (too_long) {
    return {Ran::takes_long, std::nullopt};
  }
  return ran ? Outcome{} : refused(std::move(ran.error()));
}

// Before every turn this node must be able to take what it writes.
class Replica::Impl::CheckedTurns final : public Turns {
 public:
  CheckedTurns(Impl& impl, const Demand& demand, Turns& turns)
      : impl_(impl), demand_(demand), turns_(turns) {}

  bool over() override { return turns_.over(); }
  [[nodiscard]] std::size_t part_ops() const override { return turns_.part_ops(); }

  std::optional<Now> next() override { return checked(turns_.next()); }
  std::optional<Now> rest() override { return checked(turns_.rest()); }
  std::optional<Now> aside(const std::function<void()>& work) override {
    return checked(turns_.aside(work));
  }

  std::optional<wire::Error> refusal;

 private:
  static constexpr std::size_t part_bytes = 1u << 20;

  std::optional<Now> checked(std::optional<Now> now) {
    impl_.wants_tick_ = true;
    for (; now; now = turns_.rest()) {
      if (auto problem = impl_.cannot_serve()) {
        refusal = std::move(problem);
        return std::nullopt;
      }
      if (!demand_.writes) {
        return now;
      }
      if (!impl_.group_.has_room(part_bytes)) {
        refusal = error(wire::ErrorCode::no_space, std::string(no_space));
        return std::nullopt;
      }
      if (!impl_.checkpoints_are_behind()) {
        return now;
      }
    }
    return std::nullopt;
  }

  Impl& impl_;
  const Demand& demand_;
  Turns& turns_;
};

Replica::Outcome Replica::Impl::run_in_turns(const Work& work, const Demand& demand, Now now,
                                             Turns& turns) {
  wants_tick_ = true;
  if (auto problem = cannot_serve()) {
    return {Ran::refused, std::move(problem)};
  }
  CheckedTurns checked(*this, demand, turns);
  auto ran = group_.run_in_turns(work, now, [this](Now then) { return expiry_ms(then); }, checked);
  if (ran) {
    return {};
  }
  return {Ran::refused, checked.refusal ? std::move(*checked.refusal) : std::move(ran.error())};
}

// Requests that wait run again when V or memory may have moved; those that waited too long say so.
void Replica::Impl::retry_waiting(Now now) {
  end_stall(now);
  for (std::size_t left = waiting_.size(); left > 0; --left) {
    WaitingRequests::Waiting waiting = waiting_.take();
    const bool seen = waiting.request.request.token.leq(group_.applied());
    if (now.monotonic_us >= waiting.until_us) {
      refuse(waiting.request,
             seen ? error(wire::ErrorCode::busy,
                          "memory is full of writes that are not yet on disk, or a command that "
                          "takes long holds the key; retry later")
                  : error(wire::ErrorCode::behind,
                          "this node did not catch up with what this session has seen in time"));
    } else if (seen && !group_.full() && !tick_full() && is_unlocked(waiting.request.request)) {
      serve(std::move(waiting.request), now);
    } else {
      wants_tick_ = wants_tick_ || tick_full();  // the next one goes on
      due(waiting.until_us);
      wait(std::move(waiting.request), waiting.until_us);
    }
  }
}

// Commands that do not run on the tables within the tick. They come alone in their request.
bool Replica::Impl::serve_special(const ClientRequest& request, Now now) {
  using wire::CommandCode;
  const auto special = [](CommandCode code) {
    return static_cast<std::uint16_t>(code) >= static_cast<std::uint16_t>(CommandCode::scan);
  };
  const auto& commands = request.request.commands;
  if (std::ranges::none_of(commands, [&](const wire::Command& c) { return special(c.code); })) {
    return false;
  }
  if (commands.size() > 1) {
    refuse(request,
           error(wire::ErrorCode::bad_request, "this command must be alone in its request"));
    return true;
  }
  const wire::Command& command = commands.front();
  const bool about_node = command.code == CommandCode::status ||
                          command.code == CommandCode::partition ||
                          command.code == CommandCode::heal;
  if (!about_node) {
    if (auto problem = cannot_serve()) {
      refuse(request, std::move(*problem));
      return true;
    }
  }
  switch (command.code) {
    case CommandCode::scan:
    case CommandCode::export_:
      page(request, command, now);
      break;
    case CommandCode::why:
    case CommandCode::explain: {
      Explainer explainer = this->explainer();
      const ObjectKey key{command.db, command.key};
      auto text = command.code == CommandCode::why ? explainer.why(key) : explainer.explain(key);
      if (text) {
        reply(request.id, request.request.id, {wire::Result(std::move(*text))});
      } else {
        refuse(request, error(wire::ErrorCode::storage, text.error().message));
      }
      break;
    }
    case CommandCode::conflicts: {
      ConflictQuery query;
      if (!command.args.empty()) {
        query.key = ObjectKey{command.db, command.args.front()};
      }
      if (command.number > 0) {
        query.limit = static_cast<std::size_t>(command.number);
      }
      reply(request.id, request.request.id,
            {wire::Result(journal_json(group_.conflicts(), query, explainer().names()))});
      break;
    }
    case CommandCode::status:
      if (command.number == 1 && joined_) {
        begin_digest_round(request, now);
      } else {
        reply(request.id, request.request.id, {wire::Result(status(now, nullptr))});
      }
      break;
    case CommandCode::partition:
    case CommandCode::heal: {
      if (!config_.allow_faults) {
        refuse(request, error(wire::ErrorCode::refused,
                              "faults on purpose need a node started with --allow-faults"));
        break;
      }
      std::optional<wire::Error> problem;
      const auto nodes = nodes_named(command.args, problem);
      if (problem) {
        refuse(request, std::move(*problem));
        break;
      }
      command.code == CommandCode::partition ? replicator_->cut(nodes) : replicator_->heal(nodes);
      reply(request.id, request.request.id, {wire::Result(wire::Ok{})});
      break;
    }
    default:
      refuse(request, error(wire::ErrorCode::unsupported, "this node does not know that command"));
  }
  return true;
}

std::vector<std::uint64_t> Replica::Impl::nodes_named(const std::vector<std::string>& names,
                                                      std::optional<wire::Error>& problem) const {
  std::vector<std::uint64_t> nodes;
  for (const std::string& name : names) {
    const wire::Member* member = replicator_->members().find_name(name);
    if (member == nullptr || member->node == node_) {
      problem = error(wire::ErrorCode::bad_request,
                      "no other member is called \"" + name + "\"; `kvctl status` lists them");
      return {};
    }
    nodes.push_back(member->node);
  }
  return nodes;
}

// ---------------------------------------------------------------- cuts

void Replica::Impl::request_cut(CutRequest request) {
  // What is only in memory must be on disk first: the next checkpoint, or the one after the one
  // that is being written now.
  if (!request.params.cut && group_.dirty()) {
    request.after_checkpoint = group_.checkpoint_number() + 1;
    checkpoint_wanted_ = true;
    checkpoint_not_before_us_ = 0;
  }
  cut_requests_.push_back(std::move(request));
}

// A cursor is "pin:key" for an export, whose pages all read one cut, and the next key for a scan,
// whose pages each read the newest state, as SCAN does.
void Replica::Impl::page(const ClientRequest& request, const wire::Command& command, Now now) {
  if (has_too_many_cuts()) {
    refuse(request, error(wire::ErrorCode::busy, "too many scans are running; retry later"));
    return;
  }
  CutRequest cut;
  cut.client = request.id;
  cut.client_request = request.request.id;
  cut.params.db = command.db;
  cut.params.prefix = command.key;
  cut.params.now_ms = expiry_ms(now);
  std::string cursor = command.args.empty() ? std::string() : command.args[0];
  const std::uint64_t wanted = command.number > 0 ? static_cast<std::uint64_t>(command.number) : 1;
  if (command.code == wire::CommandCode::scan) {
    cut.params.kind = CutJobKind::scan;
    cut.params.limit = std::min<std::uint64_t>(wanted, 100'000);
    cut.params.cursor = std::move(cursor);
    if (!cut.params.cursor.empty()) {
      cut.params.cut = std::shared_ptr<const Cut>(store_.cut());
    }
  } else {
    cut.params.kind = CutJobKind::export_;
    cut.params.limit = std::min<std::uint64_t>(wanted, 16u << 20);
    if (!cursor.empty()) {
      ByteReader in(cursor);
      const auto pin = pinned_.find(in.be<std::uint64_t>());
      if (!in.ok() || pin == pinned_.end()) {
        refuse(request, error(wire::ErrorCode::bad_request,
                              "this export was not continued for too long; start it again"));
        return;
      }
      pin->second.used_us = now.monotonic_us;
      cut.params.cut = pin->second.cut;
      cut.params.cursor = in.rest();
    }
  }
  request_cut(std::move(cut));
}

void Replica::Impl::start_cut_jobs(Effects& effects) {
  for (std::size_t left = cut_requests_.size(); left > 0; --left) {
    CutRequest request = std::move(cut_requests_.front());
    cut_requests_.pop_front();
    // Clean: the checkpoint that was being written had all of it, and there will be no other.
    if (request.after_checkpoint > ingested_ && group_.dirty()) {
      checkpoint_wanted_ = checkpoint_wanted_ || !group_.checkpointing();
      cut_requests_.push_back(std::move(request));
      continue;
    }
    request.params.id = ++last_cut_job_;
    effects.cut_jobs.push_back(std::make_unique<CutJob>(request.params));
    running_cuts_.emplace(last_cut_job_, std::move(request));
  }
}

void Replica::Impl::on(CutJobDone done, Now now) {
  const auto running = running_cuts_.find(done.id);
  if (running == running_cuts_.end()) {
    return;
  }
  const CutRequest request = std::move(running->second);
  running_cuts_.erase(running);
  if (request.peer) {
    if (!done.error) {
      const VersionVector& v = mutant("digest_of_older_cut") ? group_.applied() : done.applied;
      replicator_->answer_digest(request.peer->from,
                                 {request.peer->id, v, done.digest, done.cells});
    } else {
      events_.push_back({Severity::error, done.error->message});
    }
    return;
  }
  if (request.round) {
    const auto round = rounds_.find(*request.round);
    if (round != rounds_.end() && done.error) {
      events_.push_back({Severity::error, done.error->message});
      round->second.failure = done.error->message;
    } else if (round != rounds_.end()) {
      round->second.answers[node_] = {*request.round, done.applied, done.digest, done.cells};
    }
    return;
  }
  if (done.error) {
    reply(*request.client, request.client_request,
          {wire::Result(error(wire::ErrorCode::storage, done.error->message))});
    return;
  }
  std::string cursor = std::move(done.next_cursor);
  if (!cursor.empty() && request.params.kind == CutJobKind::export_) {
    std::string pinned;
    put_be(pinned, ++last_pin_);
    pinned_[last_pin_] = {std::move(done.cut), now.monotonic_us};
    cursor = pinned + cursor;
  }
  std::vector<std::string> items{std::move(cursor)};
  items.insert(items.end(), std::make_move_iterator(done.items.begin()),
               std::make_move_iterator(done.items.end()));
  reply(*request.client, request.client_request, {wire::Result(std::move(items))});
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

// ---------------------------------------------------------------- readiness, status

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

void Replica::Impl::begin_digest_round(const ClientRequest& request, Now now) {
  if (rounds_.size() >= max_cut_jobs) {
    refuse(request, error(wire::ErrorCode::busy, "too many digests are being taken; retry later"));
    return;
  }
  DigestRound& round = rounds_[++last_round_];
  round.client = request.id;
  round.client_request = request.request.id;
  // As long as the client waits, less what the answer needs on its way.
  const std::uint64_t deadline_ms = request.request.deadline_ms;
  round.until_us =
      now.monotonic_us + (deadline_ms == 0 ? digest_patience_us : deadline_ms * 1000 / 10 * 9);
  round.asked.insert(node_);
  for (const Link* link : replicator_->links()) {
    if (!replicator_->is_cut(link->node)) {
      round.asked.insert(link->node);
    }
  }
  replicator_->request_digests(last_round_);
  CutRequest own;
  own.round = last_round_;
  own.params.kind = CutJobKind::digest;
  request_cut(std::move(own));
}

void Replica::Impl::answer_digest_questions() {
  for (const auto& question : replicator_->take_digest_questions()) {
    if (has_too_many_cuts()) {
      continue;  // whoever asks has a time at which it stops waiting
    }
    CutRequest request;
    request.peer = question;
    request.params.kind = CutJobKind::digest;
    request_cut(std::move(request));
  }
  for (auto& answer : replicator_->take_digest_answers()) {
    if (const auto round = rounds_.find(answer.reply.id); round != rounds_.end()) {
      round->second.answers[answer.node] = std::move(answer.reply);
    }
  }
}

void Replica::Impl::finish_digest_rounds(Now now) {
  std::set<std::uint64_t> here{node_};
  for (const Link* link : replicator_->links()) {
    here.insert(link->node);
  }
  for (auto it = rounds_.begin(); it != rounds_.end();) {
    const DigestRound& round = it->second;
    const bool awaited = std::ranges::any_of(round.asked, [&](std::uint64_t node) {
      return here.contains(node) && !round.answers.contains(node);
    });
    if (awaited && round.failure.empty() && now.monotonic_us < round.until_us) {
      due(round.until_us);
      ++it;
      continue;
    }
    reply(round.client, round.client_request, {wire::Result(status(now, &round))});
    it = rounds_.erase(it);
  }
}

std::vector<std::string> Replica::Impl::client_addresses() const {
  std::vector<std::string> addresses{config_.client_address};
  for (const wire::Member& member : replicator_->members().all()) {
    if (member.node != node_ && member.state == wire::MemberState::active &&
        !member.client_address.empty()) {
      addresses.push_back(member.client_address);
    }
  }
  return addresses;
}

View Replica::Impl::view(Now now) const {
  View view;
  view.ready = joined_ && !stopping_;
  if (stopping_) {
    view.not_ready_reasons.emplace_back("shutting down");
  }
  if (!joined_) {
    view.not_ready_reasons.emplace_back(
        replicator_->needs_bootstrap() ? "needs bootstrap: its peers no longer hold the whole log"
        : replicator_->join_goal()     ? "catching up with the member it joined"
                                       : "no member of --join was reached yet");
  }
  if (!store_.has_room(0)) {
    view.not_ready_reasons.emplace_back("the disk is nearly full: writes are refused");
  }
  for (const std::string& conflict : replicator_->conflicts(now)) {
    view.degraded_reasons.push_back(conflict);
  }
  for (const auto& [origin, problem] : group_.stalled()) {
    view.degraded_reasons.push_back("entries of node " + std::to_string(origin.node) +
                                    " are not accepted: " + problem);
  }
  if (quarantined_ > 0) {
    view.degraded_reasons.push_back(std::to_string(quarantined_) +
                                    " stored cells did not decode and were left alone");
  }
  view.node = node_;
  view.origin = group_.self();
  view.applied = group_.applied();
  view.durable = group_.durable();
  view.log_position = group_.log_position();
  view.state_position = store_.state_position();
  view.table_bytes = group_.tables().bytes();
  view.evicted_bytes = group_.tables().evicted_bytes();
  view.held_bytes = group_.held().bytes();
  view.waiting_bytes = waiting_.bytes();
  view.checkpoints = ingested_;
  view.checkpoint_failures = checkpoint_failures_;
  view.commands = commands_;
  view.entries_applied = group_.entries_from_peers();
  view.write_stalls = write_stalls_;
  view.write_stall_us =
      write_stall_us_ + (stalled_since_us_ ? now.monotonic_us - *stalled_since_us_ : 0);
  view.peers_refused = replicator_->refused();
  view.duplicates_dropped = group_.duplicates();
  view.runs_dropped = group_.runs_dropped();
  view.markers = group_.tables().markers().size();
  view.quarantined = quarantined_;
  view.expired_keys = expiry_.expired();
  view.conflict_lines = group_.conflicts().size();
  view.conflict_lines_dropped = group_.conflicts().dropped();
  for (std::size_t i = 0; i < conflict_classes; ++i) {
    view.conflicts[i] = group_.conflicts().count(static_cast<ConflictClass>(i));
  }
  view.peers = replicator_->views(now);
  for (const PeerView& peer : view.peers) {
    if (peer.cut) {
      view.degraded_reasons.push_back("the link to " + peer.name + " is cut on purpose");
    } else if (!peer.connected) {
      view.degraded_reasons.push_back(peer.name + " is away");
    }
  }
  return view;
}

std::string Replica::Impl::status(Now now, const DigestRound* round) const {
  const View view = this->view(now);
  const auto version_text = [](const VersionVector& v) {
    std::string bytes;
    put_version_vector(bytes, v);
    return to_hex({0, roll_hash(0, bytes)}).substr(16);
  };
  const wire::DigestReply* own = nullptr;
  if (round != nullptr) {
    const auto found = round->answers.find(node_);
    own = found == round->answers.end() ? nullptr : &found->second;
  }
  bool converged = own != nullptr;
  JsonWriter json;
  json.begin_object();
  json.key("cluster").value(config_.cluster);
  json.key("name").value(config_.name);
  json.key("node").value(std::to_string(node_));
  json.key("client").value(config_.client_address);
  json.key("peer").value(config_.peer_address);
  json.key("ready").value(view.ready);
  json.key("reasons").begin_array();
  for (const auto* reasons : {&view.not_ready_reasons, &view.degraded_reasons}) {
    for (const std::string& reason : *reasons) {
      json.value(reason);
    }
  }
  if (round != nullptr && !round->failure.empty()) {
    json.value(round->failure);
  }
  json.end_array();
  json.key("position").value(view.log_position);
  json.key("checkpoint").value(view.state_position);
  json.key("memory_bytes").value(view.table_bytes);
  json.key("version").value(version_text(view.applied));
  std::uint64_t ops = 0;
  for (const auto& c : view.applied.components()) {
    ops += c.n;
  }
  json.key("ops").value(ops);
  if (own != nullptr) {
    json.key("digest").value(to_hex(own->digest));
    json.key("cells").value(own->cells);
  }
  json.key("members").begin_array();
  for (const PeerView& peer : view.peers) {
    const wire::Member* member = replicator_->members().find(peer.node);
    json.begin_object();
    json.key("name").value(peer.name);
    json.key("node").value(std::to_string(peer.node));
    json.key("peer").value(peer.address);
    json.key("client").value(member != nullptr ? member->client_address : "");
    json.key("state").value(peer.cut ? "cut" : peer.connected ? "up" : "down");
    json.key("behind_ops").value(peer.behind_ops);
    json.key("ahead_ops").value(peer.ahead_ops);
    if (peer.connected) {
      json.key("last_heard_ms").value(peer.last_heard_ms);
      json.key("clock_skew_ms").value(peer.clock_skew_ms);
      json.key("bytes_sent").value(peer.bytes_sent);
      json.key("bytes_received").value(peer.bytes_received);
    }
    if (round != nullptr && round->asked.contains(peer.node)) {
      const auto theirs = round->answers.find(peer.node);
      const bool answered = theirs != round->answers.end();
      const bool equal_v = answered && own != nullptr && theirs->second.applied == own->applied;
      const bool agrees = equal_v && theirs->second.digest == own->digest;
      if (answered) {
        json.key("digest").value(to_hex(theirs->second.digest));
      }
      json.key("version_equal").value(equal_v);
      json.key("converged").value(agrees);
      if (equal_v && !agrees) {
        json.key("alarm").value("equal versions, different content: stored data is damaged");
      }
      converged = converged && agrees;
    }
    json.end_object();
  }
  json.end_array();
  if (round != nullptr) {
    json.key("converged").value(converged);
  }
  json.end_object();
  return json.take();
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
  return lines_json(impl_->group().conflicts(), query, impl_->explainer().names());
}
const ConflictJournal& Replica::conflict_journal() const { return impl_->group().conflicts(); }
bool Replica::wants_tick() const { return impl_->wants_tick(); }
bool Replica::tick_full() const { return impl_->tick_full(); }
View Replica::view(Now now) const { return impl_->view(now); }
std::string Replica::status_json(Now now) const { return impl_->status_json(now); }
std::vector<std::string> Replica::client_addresses() const { return impl_->client_addresses(); }

}  // namespace starling::replica
