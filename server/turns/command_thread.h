// A thread as the stack of a command that takes long.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <semaphore>
#include <thread>

#include "server/resp/long_command.h"

namespace starling {

// The strand is handed over by two semaphores, so that the thread and the strand never run at the
// same time, but for `aside`: nothing of the core needs a lock.
// Runs on: core strand; `Work` on the thread, while the strand waits.
class CommandThread final : public resp::LongCommand, private replica::Turns {
 public:
  CommandThread(Work work, Clock clock, Pace pace);
  ~CommandThread() override;

  [[nodiscard]] static std::unique_ptr<resp::LongCommand> start(Work work, Clock clock, Pace pace) {
    return std::make_unique<CommandThread>(std::move(work), std::move(clock), pace);
  }

  bool take_turn() override;
  [[nodiscard]] bool rests() const override { return resting_ || is_aside(); }
  [[nodiscard]] std::uint64_t busy_us() const override {
    return busy_us_ + clock_().monotonic_us - turn_began_us_;
  }

 private:
  // -- replica::Turns: the command's side --
  bool over() override;
  [[nodiscard]] std::size_t part_ops() const override { return pace_.part_ops; }
  std::optional<replica::Now> next() override;
  std::optional<replica::Now> rest() override;
  std::optional<replica::Now> aside(const std::function<void()>& work) override;

  void run();
  [[nodiscard]] bool is_aside() const { return aside_.load(std::memory_order_acquire); }

  Work work_;
  Clock clock_;
  Pace pace_;
  std::uint64_t turn_began_us_ = 0;
  std::uint64_t busy_us_ = 0;
  std::uint64_t looked_us_ = 0;
  unsigned asked_ = 0;  // since then
  unsigned asked_per_look_ = 1;
  bool ended_ = false;
  bool resting_ = false;
  bool unwanted_ = false;
  std::atomic<bool> aside_ = false;
  // The strand lies with one of the two sides.
  std::binary_semaphore to_command_{0};
  std::binary_semaphore to_strand_{0};
  std::thread thread_;  // the last to begin
};

}  // namespace starling
