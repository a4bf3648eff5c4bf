#include "tests/sim/clients.h"

#include <array>
#include <string_view>
#include <utility>

#include "tests/sim/door_command.h"

namespace starling::sim {
namespace {

constexpr std::size_t sessions = 8;
constexpr int max_tries = 6;

// The type of which a command makes something; none if it makes nothing, or does not say of what.
ObjectType type_made_by(const wire::Command& command) {
  using wire::CommandCode;
  if (is_door(command)) {
    static constexpr std::array<std::pair<std::string_view, ObjectType>, 8> made{
        {{"SET", ObjectType::string},
         {"INCRBY", ObjectType::string},
         {"SADD", ObjectType::set},
         {"SUNIONSTORE", ObjectType::set},
         {"HSET", ObjectType::hash},
         {"HINCRBY", ObjectType::hash},
         {"ZADD", ObjectType::sorted_set},
         {"ZINCRBY", ObjectType::sorted_set}}};
    for (const auto& [name, type] : made) {
      if (command.args.front() == name) {
        return type;
      }
    }
    return ObjectType::none;
  }
  switch (command.code) {
    case CommandCode::set:
    case CommandCode::incr:
      return ObjectType::string;
    case CommandCode::set_add:
      return ObjectType::set;
    case CommandCode::hash_set:
    case CommandCode::hash_incr:
      return ObjectType::hash;
    case CommandCode::flag_enable:
      return ObjectType::flag;
    case CommandCode::mv_set:
      return ObjectType::mv_register;
    default:
      return ObjectType::none;
  }
}

}  // namespace

Clients::Clients(Cluster& cluster, Random& random)
    : cluster_(cluster),
      random_(random),
      pace_us_(random.between(120 * ms, 330 * ms)),
      commands_(random, {.large_values = random.chance(0.15), .board = random.chance(0.12)}) {}

void Clients::begin() {
  for (std::size_t i = 0; i < sessions; ++i) {
    auto session = std::make_unique<Session>();
    session->id = random_.next();
    session->home = random_.below(cluster_.size());
    sessions_.push_back(std::move(session));
  }
  next_request();
}

// The pace of all clients together.
void Clients::next_request() {
  if (quiet_) {
    return;
  }
  cluster_.after(1 + random_.below(2 * pace_us_), [this] {
    Session& session = *sessions_[random_.below(sessions_.size())];
    if (!session.busy && !quiet_) {
      act(session);
    }
    next_request();
  });
}

void Clients::act(Session& session) {
  if (random_.chance(0.1)) {
    session.home = random_.below(cluster_.size());
  }
  const std::size_t node = random_.chance(0.3) ? random_.below(cluster_.size()) : session.home;
  wire::Request request;
  random_.chance(0.35) ? act_at_redis_door(request) : act_at_native_door(session, request);
  session.busy = true;
  attempt(session, node, std::move(request), 1);
}

void Clients::act_at_native_door(Session& session, wire::Request& request) {
  request.id = ++session.sequence;
  if (random_.chance(0.6)) {
    request.token = session.token;
    request.deadline_ms = random_.chance(0.6) ? static_cast<std::uint32_t>(random_.below(4000)) : 0;
    cluster_.coverage().hit("client session token");
  }
  if (random_.chance(0.04)) {
    request.commands = {commands_.special()};
    return;
  }
  const std::size_t commands = random_.chance(0.2) ? random_.between(2, 6) : 1;
  for (std::size_t i = 0; i < commands; ++i) {
    request.commands.push_back(random_.chance(0.4) ? commands_.read() : commands_.write());
  }
  if (random_.chance(0.8)) {
    request.op_id = OpId{session.id, session.sequence};
  }
}

// A connection of its own; several commands are a MULTI. It has no op ids: what was lost is lost.
void Clients::act_at_redis_door(wire::Request& request) {
  const std::size_t commands = random_.chance(0.15) ? random_.between(2, 5) : 1;
  const bool second = random_.chance(0.08);
  for (std::size_t i = 0; i < commands; ++i) {
    wire::Command command = random_.chance(0.35) ? commands_.door_read() : commands_.door_write();
    if (second) {
      command.db = 1;
      for (std::size_t key = keys_of_words(command.args); key > 0; --key) {
        command.key = command.args[key] =
            CommandMix::key(random_.below(CommandMix::keys_of_second));
      }
    }
    request.commands.push_back(std::move(command));
  }
}

void Clients::attempt(Session& session, std::size_t node, wire::Request request, int tries) {
  const auto over = [&session, mine = ++session.attempt] { return session.attempt != mine; };
  const auto sent = std::make_shared<replica::RequestId>(0);
  const std::uint64_t travel_us = random_.between(100, 20 * ms);
  const bool lost = !quiet_ && random_.chance(0.03);
  const bool answer_lost = !quiet_ && random_.chance(0.06);
  const auto on_response = [this, &session, over, answer_lost,
                            travel_us](const wire::Response& response) {
    if (answer_lost) {
      cluster_.coverage().hit("client answer lost");
      return;
    }
    cluster_.after(travel_us, [&session, over, response] {
      if (!over()) {
        session.token.join(response.token);
        session.busy = false;
        ++session.attempt;
      }
    });
  };
  if (lost) {
    cluster_.coverage().hit("client request lost");
  } else {
    cluster_.after(travel_us, [this, node, request, over, sent, on_response] {
      if (cluster_.up(node) && !over()) {
        count(request);
        *sent = cluster_.request(node, request, on_response);
      }
    });
  }
  retry_later(session, node, std::move(request), tries, sent);
}

void Clients::count(const wire::Request& request) {
  operations_ += request.commands.size();
  latest_us_ = cluster_.now_us();
  for (const wire::Command& command : request.commands) {
    if (!command.key.empty()) {
      keys_.insert({command.db, command.key});
    }
    for (std::size_t key = is_door(command) ? keys_of_words(command.args) : 0; key > 0; --key) {
      keys_.insert({command.db, command.args[key]});
    }
    if (const ObjectType type = type_made_by(command); type != ObjectType::none) {
      types_.insert(type);
    }
  }
}

// Sends again what may have been lost: at the same node, as the client library does, and now and
// then elsewhere.
void Clients::retry_later(Session& session, std::size_t node, wire::Request request, int tries,
                          const std::shared_ptr<replica::RequestId>& sent) {
  const std::uint64_t patience_us = random_.between(1, 4) * second + request.deadline_ms * ms;
  cluster_.after(patience_us, [this, &session, node, request = std::move(request), tries, sent,
                               mine = session.attempt] {
    if (session.attempt != mine) {
      return;
    }
    if (*sent != 0 && random_.chance(0.3)) {
      cluster_.give_up(node, *sent);
    }
    if (!request.op_id || tries == max_tries || quiet_) {
      session.busy = false;
      ++session.attempt;
      return;
    }
    const bool elsewhere = random_.chance(0.1);
    cluster_.coverage().hit(elsewhere ? "client retry elsewhere" : "client retry");
    attempt(session, elsewhere ? random_.below(cluster_.size()) : node, request, tries + 1);
  });
}

}  // namespace starling::sim
