#include "server/resp/session.h"

#include <algorithm>
#include <utility>

#include "server/resp/command_keys.h"
#include "server/resp/lookahead.h"
#include "server/resp/session_turns.h"

namespace starling::resp {
namespace {

constexpr std::string_view tls_greeting = "\x16\x03";  // a handshake record of any version

// What a client said, for an error text: cut, at a NUL too, as everywhere in Redis's error texts.
std::string quoted(std::string_view said, std::size_t longest = 128) {
  said = said.substr(0, longest);
  return "'" + std::string(said.substr(0, said.find('\0'))) + "'";
}

std::string unknown_command(std::span<const std::string_view> args) {
  constexpr std::size_t longest = 128;  // quotes and spaces included
  std::string said;
  for (std::size_t i = 1; i < args.size() && said.size() < longest; ++i) {
    said += quoted(args[i], longest - said.size()) + " ";
  }
  return "ERR unknown command " + quoted(args[0]) + ", with args beginning with: " + said;
}

bool leaves_subscriptions(std::string_view name) {
  return name == "ping" || name == "subscribe" || name == "unsubscribe" || name == "psubscribe" ||
         name == "punsubscribe" || name == "quit" || name == "reset";
}

bool runs_within_multi(std::string_view name) {
  return name == "exec" || name == "discard" || name == "multi" || name == "watch" ||
         name == "quit" || name == "reset";
}

std::size_t bytes_of(std::span<const std::string_view> args) {
  std::size_t bytes = 0;
  for (const std::string_view arg : args) {
    bytes += arg.size();
  }
  return bytes;
}

// The argument that is a key and too long for one; the nodes could not tell each other of it.
std::optional<std::size_t> overlong_key(const CommandFacts& facts,
                                        std::span<const std::string_view> args) {
  const auto is_long = [](std::string_view arg) { return arg.size() > max_key_size; };
  if (std::ranges::none_of(args, is_long)) {
    return std::nullopt;
  }
  const auto keys = places_of_keys(facts, args);
  const auto found = std::ranges::find_if(keys, [&](std::size_t i) { return is_long(args[i]); });
  return found == keys.end() ? std::nullopt : std::optional(*found);
}

std::vector<std::string_view> views(const std::vector<std::string>& words) {
  return {words.begin(), words.end()};
}

}  // namespace

Session::Session(Server& server, std::string remote, std::string local)
    : server_(server),
      id_(server.next_id()),
      remote_(std::move(remote)),
      local_(std::move(local)),
      parser_(server.parser_limits()),
      reply_(out_) {
  since_us = last_active_us = server_.backend().now().monotonic_us;
  hear_errors_of(reply_);
  server_.enter(*this);
}

Session::~Session() {
  long_.reset();
  unwatch();
  server_.leave(*this);
}

void Session::hear_errors_of(ReplyWriter& reply) {
  reply.report_errors_to([this](std::string_view text) {
    ++errors_;
    server_.statistics().errors.note(text);
  });
}

std::size_t Session::held() const {
  return in_.capacity() + out_.capacity() + (long_ ? long_->out.capacity() : 0) +
         (multi ? multi->bytes : 0) + subscribed_bytes;
}

void Session::push(std::string_view bytes) {
  (running_ ? pushed_ : out_).append(bytes);
  speak();
}

void Session::speak() {
  if (!spoke_) {
    spoke_ = true;
    server_.spoke(*this);
    server_.backend().want_tick(0);
  }
}

// ---------------------------------------------------------------- bytes to requests

void Session::received(std::string_view bytes) {
  in_.append(bytes);
  if (!waits_) {
    serve();
  }
}

void Session::go_on() {
  waits_ = false;
  serve();
  if (!waits_) {
    speak();  // if only to be read from again
  }
}

void Session::serve() {
  const auto wait = [&] {
    waits_ = true;
    server_.waits(*this);
  };
  if (long_ && !take_turn()) {
    wait();
    return;
  }
  now_ = server_.backend().now();
  if (!unanswered_.empty() && !closing_) {
    const auto args = std::exchange(unanswered_, {});
    request(views(args));
  }
  std::size_t done = 0;
  std::size_t expected = 0;  // requests whose keys are on their way from memory
  bool more = true;
  while (more && unanswered_.empty() && !long_ && !closing_) {
    if (server_.backend().tick_is_full()) {
      in_.erase(0, done);
      wait();  // the tick that is full is under way
      return;
    }
    const std::string_view rest = std::string_view(in_).substr(done);
    if (parser_.at_boundary() && rest.starts_with(tls_greeting)) {
      end(Offence::tls);  // or both sides would wait for each other
      break;
    }
    if (expected == 0 && parser_.at_boundary()) {
      expected = expect(rest);
    }
    expected -= expected > 0 ? 1 : 0;
    switch (parser_.next(rest)) {
      case RequestParser::Status::incomplete:
        more = false;
        break;
      case RequestParser::Status::request: {
        const Arguments& args = parser_.arguments();
        request({args.data(), args.size()});
        break;
      }
      case RequestParser::Status::too_large: {
        const std::size_t offset = out_.size();
        error("ERR " + parser_.error());
        if (multi) {
          multi->aborted = true;
        }
        answered(offset);
        break;
      }
      case RequestParser::Status::broken:
        error("ERR " + parser_.error());
        end(Offence::not_the_protocol);
        break;
    }
    done += parser_.consumed();
  }
  in_.erase(0, done);
  if (closing_) {
    in_.clear();
  }
  if ((!unanswered_.empty() || long_) && !closing_) {
    wait();
  }
}

std::size_t Session::expect(std::string_view bytes) {
  const Ahead ahead = look_ahead(bytes);
  if (ahead.keys.size() > 1) {
    server_.backend().replica().expect(db, {ahead.keys.data(), ahead.keys.size()});
  }
  return ahead.requests;
}

// Runs one request, or remembers it if it has to be asked again.
void Session::request(Args args) {
  const std::size_t offset = out_.size();
  if (asked_since_us_ == 0) {
    asked_since_us_ = now_.monotonic_us;
    last_active_us = now_.monotonic_us;
  }
  again_ = false;
  running_ = true;
  reply_.limit(server_.options().max_reply_bytes);
  execute(args);
  if (long_) {
    return;  // it is still running
  }
  running_ = false;
  if (again_) {
    out_.resize(offset);
    out_.append(std::exchange(pushed_, {}));
    unanswered_.assign(args.begin(), args.end());
    return;
  }
  answered(offset);
}

// The request is done; its reply lies behind `offset`.
void Session::answered(std::size_t offset) {
  if (reply_.overflowed()) {
    out_.resize(offset);
    error("ERR " + too_much());
  }
  asked_since_us_ = 0;
  ++server_.commands_processed;
  ++server_.statistics().commands_processed;
  if (replies == Replies::off || replies == Replies::skip) {
    out_.resize(offset);
  }
  if (!pushed_.empty()) {
    out_.append(std::exchange(pushed_, {}));
  }
  if (replies == Replies::skip) {
    replies = Replies::on;
  } else if (replies == Replies::skip_next) {
    replies = Replies::skip;
  }
  // Replies fill a tick as requests do: a pipeline that asks for much waits until that has left.
  server_.backend().want_tick(out_.size() - offset);
  speak();
}

// ---------------------------------------------------------------- requests to commands

void Session::error(std::string_view text) {
  reply_.error(text);
  speak();
}

void Session::end(Offence offence) {
  offence_ = offence;
  closing_ = true;
  speak();
}

// The command that is meant, or null once it is answered why there is none.
const Command* Session::resolve(Args args) {
  const Command* command = server_.registry().find(args[0]);
  if (command == nullptr) {
    error(unknown_command(args));
    return nullptr;
  }
  if (!command->facts->subcommands.empty() && args.size() > 1) {
    const Command* sub = server_.registry().find_subcommand(*command, args[1]);
    if (sub == nullptr) {
      error("ERR unknown subcommand " + quoted(args[1]) + ". Try " +
            upper_case(command->facts->name) + " HELP.");
      return nullptr;
    }
    command = sub;
  }
  if (!command->facts->takes(args.size()) || command->run == nullptr) {
    ++server_.statistics().commands[command->facts].rejected;
    const std::string why =
        "wrong number of arguments for '" + std::string(command->facts->name) + "' command";
    if (command->facts->name == "exec") {
      error("EXECABORT Transaction discarded because of: " + why);
      multi.reset();
      unwatch();
    } else {
      error("ERR " + why);
    }
    return nullptr;
  }
  if (const auto key = overlong_key(*command->facts, args)) {
    ++server_.statistics().commands[command->facts].rejected;
    error("ERR the key has " + std::to_string(args[*key].size()) + " bytes; the limit is " +
          std::to_string(max_key_size));
    return nullptr;
  }
  return command;
}

void Session::execute(Args args) {
  if (is_word(args[0], "POST") || is_word(args[0], "HOST:")) {
    end(Offence::http);  // a browser, or somebody who makes one talk to us: it means nothing of it
    return;
  }
  const Command* command = resolve(args);
  if (command == nullptr) {
    if (multi) {
      multi->aborted = true;
    }
    return;
  }
  const std::string_view name = command->facts->name;
  last_command = name;
  if (subscriptions() > 0 && reply_.protocol() == Protocol::resp2 && !leaves_subscriptions(name)) {
    error("ERR Can't execute '" + std::string(name) +
          "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
          "context");
    return;
  }
  if (server_.pause().holds(may_write(*command), now_.monotonic_us)) {
    server_.backend().wake_by(server_.pause().until_us);
    again_ = true;
    return;
  }
  if (multi && !runs_within_multi(name)) {
    queue(*command, args);
  } else {
    run(*command, args);
  }
}

// As CLIENT PAUSE … WRITE understands it.
bool Session::may_write(const Command& command) const {
  const CommandFacts& facts = *command.facts;
  if (facts.name == "exec" && multi) {
    return std::ranges::any_of(multi->commands,
                               [&](const Queued& queued) { return may_write(*queued.command); });
  }
  return facts.has(flag::write) || facts.name == "publish";
}

void Session::queue(const Command& command, Args args) {
  if (command.facts->has(flag::no_multi)) {
    error("ERR Command not allowed inside a transaction");
    multi->aborted = true;
    return;
  }
  const std::size_t bytes = sizeof(Queued) + bytes_of(args) + args.size() * sizeof(std::string);
  if (multi->commands.size() >= server_.options().max_queued_commands ||
      multi->bytes + bytes > server_.options().max_queued_bytes) {
    error("ERR the transaction is too large: it may hold " +
          std::to_string(server_.options().max_queued_commands) + " commands and " +
          std::to_string(server_.options().max_queued_bytes) + " bytes");
    multi->aborted = true;
    return;
  }
  multi->bytes += bytes;
  multi->commands.push_back({&command, {args.begin(), args.end()}});
  reply_.simple("QUEUED");
}

void Session::run(const Command& command, Args args) {
  if (command.on_data) {
    if (!run_on_data(command, args)) {
      again_ = true;
    }
    return;
  }
  Call call{server_, *this, *command.facts, args, reply_, nullptr, db};
  run_and_count(call, command.run);
  server_.backend().want_tick(bytes_of(args));
}

void Session::run_and_count(Call& call, Handler handler) {
  const std::uint64_t begun_us = now_.monotonic_us;
  const std::uint64_t errors_before = errors_;
  handler(call);
  if (again_ || (call.tx != nullptr && call.tx->too_long())) {
    return;  // it has not run yet
  }
  now_ = server_.backend().now();
  const std::uint64_t took_us = long_ ? long_->run->busy_us() : now_.monotonic_us - begun_us;
  CommandCounts& counts = server_.statistics().commands[&call.facts];
  ++counts.calls;
  counts.us += took_us;
  counts.failed += errors_ > errors_before ? 1 : 0;
  if (!call.facts.has(flag::skip_slowlog)) {
    server_.slow_log().note(call.args, took_us, now_.unix_ms / 1000, {remote_, name});
  }
}

// ---------------------------------------------------------------- commands to data

replica::Replica::Demand Session::demand_of(const Command& command, Args args) {
  return {.writes = command.facts->has(flag::write), .payload = bytes_of(args)};
}

std::string Session::too_much() const {
  return "the reply would have more than " + std::to_string(server_.options().max_reply_bytes) +
         " bytes; ask for less at a time";
}

// A reply that cannot be sent takes with it what the command has written.
void Session::run_within(replica::Transaction& transaction, Call& call, Handler handler) {
  call.tx = &transaction;
  run_and_count(call, handler);
  if (call.reply.overflowed() && !transaction.error()) {
    // It was made in vain, but it was made: it fills the tick as if it were sent.
    server_.backend().want_tick(server_.options().max_reply_bytes);
    transaction.fail({StoreError::Code::stopped, too_much()});
  }
}

bool Session::run_on_data(const Command& command, Args args) {
  if (!may_touch_keys(*command.facts, args)) {
    return false;
  }
  const std::size_t offset = out_.size();
  Backend& backend = server_.backend();
  auto demand = demand_of(command, args);
  const auto run = [&] {
    Call call{server_, *this, *command.facts, args, reply_, nullptr, db};
    return backend.replica().run(
        [&](replica::Transaction& transaction) { run_within(transaction, call, command.run); },
        demand, now_);
  };
  if (server_.options().start_long && !is_one_entry(*command.facts)) {
    demand.most_cells = server_.options().long_cells;
  }
  auto outcome = run();
  if (outcome.ran == replica::Replica::Ran::takes_long) {
    out_.resize(offset);
    if (!reads_its_target(*command.facts, args)) {
      return start_long(command, args);
    }
    demand.most_cells.reset();
    outcome = run();
  }
  return took(outcome, demand, offset);
}

bool Session::run_on_data(std::span<const Queued> commands) {
  replica::Replica::Demand demand;
  for (const Queued& queued : commands) {
    if (!may_touch_keys(*queued.command->facts, views(queued.args))) {
      return false;
    }
    demand.writes = demand.writes || queued.command->facts->has(flag::write);
    demand.payload += bytes_of(views(queued.args));
  }
  const std::size_t offset = out_.size();
  Backend& backend = server_.backend();
  const auto outcome = backend.replica().run(
      [&](replica::Transaction& transaction) {
        for (const Watched& key : watched) {
          if (key.existed && !replica::Object(transaction, key.key).exists()) {
            reply_.nil_array();  // it has expired
            return;
          }
        }
        reply_.array(commands.size());
        for (const Queued& queued : commands) {
          const auto args = views(queued.args);
          Call call{server_, *this, *queued.command->facts, args, reply_, &transaction, db};
          run_within(transaction, call, queued.command->run);
        }
      },
      demand, now_);
  return took(outcome, demand, offset);
}

// False: memory is short, ask again. A refusal is the one answer to all of the work.
bool Session::took(const replica::Replica::Outcome& outcome, const replica::Replica::Demand& demand,
                   std::size_t offset) {
  server_.backend().want_tick(demand.payload);
  if (outcome.refusal) {
    out_.resize(offset);
    reply_.limit(server_.options().max_reply_bytes);
    refuse(*outcome.refusal);
  }
  return outcome.ran != replica::Replica::Ran::wait;
}

// What the core will not do, in words Redis's clients know how to take.
void Session::refuse(const wire::Error& refusal) {
  switch (refusal.code) {
    case wire::ErrorCode::not_ready:
      error("LOADING " + refusal.message);
      break;
    default:
      error("ERR " + refusal.message);
      break;
  }
}

// ---------------------------------------------------------------- state

void Session::unwatch() {
  for (const Watched& key : watched) {
    server_.backend().replica().watches().unwatch(key.key);
  }
  watched.clear();
}

void Session::reset() {
  unwatch();
  server_.pubsub().leave(*this);
  multi.reset();
  db = 0;
  name.clear();
  replies = Replies::on;
  no_evict = false;
  reply_.set_protocol(Protocol::resp2);
}

}  // namespace starling::resp
