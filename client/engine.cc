#include "client/engine.h"

#include <algorithm>
#include <array>

#include <asio/co_spawn.hpp>
#include <asio/connect.hpp>
#include <asio/detached.hpp>
#include <asio/dispatch.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "client/convert.h"
#include "crdt/entry.h"
#include "wire/codec.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t read_size = 64u << 10;
constexpr std::size_t max_endpoints = 256;
constexpr std::string_view default_port = "7001";

std::uint64_t random_number() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

struct HostAndPort {
  std::string host;
  std::string port;
};

// "host", "host:port", "[v6]:port"
HostAndPort split_address(const std::string& address) {
  const auto colon = address.rfind(':');
  const auto bracket = address.rfind(']');
  const bool has_port =
      colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  HostAndPort parts{address, std::string(default_port)};
  if (has_port) {
    parts = {address.substr(0, colon), address.substr(colon + 1)};
  }
  if (parts.host.size() >= 2 && parts.host.front() == '[' && parts.host.back() == ']') {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  }
  return parts;
}

// An address that a node may listen on but nobody can call.
bool callable(const std::string& address) {
  const HostAndPort parts = split_address(address);
  return !parts.host.empty() && parts.host != "0.0.0.0" && parts.host != "::" && parts.port != "0";
}

std::size_t size_of(const std::vector<Command>& commands) {
  std::size_t bytes = 0;
  for (const Command& command : commands) {
    bytes += sizeof(wire::Command) + command.key.size();
    for (const std::string& arg : command.args) {
      bytes += sizeof(std::string) + arg.size();
    }
  }
  return bytes;
}

bool may_work_later(wire::ErrorCode code) {
  return code == wire::ErrorCode::not_ready || code == wire::ErrorCode::behind ||
         code == wire::ErrorCode::busy;
}

std::uint32_t milliseconds_until(std::chrono::steady_clock::time_point when) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      when - std::chrono::steady_clock::now());
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left.count(), 1, 3'600'000));
}

}  // namespace

std::shared_ptr<Engine> Engine::start(const asio::any_io_executor& executor, Options options) {
  std::shared_ptr<Engine> engine(new Engine(executor, std::move(options)));
  // The coroutine's frame does not hold the engine; the handler does, until run() has ended.
  asio::co_spawn(engine->strand_, engine->run(), [engine](const std::exception_ptr&) {});
  return engine;
}

Engine::Engine(const asio::any_io_executor& executor, Options options)
    : options_(std::move(options)),
      strand_(asio::make_strand(executor)),
      resolver_(strand_),
      socket_(strand_),
      guard_(strand_),
      pause_timer_(strand_),
      alarm_timer_(strand_),
      random_(random_number()),
      endpoints_(options_.endpoints),
      reader_(wire::max_frame_body),
      input_(read_size),
      session_(random_number()) {
  if (endpoints_.empty()) {
    endpoints_.push_back("127.0.0.1:" + std::string(default_port));
  }
  if (auto token = decode_token(options_.token)) {
    token_ = std::move(*token);
  }
}

// ---------------------------------------------------------------- any thread

void Engine::submit(std::vector<Command> commands, const CallOptions& options, Handler handler) {
  const auto now = Clock::now();
  Call call;
  call.handler = std::move(handler);
  call.submitted = now;
  call.deadline = now + options.deadline.value_or(options_.deadline);
  call.retry_until = now + options_.retry_for;
  call.retry_elsewhere = options.retry_elsewhere.value_or(options_.retry_elsewhere);
  call.bytes = size_of(commands);
  if (options.operation) {
    call.request.op_id = OpId{options.operation->session, options.operation->sequence};
  }
  call.request.commands = to_wire(std::move(commands));
  asio::post(strand_, [self = shared_from_this(), call = std::move(call)]() mutable {
    self->accept(std::move(call));
  });
}

void Engine::close() {
  asio::dispatch(strand_, [self = shared_from_this()] {
    self->closed_ = true;
    while (!self->calls_.empty()) {
      self->finish(self->calls_.begin(),
                   std::unexpected(Error{ErrorCode::closed, "the client was closed"}));
    }
    asio::error_code ignored;
    self->socket_.close(ignored);
    self->resolver_.cancel();
    self->guard_.cancel();
    self->alarm_timer_.cancel();
    self->pause_timer_.cancel();
  });
}

