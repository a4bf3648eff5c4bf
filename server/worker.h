// A background thread with a queue.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

#include "server/loop.h"

namespace starling {

// The queue has no bound of its own: those who use it say how many tasks they may have under way.
class Worker final : public Executor {
 public:
  // What takes long may stand back where cores are few: on one core the scheduler would otherwise
  // give it slices of some milliseconds in turn with the strand, for which every client waits.
  enum class Rank : std::uint8_t { equal, stands_back };
  // The name is as `top -H` shows it, at most 15 letters.
  explicit Worker(const char* name, Rank rank = Rank::equal);
  ~Worker() override;

  void run(Task task) override;
  // Drops what has not begun and waits for what has.
  void stop();

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace starling
