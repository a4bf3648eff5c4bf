// What both faces of the client share: one connection at a time, many requests in flight on it.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <starling/command.h>
#include <starling/options.h>

#include "wire/frame.h"
#include "wire/messages.h"

namespace starling {

// Keeps a connection while there are calls, sends them in the order of submission, matches answers
// by id, and decides what happens when a connection breaks:
//   - a request that was not sent, or that only reads, goes to whatever node comes next;
//   - a request that writes and was sent goes back to the node that may have applied it (its home),
//     under the same op id; see Options::home_patience.
// Always true: every submitted call is answered exactly once, at its deadline at the latest.
// Bounds: Options::window requests on the wire, Options::queue_bytes waiting; beyond that `busy`.
// Runs on: its strand. submit, close and the token functions may be called from any thread.
class Engine : public std::enable_shared_from_this<Engine> {
 public:
  using Handler = std::move_only_function<void(Result<Reply>)>;  // called on the strand

  static std::shared_ptr<Engine> start(const asio::any_io_executor& executor, Options options);

  void submit(std::vector<Command> commands, const CallOptions& options, Handler handler);
  void close();

  [[nodiscard]] std::string token() const;
  Result<void> join_token(std::string_view bytes);
  [[nodiscard]] std::string connected_to() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Id = std::uint64_t;

  struct Call {
    wire::Request request;
    Handler handler;
    Clock::time_point submitted;
    Clock::time_point deadline;
    Clock::time_point retry_until;
    Clock::time_point sent_at;
    std::size_t bytes = 0;
    bool writes = false;
    bool retry_elsewhere = false;
    bool sent = false;                  // on the current connection
    bool delayed = false;               // waits for its alarm before it is sent again
    std::optional<std::uint64_t> home;  // the node that may have applied it
  };
  using Calls = std::map<Id, Call>;

  Engine(const asio::any_io_executor& executor, Options options);

  // The life of the connection.
  asio::awaitable<void> run();
  asio::awaitable<std::optional<Error>> connect();
  asio::awaitable<Error> receive();
  asio::awaitable<std::optional<Error>> read_some();
  asio::awaitable<void> pause(Clock::duration time);
  void greet();
  [[nodiscard]] std::string no_greeting() const;
  std::optional<Error> greeted(const wire::ServerHello& hello);
  void connection_lost(const Error& why);
  [[nodiscard]] Clock::duration attempt_failed(const Error& why);
  void drop_connection(Error why);
  [[nodiscard]] Clock::duration backoff(Clock::duration cap);
  void next_endpoint();

  // The life of a call.
  void accept(Call call);
  void pump();
  void send(Call& call);
  void flush();
  void answered(wire::Response response);
  void serves();
  void refused(Calls::iterator call, Error error);
  void finish(Calls::iterator call, Result<Reply> result);
  void set_alarm(Clock::time_point when, Id id);
  void alarm();
  void expired(Calls::iterator call);
  [[nodiscard]] bool has_calls_bound_home() const;
  void fail_calls_bound_home(const Error& why);

  const Options options_;
  asio::strand<asio::any_io_executor> strand_;
  asio::ip::tcp::resolver resolver_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer guard_;        // ends a connection attempt
  asio::steady_timer pause_timer_;  // between attempts, and while there is nothing to do
  asio::steady_timer alarm_timer_;  // for the earliest of alarms_
  std::mt19937_64 random_;

  std::vector<std::string> endpoints_;
  std::size_t current_ = 0;
  bool closed_ = false;
  bool idle_ = false;             // run() waits for a call
  bool attempting_ = false;       // connect() is under way
  bool accepted_ = false;         // the other side has taken the connection of this attempt
  bool connected_ = false;        // greeted, requests may be sent
  bool draining_ = false;         // send nothing more here, leave when all answers have come
  bool served_ = false;           // this connection has answered something but "come back later"
  std::uint64_t node_ = 0;        // who is connected
  std::uint64_t connection_ = 0;  // counts attempts, so that late handlers know they are late
  std::optional<Error> drop_reason_;
  Error last_error_{ErrorCode::unreachable, "not connected yet"};
  Clock::time_point last_heard_;
  Clock::time_point home_until_;
  unsigned failures_ = 0;  // in a row
  Clock::time_point round_began_;
  std::size_t tried_ = 0;  // endpoints in this round

  wire::FrameReader reader_;
  std::vector<char> input_;
  std::string output_;   // encoded, not yet given to the socket
  std::string writing_;  // given to the socket
  bool write_under_way_ = false;

  const std::uint64_t session_;
  Id next_id_ = 1;
  Calls calls_;  // in the order of submission
  std::deque<Id> to_send_;
  std::size_t in_flight_ = 0;
  std::size_t queued_bytes_ = 0;
  std::set<std::pair<Clock::time_point, Id>> alarms_;
  std::optional<Clock::time_point> armed_;

  mutable std::mutex shared_;  // guards what other threads may ask for:
  VersionVector token_;
  std::string peer_name_;
};

}  // namespace starling