std::string Engine::token() const {
  const std::lock_guard lock(shared_);
  return encode_token(token_);
}

Result<void> Engine::join_token(std::string_view bytes) {
  const auto token = decode_token(bytes);
  if (!token) {
    return std::unexpected(Error{ErrorCode::bad_request, "this is not a session token"});
  }
  const std::lock_guard lock(shared_);
  token_.join(*token);
  return {};
}

std::string Engine::connected_to() const {
  const std::lock_guard lock(shared_);
  return peer_name_;
}

// ---------------------------------------------------------------- the connection

asio::awaitable<void> Engine::run() {
  while (!closed_) {
    if (calls_.empty()) {
      idle_ = true;
      co_await pause(24h);
      idle_ = false;
      continue;
    }
    attempting_ = true;
    std::optional<Error> failed = co_await connect();
    attempting_ = false;
    guard_.cancel();
    if (!failed && !closed_) {
      pump();
      Error why = co_await receive();
      connection_lost(why);
      if (!served_) {
        failed = std::move(why);
      }
    }
    if (failed && !closed_) {
      const auto wait = attempt_failed(*failed);
      if (wait > Clock::duration::zero() && !calls_.empty()) {
        co_await pause(wait);
      }
    }
  }
}

asio::awaitable<void> Engine::pause(Clock::duration time) {
  asio::error_code ignored;
  pause_timer_.expires_after(time);
  co_await pause_timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<std::optional<Error>> Engine::connect() {
  const std::string address = endpoints_[current_];
  const auto unreachable = [&address](const std::string& why) {
    return Error{ErrorCode::unreachable, "cannot connect to " + address + ": " + why};
  };
  if (tried_ == 0) {
    round_began_ = Clock::now();
  }
  ++connection_;
  drop_reason_.reset();
  served_ = false;
  draining_ = false;
  accepted_ = false;
  output_.clear();
  reader_ = wire::FrameReader(wire::max_frame_body);
  asio::error_code error;
  socket_.close(error);

  guard_.expires_after(options_.connect_timeout);
  guard_.async_wait(
      [self = shared_from_this(), connection = connection_,
       late = unreachable("no answer within " + std::to_string(options_.connect_timeout.count()) +
                          " ms")](const asio::error_code& cancelled) {
        if (!cancelled && self->attempting_ && self->connection_ == connection) {
          self->drop_connection(self->accepted_ ? Error{late.code, self->no_greeting()} : late);
          self->resolver_.cancel();
        }
      });

  const HostAndPort target = split_address(address);
  const auto ip = asio::ip::make_address(target.host, error);
  if (!error) {
    unsigned port = 0;
    for (const char digit : target.port) {
      port = digit >= '0' && digit <= '9' && port < 65'536
                 ? port * 10 + static_cast<unsigned>(digit - '0')
                 : 65'536;
    }
    if (port == 0 || port > 65'535) {
      co_return unreachable("the port must be a number from 1 to 65535");
    }
    co_await socket_.async_connect({ip, static_cast<std::uint16_t>(port)},
                                   asio::redirect_error(asio::use_awaitable, error));
  } else {
    error = {};
    const auto found = co_await resolver_.async_resolve(
        target.host, target.port, asio::redirect_error(asio::use_awaitable, error));
    if (!error && !drop_reason_ && !closed_) {
      co_await asio::async_connect(socket_, found,
                                   asio::redirect_error(asio::use_awaitable, error));
    }
  }
  if (closed_) {
    co_return Error{ErrorCode::closed, "the client was closed"};
  }
  if (drop_reason_) {
    co_return *drop_reason_;
  }
  if (error) {
    co_return unreachable(error.message());
  }
  socket_.set_option(asio::ip::tcp::no_delay(true), error);
  accepted_ = true;
  greet();
  for (;;) {
    const auto body = reader_.next();
    if (!body) {
      co_return Error{ErrorCode::protocol, address + " does not speak the Starling protocol"};
    }
    if (*body) {
      const auto message = wire::decode_client(**body);
      if (!message || !std::holds_alternative<wire::ServerHello>(*message)) {
        co_return Error{ErrorCode::protocol, address + " did not greet as a Starling node"};
      }
      co_return greeted(std::get<wire::ServerHello>(*message));
    }
    if (const auto failed = co_await read_some()) {
      co_return *failed;
    }
  }
}

void Engine::greet() {
  output_ += wire::encode(wire::ClientMessage(
      wire::ClientHello{.protocol = wire::protocol_version, .client = options_.name}));
  flush();
}

// Doors of other protocols wait for the end of a line, which our greeting does not have: from here
// such a door looks like a node that is stuck.
std::string Engine::no_greeting() const {
  return endpoints_[current_] +
         " took the connection, but did not greet as a Starling node in time";
}

std::optional<Error> Engine::greeted(const wire::ServerHello& hello) {
  if (hello.protocol != wire::protocol_version) {
    return Error{ErrorCode::protocol, endpoints_[current_] + " speaks protocol version " +
                                          std::to_string(hello.protocol) + ", this client " +
                                          std::to_string(wire::protocol_version)};
  }
  node_ = hello.node;
  connected_ = true;
  last_heard_ = Clock::now();
  {
    const std::lock_guard lock(shared_);
    peer_name_ = hello.name;
  }
  if (options_.learn_endpoints) {
    for (const std::string& address : hello.client_addresses) {
      if (callable(address) && endpoints_.size() < max_endpoints &&
          std::ranges::find(endpoints_, address) == endpoints_.end()) {
        endpoints_.push_back(address);
      }
    }
  }
  return std::nullopt;
}

asio::awaitable<std::optional<Error>> Engine::read_some() {
  asio::error_code error;
  const std::size_t size = co_await socket_.async_read_some(
      asio::buffer(input_), asio::redirect_error(asio::use_awaitable, error));
  if (drop_reason_) {
    co_return *drop_reason_;
  }
  if (error) {
    co_return Error{ErrorCode::unreachable,
                    "the connection to " + endpoints_[current_] + " broke: " + error.message()};
  }
  last_heard_ = Clock::now();
  reader_.feed({input_.data(), size});
  co_return std::nullopt;
}

asio::awaitable<Error> Engine::receive() {
  for (;;) {
    for (;;) {
      const auto body = reader_.next();
      if (!body) {
        co_return Error{ErrorCode::protocol, "a damaged frame came from " + endpoints_[current_] +
                                                 ": " + std::string(message(body.error()))};
      }
      if (!*body) {
        break;
      }
      auto message = wire::decode_client(**body);
      if (!message || !std::holds_alternative<wire::Response>(*message)) {
        co_return Error{ErrorCode::protocol, "not a response came from " + endpoints_[current_]};
      }
      answered(std::get<wire::Response>(std::move(*message)));
    }
    if (closed_) {
      co_return Error{ErrorCode::closed, "the client was closed"};
    }
    pump();
    if (draining_ && in_flight_ == 0) {
      co_return last_error_;
    }
    if (const auto failed = co_await read_some()) {
      co_return *failed;
    }
  }
}

// Ends the connection from outside of run(), which finds out by its next read.
void Engine::drop_connection(Error why) {
  if (!drop_reason_) {
    drop_reason_ = std::move(why);
  }
  asio::error_code ignored;
  socket_.close(ignored);
}

void Engine::connection_lost(const Error& why) {
  asio::error_code ignored;
  socket_.close(ignored);
  ++connection_;
  connected_ = false;
  output_.clear();
  in_flight_ = 0;
  to_send_.clear();
  for (auto& [id, call] : calls_) {
    if (call.sent) {
      call.sent = false;
      if (call.writes && !call.home) {
        call.home = node_;
        home_until_ = Clock::now() + options_.home_patience;
      }
    }
    if (!call.delayed) {
      to_send_.push_back(id);
    }
  }
  if (draining_) {
    served_ = false;  // it refuses to serve: as good as a failed attempt
    draining_ = false;
  } else if (served_ && !has_calls_bound_home()) {
    next_endpoint();
  }
  last_error_ = why;
}

// Decides where to go next, and returns how long to wait before that.
Engine::Clock::duration Engine::attempt_failed(const Error& why) {
  last_error_ = why;
  ++failures_;
  const auto now = Clock::now();
  if (has_calls_bound_home()) {
    if (now < home_until_) {
      return std::min<Clock::duration>(backoff(500ms), home_until_ - now);
    }
    fail_calls_bound_home(why);
  }
  next_endpoint();
  if (++tried_ < endpoints_.size()) {
    return Clock::duration::zero();
  }
  tried_ = 0;
  // A call that came while the round was under way has not had its chance at every endpoint.
  for (auto call = calls_.begin(); call != calls_.end();) {
    const auto here = call++;
    if (here->second.retry_until <= now && here->second.submitted <= round_began_) {
      finish(here, std::unexpected(why));
    }
  }
  return backoff(2s);
}

Engine::Clock::duration Engine::backoff(Clock::duration cap) {
  const auto full = std::min<Clock::duration>(cap, 25ms * (1 << std::min(failures_, 10u)));
  return std::chrono::nanoseconds(std::uniform_int_distribution<std::int64_t>(
      std::chrono::nanoseconds(full).count() / 2, std::chrono::nanoseconds(full).count())(random_));
}

void Engine::next_endpoint() { current_ = (current_ + 1) % endpoints_.size(); }

bool Engine::has_calls_bound_home() const {
  return std::ranges::any_of(calls_, [](const auto& item) { return item.second.home.has_value(); });
}

void Engine::fail_calls_bound_home(const Error& why) {
  for (auto call = calls_.begin(); call != calls_.end();) {
    const auto here = call++;
    if (here->second.home && !here->second.retry_elsewhere) {
      finish(here, std::unexpected(Error{
                       ErrorCode::unreachable,
                       "the write was sent, but its answer never came: " + why.message, true}));
    }
  }
}

// ---------------------------------------------------------------- a call

void Engine::accept(Call call) {
  if (closed_) {
    call.handler(std::unexpected(Error{ErrorCode::closed, "the client was closed"}));
    return;
  }
  if (call.request.commands.empty()) {
    call.handler(Reply{});
    return;
  }
  if (queued_bytes_ + call.bytes > options_.queue_bytes && !calls_.empty()) {
    call.handler(
        std::unexpected(Error{ErrorCode::busy, "more than " + std::to_string(options_.queue_bytes) +
                                                   " bytes of requests are waiting; slow down"}));
    return;
  }
  if (call.bytes > max_entry_size) {
    call.handler(std::unexpected(
        Error{ErrorCode::too_large, "the request has " + std::to_string(call.bytes) +
                                        " bytes; the limit is " + std::to_string(max_entry_size)}));
    return;
  }
  const Id id = next_id_++;
  call.request.id = id;
  call.writes = std::ranges::any_of(call.request.commands, [](const wire::Command& command) {
    return wire::is_write(command.code);
  });
  if (call.writes && !call.request.op_id) {
    call.request.op_id = OpId{session_, id};
  }
  queued_bytes_ += call.bytes;
  set_alarm(call.deadline, id);
  calls_.emplace(id, std::move(call));
  to_send_.push_back(id);
  if (connected_) {
    pump();
  } else if (idle_) {
    pause_timer_.cancel();
  }
}

void Engine::pump() {
  while (connected_ && !draining_ && in_flight_ < options_.window && !to_send_.empty()) {
    const auto call = calls_.find(to_send_.front());
    to_send_.pop_front();
    if (call == calls_.end() || call->second.sent) {
      continue;
    }
    if (call->second.home && *call->second.home != node_ && !call->second.retry_elsewhere) {
      finish(call, std::unexpected(Error{ErrorCode::unreachable,
                                         "the write was sent to a node that does not answer any "
                                         "more; " +
                                             endpoints_[current_] + " is another one",
                                         true}));
      continue;
    }
    send(call->second);
  }
  flush();
}

void Engine::send(Call& call) {
  wire::Request& request = call.request;
  // A node that lags behind this session may wait, but so that its answer is here in time, and not
  // so long that nobody could try another one.
  const std::uint32_t left = milliseconds_until(call.deadline);
  const std::uint32_t wait = std::max(1u, left - std::min(left / 10, 50u));
  request.deadline_ms = endpoints_.size() > 1 ? std::min(wait, 1'000u) : wait;
  {
    const std::lock_guard lock(shared_);
    request.token = token_;
  }
  wire::ClientMessage message(std::move(request));
  output_ += wire::encode(message);
  request = std::get<wire::Request>(std::move(message));
  call.sent = true;
  call.delayed = false;
  call.sent_at = Clock::now();
  ++in_flight_;
}

void Engine::flush() {
  if (write_under_way_ || output_.empty() || !socket_.is_open()) {
    return;
  }
  write_under_way_ = true;
  std::swap(writing_, output_);
  output_.clear();
  asio::async_write(
      socket_, asio::buffer(writing_),
      [self = shared_from_this()](const asio::error_code& error, std::size_t /*size*/) {
        // A failed write needs no care here: the read fails too.
        self->write_under_way_ = false;
        self->writing_.clear();
        if (!error || !self->output_.empty()) {
          self->flush();
        }
      });
}

void Engine::answered(wire::Response response) {
  {
    const std::lock_guard lock(shared_);
    token_.join(response.token);
  }
  const auto call = calls_.find(response.id);
  const bool wanted = call != calls_.end() && call->second.sent;
  for (wire::Result& result : response.results) {
    if (auto* error = std::get_if<wire::Error>(&result)) {
      const bool later = may_work_later(error->code);
      if (!later) {
        serves();
      }
      if (wanted && later) {
        refused(call, from_wire(std::move(*error)));
      } else if (wanted) {
        finish(call, std::unexpected(from_wire(std::move(*error))));
      }
      return;
    }
  }
  serves();
  if (!wanted) {
    return;  // it has been given up
  }
  if (response.results.size() != call->second.request.commands.size()) {
    finish(call, std::unexpected(Error{ErrorCode::protocol,
                                       "the answer has another number of results than the request "
                                       "has commands"}));
    return;
  }
  finish(call, from_wire(std::move(response)));
}

// This node answers and does not send us away: nothing is wrong with it.
void Engine::serves() {
  served_ = true;
  failures_ = 0;
  tried_ = 0;
}

// The node did nothing and asks to come back later: do so, at another node if there is one.
void Engine::refused(Calls::iterator call, Error error) {
  const auto now = Clock::now();
  if (now >= call->second.retry_until) {
    finish(call, std::unexpected(std::move(error)));
    return;
  }
  last_error_ = error;
  call->second.sent = false;
  --in_flight_;
  if (error.code != ErrorCode::busy && endpoints_.size() > 1) {
    to_send_.push_front(call->first);
    draining_ = true;
    return;
  }
  call->second.delayed = true;
  ++failures_;
  set_alarm(now + backoff(500ms), call->first);
}

void Engine::finish(Calls::iterator call, Result<Reply> result) {
  Call done = std::move(call->second);
  alarms_.erase({done.deadline, call->first});
  calls_.erase(call);
  queued_bytes_ -= done.bytes;
  if (done.sent) {
    --in_flight_;
  }
  done.handler(std::move(result));
}

// ---------------------------------------------------------------- time

void Engine::set_alarm(Clock::time_point when, Id id) {
  alarms_.emplace(when, id);
  if (armed_ && *armed_ <= when) {
    return;
  }
  armed_ = when;
  alarm_timer_.expires_at(when);
  alarm_timer_.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
    if (!cancelled) {
      self->alarm();
    }
  });
}

