#include "server/net/asio_loop.h"

#include <chrono>
#include <utility>

#include <asio/post.hpp>

namespace starling::net {
namespace {

using Steady = std::chrono::steady_clock;

template <typename Unit, typename Clock>
std::uint64_t since_epoch() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<Unit>(Clock::now().time_since_epoch()).count());
}

}  // namespace

void AsioLoop::post(Task task) {
  asio::post(context_, [task = std::move(task)]() mutable { task(); });
}

// Every tick asks for another time, mostly a later one: then the timer stays as it is and looks
// again when it fires.
void AsioLoop::wake_at(std::uint64_t monotonic_us) {
  wanted_us_ = monotonic_us;
  if (armed_us_ == 0 || monotonic_us < armed_us_) {
    arm(monotonic_us);
  }
}

void AsioLoop::arm(std::uint64_t at_us) {
  armed_us_ = std::max<std::uint64_t>(at_us, 1);
  timer_.expires_at(Steady::time_point(std::chrono::microseconds(at_us)));
  timer_.async_wait([this](std::error_code error) {
    if (error) {
      return;  // armed anew
    }
    armed_us_ = 0;
    if (since_epoch<std::chrono::microseconds, Steady>() >= wanted_us_) {
      wake_();
    } else {
      arm(wanted_us_);
    }
  });
}

replica::Now AsioLoop::now() const {
  return {since_epoch<std::chrono::microseconds, Steady>(),
          since_epoch<std::chrono::milliseconds, std::chrono::system_clock>()};
}

}  // namespace starling::net
