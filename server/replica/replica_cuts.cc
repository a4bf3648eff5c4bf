// Reads of a cut (R5.8): pages for clients, and digests for whoever asks whether all agree (R7.2).
#include <algorithm>
#include <utility>

#include "crdt/mutants.h"
#include "server/replica/replica_impl.h"

namespace starling::replica {
namespace {

constexpr std::uint64_t digest_patience_us = 5'000'000;

}  // namespace

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

}  // namespace starling::replica
