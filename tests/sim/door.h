// The Redis door of one simulated node: the shipping sessions and commands, without sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/replica/replica.h"
#include "tests/sim/random.h"
#include "wire/messages.h"

namespace starling::sim {

// How commands run in turns (decision 0008), small enough for small collections.
struct InTurns {
  std::size_t long_cells = 4;                  // who looks at more takes long
  std::size_t part_ops = 4;                    // so many changes are an entry
  std::uint64_t longest_pause_us = 1'500'000;  // between two turns; may change
};

// A command that runs in turns, so far.
struct LongRun {
  replica::RequestId id = 0;
  VersionVector begun_at;              // V from which on its keys are locked
  std::vector<std::int64_t> times_ms;  // what expiry went by in each turn
  std::uint64_t before = 0;            // own dots before its latest turn
  std::size_t parts = 0;               // entries that were written before its last turn, and in it
  bool abandoned = false;              // its client has gone
};

// What a request was answered, and the moment in which it ran. It must not leave its node before
// the tick's record is committed.
struct DoorAnswer {
  replica::RequestId id = 0;
  wire::Response response;               // its token: V right after
  std::uint64_t before = 0;              // own dots when it began; more in the token: it wrote
  std::int64_t expiry_ms = 0;            // what expiry went by
  std::shared_ptr<const LongRun> run{};  // empty: it ran at once
  bool is_part = false;                  // no answer: an entry of `run`, which is its token's last
};

// Requests of several commands go through MULTI and EXEC. A request with an id is said on the
// connection of that number, which stays; others have a connection of their own.
class Door {
 public:
  struct Shell {
    std::function<replica::Now()> now;
    std::function<void(std::uint64_t delay_us)> wake;  // then something is due: `go_on`
  };
  // `in_turns` must outlive it; empty: nothing runs in turns.
  Door(replica::Replica& replica, Shell shell, const std::optional<InTurns>& in_turns,
       std::uint64_t seed);
  ~Door();
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  void ask(replica::RequestId id, const wire::Request& request);
  void give_up(replica::RequestId id);
  // Those that wait for memory, or for their turn, go on if they can.
  void go_on();
  [[nodiscard]] std::vector<DoorAnswer> take_answers();
  // It wants to write a key that a long command holds.
  [[nodiscard]] bool writes_locked_key(const wire::Request& request) const;
  [[nodiscard]] bool works() const;  // some command is under way in turns
  [[nodiscard]] bool works_for(replica::RequestId id) const;

 private:
  class Node;  // what the door knows of it
  class LongCommand;
  struct Connection;
  struct Asked {
    std::shared_ptr<Connection> connection;
    std::vector<wire::Command> commands;
    std::size_t replies = 0;  // to come, the last of which tells
    std::uint64_t before = 0;
    std::shared_ptr<LongRun> run;  // empty: it has not turned out to take long
  };

  void look();  // who has been answered?
  void bury();
  [[nodiscard]] std::shared_ptr<LongRun> begin_long();
  void wrote_part(const std::shared_ptr<LongRun>& run);
  [[nodiscard]] std::uint64_t own() const { return replica_.applied().at(self_); }

  replica::Replica& replica_;
  Origin self_;
  Shell shell_;
  const std::optional<InTurns>& in_turns_;
  Random random_;
  std::unique_ptr<Node> node_;
  std::map<std::uint64_t, std::shared_ptr<Connection>> kept_;
  std::map<replica::RequestId, Asked> asked_;
  std::vector<std::shared_ptr<Connection>> graveyard_;  // they may still be at work
  std::vector<DoorAnswer> answers_;
};

}  // namespace starling::sim
