// How often commands ran, how long they took, what went wrong: for INFO.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "server/resp/command_table.h"

namespace starling::resp {

// Errors by their first word. Only we choose those words, so there are few; the bound is there
// all the same.
class ErrorCounts {
 public:
  void note(std::string_view text);
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>>& by_code() const {
    return by_code_;
  }

 private:
  static constexpr std::size_t max_codes = 128;
  std::uint64_t total_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> by_code_;
};

struct CommandCounts {
  std::uint64_t calls = 0;
  std::uint64_t us = 0;
  std::uint64_t rejected = 0;  // before it ran
  std::uint64_t failed = 0;    // answered an error
};

struct ByName {
  bool operator()(const CommandFacts* a, const CommandFacts* b) const { return a->name < b->name; }
};

// Since the start or CONFIG RESETSTAT.
struct Statistics {
  std::uint64_t commands_processed = 0;
  std::uint64_t connections_received = 0;
  // Keys that commands which only read have looked for.
  std::uint64_t keyspace_hits = 0;
  std::uint64_t keyspace_misses = 0;
  ErrorCounts errors;
  std::map<const CommandFacts*, CommandCounts, ByName> commands;
};

}  // namespace starling::resp
