#include "server/resp/server.h"

#include <algorithm>
#include <utility>

#include "server/resp/session.h"

namespace starling::resp {

RequestParser::Limits Server::parser_limits() const {
  RequestParser::Limits limits;
  limits.argument = options_.max_value_bytes;
  return limits;
}

void Server::enter(Session& session) {
  ++statistics_.connections_received;
  sessions_.emplace(session.id(), &session);
}

void Server::leave(Session& session) {
  pubsub_.leave(session);
  sessions_.erase(session.id());
  std::erase(outspoken_, &session);
  std::replace(waiting_.begin(), waiting_.end(), &session, static_cast<Session*>(nullptr));
}

std::vector<Session*> Server::take_outspoken() {
  pubsub_.sent();
  for (Session* session : outspoken_) {
    session->heard();
  }
  return std::exchange(outspoken_, {});
}

void Server::spoke(Session& session) { outspoken_.push_back(&session); }

void Server::waits(Session& session) { waiting_.push_back(&session); }

// Each is asked once, in the order they came; one that must wait on enters itself again, behind all
// others. Who is not asked because the tick is full comes first in the next.
void Server::go_on() {
  for (std::size_t left = waiting_.size(), i = 0; i < left && !backend_.tick_is_full(); ++i) {
    if (Session* session = std::exchange(waiting_[i], nullptr)) {
      session->go_on();
    }
  }
  std::erase(waiting_, static_cast<Session*>(nullptr));
}

}  // namespace starling::resp
