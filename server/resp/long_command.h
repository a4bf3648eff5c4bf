// A command that takes long, run in turns between which the strand serves everybody else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "server/replica/turns.h"

namespace starling::resp {

// Commands are written as if they had the node to themselves. One over a million elements would
// stop the strand for a second, so it gets a stack of its own, and the strand is handed to and fro:
// while the command has its turn nobody else runs, and between two turns the command stands still.
// What it reads and writes is locked meanwhile (KeyLocks), so it sees and shows what it would have
// seen and shown alone. How it comes by a stack is the shell's affair (server/turns).
// Runs on: core strand.
class LongCommand {
 public:
  struct Pace {
    std::uint64_t turn_us = 1000;  // how long it has the strand
    std::size_t part_ops = 250;    // what it writes is cut into entries of so many changes
  };
  using Work = std::function<void(replica::Turns&)>;
  using Clock = std::function<replica::Now()>;
  // Begins with the first turn.
  using Start = std::function<std::unique_ptr<LongCommand>(Work, Clock, Pace)>;

  LongCommand() = default;
  LongCommand(const LongCommand&) = delete;
  LongCommand& operator=(const LongCommand&) = delete;
  // Ends what is not done yet, without an answer.
  virtual ~LongCommand() = default;

  // Its next turn. True: it has ended.
  virtual bool take_turn() = 0;
  // It has no use for a turn now: it is busy with what needs none, or waits for room.
  [[nodiscard]] virtual bool rests() const = 0;
  // How long its turns have lasted so far; for the command itself.
  [[nodiscard]] virtual std::uint64_t busy_us() const = 0;
};

}  // namespace starling::resp
