// One client's connection: bytes in, bytes out, and what it has said about itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/replica/watches.h"
#include "server/resp/call.h"
#include "server/resp/registry.h"
#include "server/resp/reply_writer.h"
#include "server/resp/request_parser.h"
#include "server/resp/server.h"

namespace starling::resp {

// Sans IO: the door hands in what it has read, and takes `output` behind the commit of the tick in
// which it was written (R2.2). Requests run in the order in which they came; one that must wait
// holds up those behind it, and nobody else.
// Runs on: core strand.
class Session {
 public:
  Session(Server& server, std::string remote, std::string local);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // -- the door's side --
  void received(std::string_view bytes);
  // Takes up what waited.
  void go_on();
  [[nodiscard]] std::string& output() { return out_; }
  void heard() { spoke_ = false; }  // the output is being taken
  // Nothing more will be said: close when the output is sent.
  [[nodiscard]] bool closing() const { return closing_; }
  [[nodiscard]] bool waits() const { return waits_; }
  // It runs a command that takes long; whoever destroys it now leaves a half of that undone.
  [[nodiscard]] bool works() const { return long_ != nullptr; }
  // Nobody listens any more: what is only read ends.
  void abandon();
  // Why it is closing, if what came was never meant for this door.
  enum class Offence : std::uint8_t { none, not_the_protocol, http, tls };
  [[nodiscard]] Offence offence() const { return offence_; }
  // Bytes it holds in memory.
  [[nodiscard]] std::size_t held() const;
  [[nodiscard]] std::size_t input_bytes() const { return in_.size(); }

  // -- the commands' side --
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] const std::string& remote() const { return remote_; }
  [[nodiscard]] const std::string& local() const { return local_; }
  [[nodiscard]] ReplyWriter& reply() { return reply_; }
  [[nodiscard]] Protocol protocol() const { return reply_.protocol(); }
  void close() { closing_ = true; }
  // Something is to be said outside of a command: a message to a subscriber.
  void speak();
  // Says it, behind the reply of the command that is running, whether or not that has one.
  void push(std::string_view bytes);
  // The command that is running cannot be answered yet: it is asked again in later ticks, until it
  // says something, and those behind it wait.
  void ask_again() { again_ = true; }
  // When the command that is running was asked first (monotonic).
  [[nodiscard]] std::uint64_t asked_since_us() const { return asked_since_us_; }
  void reset();  // RESET: as a connection just made

  std::uint8_t db = 0;
  std::string name;
  std::string last_command;
  std::uint64_t since_us = 0;        // monotonic
  std::uint64_t last_active_us = 0;  // of the last request
  bool no_evict = false;
  enum class Replies : std::uint8_t { on, off, skip_next, skip } replies = Replies::on;
  // Subscribed to; while there are any, RESP2 allows little else.
  std::set<std::string, std::less<>> channels;
  std::set<std::string, std::less<>> patterns;
  [[nodiscard]] std::size_t subscriptions() const { return channels.size() + patterns.size(); }
  std::size_t subscribed_bytes = 0;  // what they take, kept by PubSub

  // -- MULTI, WATCH --
  struct Queued {
    const Command* command;
    std::vector<std::string> args;
  };
  struct Multi {
    std::vector<Queued> commands;
    std::size_t bytes = 0;
    bool aborted = false;  // a queued command was wrong: EXEC does nothing
  };
  std::optional<Multi> multi;
  struct Watched {
    ObjectKey key;
    replica::Watches::Stamp stamp = 0;
    bool existed = false;
  };
  std::vector<Watched> watched;
  void unwatch();
  std::optional<VersionVector> waits_for;  // WAIT: what others must have applied
  // Runs commands within one transaction and answers each; the answer to a refusal of all of them
  // is one error. False: memory is short, ask again.
  [[nodiscard]] bool run_on_data(std::span<const Queued> commands);

 private:
  using Args = std::span<const std::string_view>;

  void serve();
  void request(Args args);
  // How many requests ahead of this one were looked at.
  [[nodiscard]] std::size_t expect(std::string_view bytes);
  void answered(std::size_t offset);
  void execute(Args args);
  const Command* resolve(Args args);
  [[nodiscard]] bool may_write(const Command& command) const;
  void queue(const Command& command, Args args);
  void run(const Command& command, Args args);
  [[nodiscard]] static replica::Replica::Demand demand_of(const Command& command, Args args);
  [[nodiscard]] bool run_on_data(const Command& command, Args args);
  void run_within(replica::Transaction& transaction, Call& call, Handler handler);
  [[nodiscard]] bool took(const replica::Replica::Outcome& outcome,
                          const replica::Replica::Demand& demand, std::size_t offset);
  // False: a long command holds one of them.
  [[nodiscard]] bool may_touch_keys(const CommandFacts& facts, Args args) const;
  [[nodiscard]] bool start_long(const Command& command, Args args);
  bool take_turn();
  void refuse(const wire::Error& error);
  [[nodiscard]] std::string too_much() const;
  void hear_errors_of(ReplyWriter& reply);
  void run_and_count(Call& call, Handler handler);
  void error(std::string_view text);
  void end(Offence offence);

  Server& server_;
  std::uint64_t id_;
  std::string remote_;
  std::string local_;
  RequestParser parser_;
  std::string in_;
  std::string out_;
  ReplyWriter reply_;
  bool spoke_ = false;
  bool closing_ = false;
  Offence offence_ = Offence::none;
  bool waits_ = false;
  bool again_ = false;
  bool running_ = false;
  std::uint64_t errors_ = 0;             // answered so far
  std::string pushed_;                   // while it runs
  std::vector<std::string> unanswered_;  // the request that is asked again
  std::uint64_t asked_since_us_ = 0;
  replica::Now now_;  // when the request before has ended, or these bytes came
  struct Long;
  std::unique_ptr<Long> long_;  // what runs in turns
};

}  // namespace starling::resp
