// What a Replica is made of. Only for the files that implement it: replica.cc (start, tick,
// checkpoints, expiry), replica_requests.cc, replica_cuts.cc and replica_status.cc.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/replica/expiry.h"
#include "server/replica/explain.h"
#include "server/replica/group.h"
#include "server/replica/members.h"
#include "server/replica/replica.h"
#include "server/replica/replicator.h"
#include "server/replica/waiting_requests.h"

namespace starling::replica {

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
        waiting_(config_.most_waiting()) {}

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
  static constexpr std::size_t max_cut_jobs = 64;      // cut reads not yet done
  static constexpr std::size_t tick_bytes = 1u << 20;  // a tick ends at about this much (R1.4)
  static constexpr std::size_t tick_reply_bytes =
      4u << 20;  // … or when its answers have grown to this
  static constexpr std::string_view no_space =
      "the disk is nearly full: writes are refused until there is space";

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
  [[nodiscard]] static wire::Error error(wire::ErrorCode code, std::string message) {
    return {code, std::move(message)};
  }

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

}  // namespace starling::replica
