// What clients ask of a replica: served at once, in turns, or when what it waits for has come.
#include <algorithm>
#include <set>
#include <utility>

#include "crdt/mutants.h"
#include "server/replica/commands.h"
#include "server/replica/replica_impl.h"

namespace starling::replica {
namespace {

constexpr std::uint64_t patience_us = 10'000'000;  // of a request that waits for memory or a key

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

}  // namespace starling::replica