void Engine::alarm() {
  armed_.reset();
  const auto now = Clock::now();
  while (!alarms_.empty() && alarms_.begin()->first <= now) {
    const Id id = alarms_.begin()->second;
    alarms_.erase(alarms_.begin());
    const auto call = calls_.find(id);
    if (call == calls_.end()) {
      continue;
    }
    if (call->second.deadline <= now) {
      expired(call);
    } else if (call->second.delayed) {
      call->second.delayed = false;
      to_send_.push_back(id);
    }
  }
  if (!alarms_.empty() && !closed_) {
    const auto [when, id] = *alarms_.begin();
    set_alarm(when, id);
  }
  pump();
  if (draining_ && in_flight_ == 0 && connected_) {
    drop_connection(last_error_);
  }
}

void Engine::expired(Calls::iterator call) {
  const bool sent = call->second.sent;
  const bool maybe_applied = (sent && call->second.writes) || call->second.home.has_value();
  // Nothing has come since it was sent: the node, or the way to it, is dead rather than slow.
  const bool silent = sent && last_heard_ < call->second.sent_at;
  const std::string address = endpoints_[current_];
  Error error{ErrorCode::timeout, "no answer from " + address + " in time", maybe_applied};
  if (!sent && attempting_ && accepted_) {
    error.message = no_greeting();
  } else if (!sent && !connected_ && last_error_.code != ErrorCode::timeout && failures_ > 0) {
    error.code = last_error_.code;
    error.message = last_error_.message;
  } else if (!sent && last_error_.code == ErrorCode::not_ready) {
    error = last_error_;
  }
  finish(call, std::unexpected(std::move(error)));
  if (silent && connected_) {
    drop_connection({ErrorCode::timeout, address + " does not answer"});
  }
}

}  // namespace starling
