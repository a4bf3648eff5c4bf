#include "server/turns/command_thread.h"

#include <algorithm>
#include <utility>

namespace starling {

CommandThread::CommandThread(Work work, Clock clock, Pace pace)
    : work_(std::move(work)), clock_(std::move(clock)), pace_(pace), thread_([this] { run(); }) {}

CommandThread::~CommandThread() {
  unwanted_ = true;
  while (!take_turn()) {
    std::this_thread::yield();  // as long as it is aside
  }
  thread_.join();
}

bool CommandThread::take_turn() {
  if (!ended_ && !is_aside()) {
    resting_ = false;
    turn_began_us_ = looked_us_ = clock_().monotonic_us;
    to_command_.release();
    to_strand_.acquire();
    busy_us_ += clock_().monotonic_us - turn_began_us_;
  }
  return ended_;
}

void CommandThread::run() {
  to_command_.acquire();
  if (!unwanted_) {
    work_(*this);
  }
  ended_ = true;
  to_strand_.release();
}

// A clock is read in less time than a cell, but not in much less; what lies between two questions
// may also be a page of keys. So the clock is looked at the more seldom the less time has passed.
bool CommandThread::over() {
  constexpr unsigned most_asked = 8;
  constexpr unsigned looks_per_turn = 16;
  if (++asked_ < asked_per_look_) {
    return false;
  }
  const std::uint64_t now_us = clock_().monotonic_us;
  const bool often = (now_us - std::exchange(looked_us_, now_us)) * looks_per_turn < pace_.turn_us;
  asked_per_look_ = often ? std::min(2 * asked_per_look_, most_asked) : 1;
  asked_ = 0;
  return unwanted_ || now_us - turn_began_us_ >= pace_.turn_us;
}

std::optional<replica::Now> CommandThread::next() {
  if (!unwanted_) {
    to_strand_.release();
    to_command_.acquire();
  }
  return unwanted_ ? std::nullopt : std::optional(clock_());
}

std::optional<replica::Now> CommandThread::rest() {
  resting_ = true;
  return next();
}

std::optional<replica::Now> CommandThread::aside(const std::function<void()>& work) {
  if (!unwanted_) {
    aside_.store(true, std::memory_order_relaxed);  // the semaphore orders it
    to_strand_.release();
    work();
    aside_.store(false, std::memory_order_release);
    to_command_.acquire();
  }
  return unwanted_ ? std::nullopt : std::optional(clock_());
}

}  // namespace starling
