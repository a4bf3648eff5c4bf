#include "server/worker.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <utility>

namespace starling {

Worker::Worker(const char* name, Rank rank) {
  // Signals belong to the reactor thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this, rank] {
    if (rank == Rank::stands_back) {
      // On Linux "this process" is this thread. It still has a tenth of a core that is busy; what
      // waits for it (memory that is full of writes) leaves it the rest.
      constexpr int niceness = 10;
      (void)setpriority(PRIO_PROCESS, 0, niceness);
    }
    loop();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), name);
}

Worker::~Worker() { stop(); }

void Worker::run(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      return;
    }
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void Worker::stop() {
  std::deque<Task> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(tasks_);
  }
  wake_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Worker::loop() {
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) {
        return;
      }
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace starling
