// What `kvbench redis` sends: the commands of redis-benchmark, over random keys or members.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/resp_load.h"

namespace starling::bench {

class Random {  // xorshift64*
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 1) {}
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL;
  }
  std::uint64_t below(std::uint64_t end) { return next() % end; }

 private:
  std::uint64_t state_;
};

// Values that do not compress and do not repeat soon: pieces of one random text.
class Values {
 public:
  explicit Values(std::size_t bytes);
  [[nodiscard]] std::string_view any(Random& random) const {
    return std::string_view(text_).substr(random.below(text_.size() - bytes_), bytes_);
  }

 private:
  std::size_t bytes_;
  std::string text_;
};

// "key:000000000042": of the same length for every number.
void append_numbered(std::string& out, std::string_view prefix, std::uint64_t number, int digits);

struct WorkloadSizes {
  std::uint64_t keys = 1'000'000;    // keys, and members of one key
  std::uint64_t many_keys = 10'000;  // of collections
  std::uint64_t members = 100;       // of each of these
  std::size_t value_bytes = 64;
};

struct Workload {
  std::string name;     // "SADD-many"
  std::string command;  // "SADD"
  bool has_value = false;
  // A stream of commands; the same seed gives the same ones.
  std::function<NextCommand(std::uint64_t seed)> commands;
  // What makes every key or member exist, in order, and how many commands that takes.
  std::function<NextCommand()> preload;
  std::uint64_t preload_count = 0;
  bool needs_preload = false;  // it reads
};

[[nodiscard]] std::vector<Workload> workloads(const WorkloadSizes& sizes);

}  // namespace starling::bench
