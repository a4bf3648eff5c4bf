// What can go wrong, as values. Nothing in this library throws on purpose.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace starling {

enum class ErrorCode : std::uint16_t {
  // Answers of a node; the numbers are those on the wire.
  bad_request = 1,   // malformed or out of range
  wrong_type = 2,    // the key holds another type
  not_a_number = 3,  // an increment of text
  overflow = 4,      // the result would leave 64 bits
  too_large = 5,     // key, value or batch over its limit
  behind = 6,        // the node has not yet seen what this session has seen
  not_ready = 7,     // it is catching up for the first time, or stopping
  no_space = 8,      // its disk is nearly full
  busy = 9,          // a bounded queue is full, there or here; try again later
  refused = 10,      // by policy
  storage = 11,      // stored bytes are damaged
  timeout = 12,      // no answer within the deadline
  unsupported = 13,  // the node does not know this command
  // Found by this library.
  unreachable = 100,  // no endpoint could be reached
  protocol = 101,     // what answered does not speak our protocol, or another version of it
  closed = 102,       // the client is being destroyed
};
[[nodiscard]] std::string_view name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::bad_request;
  std::string message;  // for people
  // A write was sent and its answer never came: it may have taken effect. Repeating it with the
  // same OperationId at the same node is safe; with a new one it may count twice.
  bool maybe_applied = false;
  friend bool operator==(const Error&, const Error&) = default;
};

template <typename T>
using Result = std::expected<T, Error>;

}  // namespace starling
