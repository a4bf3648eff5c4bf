// What all connections of the RESP door share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/resp/backend.h"
#include "server/resp/long_command.h"
#include "server/resp/pubsub.h"
#include "server/resp/registry.h"
#include "server/resp/request_parser.h"
#include "server/resp/slow_log.h"
#include "server/resp/statistics.h"

namespace starling::resp {

class Session;

inline constexpr std::size_t max_element_bytes = 1u << 20;  // of a set element, field or member

// Whose commands, replies and error texts these are; clients choose by it what they may use.
inline constexpr std::string_view compatible_redis_version = "7.0.15";

struct Options {
  std::uint64_t max_value_bytes = 8u << 20;
  std::size_t max_clients = 10'000;
  std::size_t max_queued_bytes = 64u << 20;  // of one MULTI
  std::size_t max_queued_commands = 1u << 20;
  std::size_t databases = 16;
  std::size_t max_reply_bytes = 48u << 20;
  std::size_t max_long_commands = 4;  // at a time; others wait
  // A command that looks at more cells takes long, and runs in turns; if nothing starts it, at
  // once.
  std::size_t long_cells = 4096;
  LongCommand::Pace pace = {};
  LongCommand::Start start_long = {};
};

// CLIENT PAUSE: what is asked meanwhile is answered later, in order.
struct Pause {
  std::uint64_t until_us = 0;  // monotonic
  bool writes_only = false;
  [[nodiscard]] bool holds(bool may_write, std::uint64_t now_us) const {
    return now_us < until_us && (may_write || !writes_only);
  }
};

// Runs on: core strand.
class Server {
 public:
  Server(Backend& backend, Options options) : backend_(backend), options_(std::move(options)) {}

  [[nodiscard]] Backend& backend() { return backend_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const Registry& registry() const { return registry_; }
  [[nodiscard]] RequestParser::Limits parser_limits() const;

  // -- connections: each enters itself when it is made and leaves when it goes --
  void enter(Session& session);
  void leave(Session& session);
  [[nodiscard]] const std::map<std::uint64_t, Session*>& sessions() const { return sessions_; }
  [[nodiscard]] std::uint64_t next_id() { return ++last_id_; }

  // -- what the door does after each tick --
  // Sessions that have said something since the last call.
  [[nodiscard]] std::vector<Session*> take_outspoken();
  void spoke(Session& session);
  // Those that wait for memory, for a turn, for other nodes: they go on if they can.
  void go_on();
  void waits(Session& session);

  // How many are under way.
  [[nodiscard]] std::size_t& long_commands() { return long_commands_; }

  [[nodiscard]] Pause& pause() { return pause_; }
  [[nodiscard]] PubSub& pubsub() { return pubsub_; }
  [[nodiscard]] Statistics& statistics() { return statistics_; }
  [[nodiscard]] SlowLog& slow_log() { return slow_log_; }
  // Of all requests since the start; the statistics can be reset.
  std::uint64_t commands_processed = 0;

 private:
  Backend& backend_;
  Options options_;
  Registry registry_;
  Pause pause_;
  PubSub pubsub_;
  Statistics statistics_;
  SlowLog slow_log_;
  std::map<std::uint64_t, Session*> sessions_;
  std::vector<Session*> outspoken_;
  std::vector<Session*> waiting_;
  std::uint64_t last_id_ = 0;
  std::size_t long_commands_ = 0;
};

}  // namespace starling::resp
