// What the driver needs from an event loop and from threads, so that tests can be both.
#pragma once

#include <cstdint>
#include <functional>

#include "server/replica/effects.h"

namespace starling {

using Task = std::move_only_function<void()>;

// Runs tasks one after another on the core strand.
class Loop {
 public:
  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  virtual ~Loop() = default;

  // Behind everything that is ready to run now. May be called from any thread.
  virtual void post(Task task) = 0;
  // Calls the wake handler at this monotonic time, or a little earlier; a later call replaces it.
  virtual void wake_at(std::uint64_t monotonic_us) = 0;
  [[nodiscard]] virtual replica::Now now() const = 0;
};

// Runs tasks one after another somewhere else.
class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  virtual void run(Task task) = 0;
};

}  // namespace starling
