// Virtual time: what shall happen, in the order in which it will.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace starling::sim {

inline constexpr std::uint64_t ms = 1'000;  // virtual microseconds
inline constexpr std::uint64_t second = 1'000'000;

// Two things due at the same instant happen in the order in which they were asked for, so that a
// seed has one history.
class Timeline {
 public:
  [[nodiscard]] std::uint64_t now_us() const { return now_us_; }

  void at(std::uint64_t when_us, std::function<void()> what) {
    events_.push_back({std::max(when_us, now_us_), next_order_++, std::move(what)});
    std::ranges::push_heap(events_, later);
  }
  void after(std::uint64_t delay_us, std::function<void()> what) {
    at(now_us_ + delay_us, std::move(what));
  }

  // Lets everything up to `end_us` happen, unless `stop` says so before.
  template <typename Stop>
  void run_until(std::uint64_t end_us, const Stop& stop) {
    while (!events_.empty() && events_.front().at_us <= end_us && !stop()) {
      std::ranges::pop_heap(events_, later);
      const Event event = std::move(events_.back());
      events_.pop_back();
      now_us_ = event.at_us;
      event.what();
    }
    now_us_ = std::max(now_us_, end_us);
  }

 private:
  struct Event {
    std::uint64_t at_us = 0;
    std::uint64_t order = 0;
    std::function<void()> what;
  };
  static bool later(const Event& a, const Event& b) {
    return std::pair(a.at_us, a.order) > std::pair(b.at_us, b.order);
  }

  std::vector<Event> events_;  // a heap, the next one in front
  std::uint64_t now_us_ = second;
  std::uint64_t next_order_ = 0;
};

}  // namespace starling::sim
