// Standard output and error: what is a terminal, colours, progress, and a reader that went away.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace starling::cli {

[[nodiscard]] bool stdout_is_terminal();
[[nodiscard]] bool stderr_is_terminal();

enum class Style : std::uint8_t { bold, dim, good, bad, warn, accent };
// Plain text where standard output is no terminal, NO_COLOR is set or TERM is dumb.
[[nodiscard]] std::string styled(Style style, std::string_view text);

// Buffered. False once the reader is gone (`| head -1`): stop, quietly.
bool print(std::string_view text);
bool print_line(std::string_view text);
bool flush_output();

// Control bytes and bytes that are not UTF-8 as \n, \t, \xHH, so that a value cannot drive the
// terminal.
[[nodiscard]] std::string escaped(std::string_view bytes);
[[nodiscard]] bool is_utf8(std::string_view bytes);

// "12.3 MB"
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);

// One line on standard error that is rewritten in place, at most ten times a second; nothing where
// that is no terminal.
class Progress {
 public:
  explicit Progress(std::uint64_t total_bytes) : total_(total_bytes) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::uint64_t bytes, std::uint64_t lines, std::string_view note = {});
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::uint64_t total_;  // 0: not known
  Clock::time_point begin_ = Clock::now();
  Clock::time_point shown_{};
  bool visible_ = false;
};

}  // namespace starling::cli
