// The latest commands that took long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace starling::resp {

// Bounded: old entries go, and of a long command only the beginning is kept.
class SlowLog {
 public:
  static constexpr std::int64_t most_entries = 100'000;

  struct Entry {
    std::uint64_t id = 0;
    std::uint64_t unix_s = 0;
    std::uint64_t us = 0;
    std::vector<std::string> args;
    std::string client;
    std::string client_name;
  };
  struct Client {
    std::string_view address;
    std::string_view name;
  };

  std::int64_t threshold_us = 10'000;  // negative: nothing is kept

  void note(std::span<const std::string_view> args, std::uint64_t took_us, std::uint64_t unix_s,
            const Client& client);
  void clear() { entries_.clear(); }
  void keep(std::size_t most);
  [[nodiscard]] std::size_t most() const { return most_; }
  // The latest first.
  [[nodiscard]] const std::deque<Entry>& entries() const { return entries_; }

 private:
  std::size_t most_ = 128;
  std::uint64_t next_id_ = 0;
  std::deque<Entry> entries_;
};

}  // namespace starling::resp
