// The Redis door of one simulated node: the shipping sessions and commands, without sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/replica/replica.h"
#include "tests/sim/random.h"
#include "wire/messages.h"

namespace starling::sim {

// What a request was answered, and the moment in which it ran. It must not leave its node before
// the tick's record is committed.
struct DoorAnswer {
  replica::RequestId id = 0;
  wire::Response response;     // its token: V right after
  std::uint64_t before = 0;    // own dots when it began; more in the token: it wrote
  std::int64_t expiry_ms = 0;  // what expiry went by
};

// Requests of several commands go through MULTI and EXEC. A request with an id is said on the
// connection of that number, which stays; others have a connection of their own.
class Door {
 public:
  Door(replica::Replica& replica, std::function<replica::Now()> now, std::uint64_t seed);
  ~Door();
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  void ask(replica::RequestId id, const wire::Request& request);
  void give_up(replica::RequestId id);
  // Those that wait for memory go on if they can.
  void go_on();
  [[nodiscard]] std::vector<DoorAnswer> take_answers();

 private:
  class Node;  // what the door knows of it
  struct Connection;
  struct Asked {
    std::shared_ptr<Connection> connection;
    std::vector<wire::Command> commands;
    std::size_t replies = 0;  // to come, the last of which tells
    std::uint64_t before = 0;
  };

  void look();  // who has been answered?
  [[nodiscard]] std::uint64_t own() const { return replica_.applied().at(self_); }

  replica::Replica& replica_;
  Origin self_;
  std::function<replica::Now()> now_;
  Random random_;
  std::unique_ptr<Node> node_;
  std::map<std::uint64_t, std::shared_ptr<Connection>> kept_;
  std::map<replica::RequestId, Asked> asked_;
  std::vector<std::shared_ptr<Connection>> graveyard_;  // they may still be at work
  std::vector<DoorAnswer> answers_;
};

}  // namespace starling::sim
