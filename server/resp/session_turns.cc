// Commands that take long, on the session's side (decision 0008).
#include "server/resp/session_turns.h"

#include <algorithm>
#include <utility>

#include "server/resp/command_keys.h"

namespace starling::resp {
namespace {

replica::KeyLocks::Use use_of(const CommandFacts& facts) {
  return facts.has(flag::write) ? replica::KeyLocks::Use::write : replica::KeyLocks::Use::read;
}

}  // namespace

bool is_one_entry(const CommandFacts& facts) {
  return facts.name == "mset" || facts.name == "msetnx" ||
         (facts.has(flag::write) && !takes_keys(facts));
}

bool reads_its_target(const CommandFacts& facts, std::span<const std::string_view> args) {
  const auto keys = places_of_keys(facts, args);
  return facts.has(flag::write) &&
         (keys.empty() || std::any_of(keys.begin() + 1, keys.end(), [&](std::size_t place) {
            return args[place] == args[keys.front()];
          }));
}

Session::Long::Long(Session& session, const Command& runs, Args said)
    : command(runs),
      args(said.begin(), said.end()),
      words(args.begin(), args.end()),
      locks(session.server_.backend().replica().locks()),
      running(session.server_.long_commands()) {
  ++running;
  for (const std::size_t place : places_of_keys(*runs.facts, words)) {
    keys.push_back(args[place]);
  }
  locks.lock(keys, use_of(*runs.facts));
}

Session::Long::~Long() {
  run.reset();  // it ends before its keys are free
  locks.unlock(keys);
  --running;
}

bool Session::start_long(const Command& command, Args args) {
  if (server_.long_commands() >= server_.options().max_long_commands) {
    return false;
  }
  long_ = std::make_unique<Long>(*this, command, args);
  Backend& backend = server_.backend();
  const auto clock = [&backend] { return backend.now(); };
  long_->reply.set_protocol(reply_.protocol());
  hear_errors_of(long_->reply);
  long_->reply.limit(server_.options().max_reply_bytes);
  // It is the session's own: the session ends it before it goes itself.
  long_->run = server_.options().start_long(
      [this, &backend](replica::Turns& turns) {
        Long& mine = *long_;
        Call call{server_, *this, *mine.command.facts, mine.words, mine.reply, nullptr, db};
        mine.outcome = backend.replica().run_in_turns(
            [&](replica::Transaction& transaction) {
              run_within(transaction, call, mine.command.run);
            },
            demand_of(mine.command, mine.words), backend.now(), turns);
      },
      clock, server_.options().pace);
  backend.want_tick(0);
  return true;
}

void Session::abandon() {
  closing_ = true;
  if (long_ && !may_write(long_->command)) {
    long_.reset();
  }
}

// True: the command has ended and is answered.
bool Session::take_turn() {
  Backend& backend = server_.backend();
  const bool ended = long_->run->take_turn();
  if (!ended && long_->run->rests()) {
    constexpr std::uint64_t soon_us = 1000;
    backend.wake_by(backend.now().monotonic_us + soon_us);
  } else {
    backend.want_tick(0);
  }
  if (!ended) {
    return false;
  }
  const auto done = std::move(long_);
  running_ = false;
  const std::size_t offset = out_.size();
  if (done->outcome.refusal) {
    refuse(*done->outcome.refusal);
  } else if (out_.empty()) {
    out_.swap(done->out);
  } else {
    out_.append(done->out);
  }
  answered(offset);
  return true;
}

bool Session::may_touch_keys(const CommandFacts& facts, Args args) const {
  const replica::KeyLocks& locks = server_.backend().replica().locks();
  if (!locks.any()) {
    return true;
  }
  if (!takes_keys(facts)) {
    return !facts.has(flag::write);  // a flush
  }
  return std::ranges::all_of(places_of_keys(facts, args), [&](std::size_t place) {
    return locks.allows(args[place], use_of(facts));
  });
}

}  // namespace starling::resp
