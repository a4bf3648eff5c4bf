// What the doors need from the core strand.
#pragma once

#include <cstddef>
#include <cstdint>

#include "server/replica/effects.h"
#include "wire/messages.h"

namespace starling::net {

// Runs on: core strand.
class Core {
 public:
  Core() = default;
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  virtual ~Core() = default;

  virtual void step(replica::Input input, std::size_t bytes) = 0;
  [[nodiscard]] virtual bool tick_is_full() const = 0;
  [[nodiscard]] virtual std::uint64_t now_us() const = 0;  // monotonic
  [[nodiscard]] virtual wire::ServerHello server_hello() const = 0;
};

}  // namespace starling::net
