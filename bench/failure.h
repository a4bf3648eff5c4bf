// What ends a run of kvbench: a server that does not start, a connection that breaks.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace starling::bench {

// The one exception of ours. Whatever fails in the middle of a measurement leaves no figure worth
// having, so every caller could only hand it on; main catches it, and on the way servers are
// stopped and directories removed.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& what, std::string advice = {})
      : std::runtime_error(what), advice_(std::move(advice)) {}
  [[nodiscard]] const std::string& advice() const { return advice_; }

 private:
  std::string advice_;  // what to do about it
};

}  // namespace starling::bench
