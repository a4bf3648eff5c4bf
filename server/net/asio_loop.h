// The event loop on Asio: one io_context, one thread.
#pragma once

#include <functional>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "server/loop.h"

namespace starling::net {

class AsioLoop final : public Loop {
 public:
  explicit AsioLoop(asio::io_context& context) : context_(context), timer_(context) {}

  void on_wake(std::function<void()> handler) { wake_ = std::move(handler); }

  void post(Task task) override;
  void wake_at(std::uint64_t monotonic_us) override;
  [[nodiscard]] replica::Now now() const override;

 private:
  void arm(std::uint64_t at_us);

  asio::io_context& context_;
  asio::steady_timer timer_;
  std::function<void()> wake_;
  std::uint64_t wanted_us_ = 0;
  std::uint64_t armed_us_ = 0;  // 0: not armed
};

}  // namespace starling::net
