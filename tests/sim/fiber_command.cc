#include "tests/sim/fiber_command.h"

#include <bit>
#include <utility>

namespace starling::sim {
namespace {

constexpr std::size_t stack_bytes = 256u << 10;

}  // namespace

FiberCommand::FiberCommand(Work work, Clock clock, const Pace& pace,
                           std::function<std::size_t()> cells)
    : work_(std::move(work)), clock_(std::move(clock)), pace_(pace), cells_(std::move(cells)) {}

FiberCommand::~FiberCommand() {
  unwanted_ = true;
  while (begun_ && !ended_) {
    to_command();  // it is told to come to its end
  }
}

bool FiberCommand::take_turn() {
  if (!ended_) {
    cells_left_ = cells_();
    to_command();
  }
  return ended_;
}

void FiberCommand::to_command() {
  if (!begun_) {
    begun_ = true;
    stack_ = std::make_unique_for_overwrite<std::byte[]>(stack_bytes);
    getcontext(&command_);
    command_.uc_stack.ss_sp = stack_.get();
    command_.uc_stack.ss_size = stack_bytes;
    command_.uc_link = &strand_;
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&command_, reinterpret_cast<void (*)()>(&FiberCommand::enter), 2,
                static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
  }
  swapcontext(&strand_, &command_);
}

void FiberCommand::enter(unsigned high, unsigned low) {
  const std::uintptr_t self = (std::uintptr_t{high} << 32) | low;
  auto& command = *std::bit_cast<FiberCommand*>(self);
  command.work_(command);
  command.ended_ = true;
}

bool FiberCommand::over() {
  cells_left_ -= cells_left_ > 0 ? 1 : 0;
  return unwanted_ || cells_left_ == 0;
}

std::optional<replica::Now> FiberCommand::next() {
  if (!unwanted_) {
    swapcontext(&command_, &strand_);
  }
  return unwanted_ ? std::nullopt : std::optional(clock_());
}

// Others run before it, where a thread would let them run beside it.
std::optional<replica::Now> FiberCommand::aside(const std::function<void()>& work) {
  const auto now = next();
  if (now) {
    work();
  }
  return now;
}

}  // namespace starling::sim
