#include "server/snapshot.h"

#include <utility>

namespace starling {

void SnapshotBoard::serve(std::function<void()> ask) {
  const std::lock_guard lock(mutex_);
  ask_ = std::move(ask);
  taken_ = Clock::now();
}

void SnapshotBoard::publish(std::shared_ptr<const Snapshot> snapshot) {
  {
    const std::lock_guard lock(mutex_);
    last_ = std::move(snapshot);
    taken_ = Clock::now();
  }
  published_.notify_all();
}

SnapshotBoard::Answer SnapshotBoard::get() {
  std::unique_lock lock(mutex_);
  const auto begun = Clock::now();
  const bool fresh_enough = last_ && begun < taken_ + fresh;
  const bool waited_just_now = waited_ > taken_ && begun < waited_ + fresh;
  if (ask_ && !fresh_enough && !waited_just_now) {
    ask_();
    if (!published_.wait_for(lock, patience, [&] { return last_ && taken_ >= begun; })) {
      waited_ = Clock::now();
    }
  }
  return {last_, Clock::now() - taken_};
}

}  // namespace starling
