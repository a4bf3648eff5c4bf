// What happened, as lines for people and as one number for machines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace starling::sim {

// Everything that is noted moves the digest; equal seeds must give equal digests. The lines are
// kept only if somebody wants to read them.
class Trace {
 public:
  explicit Trace(bool keep_lines) : keep_lines_(keep_lines) {}

  void note(std::uint64_t now_us, std::string_view line);
  // A line that is worth writing down only for somebody who reads, and what it stands for.
  void show(std::uint64_t now_us, std::string_view line);
  void mix(std::uint64_t now_us, std::uint64_t a, std::uint64_t b);

  [[nodiscard]] bool keeps_lines() const { return keep_lines_; }
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  bool keep_lines_;
  std::uint64_t digest_ = 0;
  std::vector<std::string> lines_;
};

}  // namespace starling::sim
