// A command that takes long on a stack of its own, without a thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <ucontext.h>

#include "server/resp/long_command.h"

namespace starling::sim {

// Stands in for CommandThread (server/turns): the strand goes to and fro by a switch of stacks, so
// that everything follows from the seed. A turn lasts for a number of cells, not for a time.
class FiberCommand : public resp::LongCommand, private replica::Turns {
 public:
  // `cells`: how many it looks at in its next turn.
  FiberCommand(Work work, Clock clock, const Pace& pace, std::function<std::size_t()> cells);
  ~FiberCommand() override;

  bool take_turn() override;
  [[nodiscard]] bool rests() const override { return true; }  // its door says when it is due
  [[nodiscard]] std::uint64_t busy_us() const override { return 0; }

 private:
  // -- replica::Turns: the command's side --
  bool over() override;
  [[nodiscard]] std::size_t part_ops() const override { return pace_.part_ops; }
  std::optional<replica::Now> next() override;
  std::optional<replica::Now> rest() override { return next(); }
  std::optional<replica::Now> aside(const std::function<void()>& work) override;

  static void enter(unsigned high, unsigned low);  // makecontext hands over nothing but ints
  void to_command();

  Work work_;
  Clock clock_;
  Pace pace_;
  std::function<std::size_t()> cells_;
  std::size_t cells_left_ = 0;
  bool begun_ = false;
  bool ended_ = false;
  bool unwanted_ = false;
  std::unique_ptr<std::byte[]> stack_;
  ucontext_t command_{};
  ucontext_t strand_{};
};

}  // namespace starling::sim
