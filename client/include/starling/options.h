// How a client connects, waits and retries.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <starling/command.h>

namespace starling {

struct Options {
  // host:port of client doors, tried in this order. One connection is used at a time.
  std::vector<std::string> endpoints{"127.0.0.1:7001"};
  // Also fail over to the other members that a node names when it greets us.
  bool learn_endpoints = true;

  std::chrono::milliseconds deadline{5'000};  // of a call; then it fails with ErrorCode::timeout
  std::chrono::milliseconds connect_timeout{2'000};  // per endpoint, greeting included
  // How long a call keeps trying while no endpoint answers or all refuse to serve; its deadline
  // ends it anyway. 0: each endpoint is tried once.
  std::chrono::milliseconds retry_for{std::chrono::hours(24)};

  // Every write carries an OperationId, so repeating it at the node that may have applied it never
  // counts twice, whether or not that node crashed and restarted in between. After a broken
  // connection such writes therefore go back to the *same* node, for this long ...
  std::chrono::milliseconds home_patience{1'000};
  // ... and then fail with `maybe_applied`, unless this is set: then they go to another node. Two
  // nodes that have not heard of each other yet do not recognise the same OperationId (today), so
  // an increment may then count twice. Writes of strings, sets, hashes and flags that are simply
  // made again do no harm: allow it there.
  bool retry_elsewhere = false;

  std::string name = "starling-client";  // for the node's log
  std::string token{};                   // continue a session: what Client::token() returned

  // Requests on their way at once. More wait here in order; when those exceed queue_bytes, a call
  // fails at once with ErrorCode::busy.
  std::size_t window = 512;
  std::size_t queue_bytes = 64u << 20;
};

// What one call may do differently.
struct CallOptions {
  std::optional<std::chrono::milliseconds> deadline{};
  std::optional<OperationId> operation{};
  std::optional<bool> retry_elsewhere{};
};

}  // namespace starling
