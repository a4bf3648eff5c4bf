// Client requests that wait for what their session has seen, for memory, or for a key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>

#include "server/replica/effects.h"

namespace starling::replica {

// In the order in which they came. Bounded in number and in bytes: who finds no room is told to
// come back later, so that memory full of writes is not exceeded by those that wait for it (R5.2).
// A request that is larger than the bound may wait alone.
// Runs on: core strand.
class WaitingRequests {
 public:
  struct Waiting {
    ClientRequest request;
    std::uint64_t until_us = 0;
  };

  explicit WaitingRequests(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // False if there was no room; the request is untouched then.
  [[nodiscard]] bool add(ClientRequest& request, std::uint64_t until_us);
  // The one that came first, which waits no longer. Requires size() > 0.
  [[nodiscard]] Waiting take();
  void forget(const std::set<RequestId>& ids);

  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t most_ = 10'000;

  std::size_t most_bytes_;
  std::deque<Waiting> waiting_;
  std::size_t bytes_ = 0;
};

}  // namespace starling::replica
