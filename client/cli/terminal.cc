#include "client/cli/terminal.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace starling::cli {
namespace {

bool colours() {
  static const bool on = [] {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return stdout_is_terminal() && (no_color == nullptr || *no_color == '\0') &&
           (term == nullptr || std::string_view(term) != "dumb");
  }();
  return on;
}

std::string_view code(Style style) {
  switch (style) {
    case Style::bold:
      return "1";
    case Style::dim:
      return "2";
    case Style::good:
      return "32";
    case Style::bad:
      return "31";
    case Style::warn:
      return "33";
    case Style::accent:
      return "36";
  }
  return "0";
}

// Length of the well-formed UTF-8 sequence at the front (RFC 3629), 0 if there is none.
std::size_t utf8_sequence(std::string_view bytes) {
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u;
  };
  const auto continues = [&](std::size_t i) { return (at(i) & 0xC0u) == 0x80u; };
  const unsigned first = at(0);
  if (first < 0x80) {
    return bytes.empty() ? 0 : 1;
  }
  if (first >= 0xC2 && first <= 0xDF) {
    return continues(1) ? 2 : 0;
  }
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned least = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned most = first == 0xED ? 0x9F : 0xBF;
    return at(1) >= least && at(1) <= most && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned least = first == 0xF0 ? 0x90 : 0x80;
    const unsigned most = first == 0xF4 ? 0x8F : 0xBF;
    return at(1) >= least && at(1) <= most && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool stdout_is_terminal() {
  static const bool terminal = isatty(STDOUT_FILENO) == 1;
  return terminal;
}

bool stderr_is_terminal() {
  static const bool terminal = isatty(STDERR_FILENO) == 1;
  return terminal;
}

std::string styled(Style style, std::string_view text) {
  return colours() ? fmt::format("\033[{}m{}\033[0m", code(style), text) : std::string(text);
}

bool print(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
}

bool print_line(std::string_view text) { return print(text) && print("\n"); }

bool flush_output() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

std::string escaped(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const std::size_t size = utf8_sequence(bytes);
    const auto byte = static_cast<unsigned char>(bytes[0]);
    // C1 controls are two bytes long in UTF-8.
    const bool control = byte < 0x20 || byte == 0x7F ||
                         (size == 2 && byte == 0xC2 && static_cast<unsigned char>(bytes[1]) < 0xA0);
    if (size > 0 && !control) {
      text += bytes.substr(0, size);
      bytes.remove_prefix(size);
      continue;
    }
    if (byte == '\n') {
      text += "\\n";
    } else if (byte == '\t') {
      text += "\\t";
    } else if (byte == '\r') {
      text += "\\r";
    } else {
      text += fmt::format("\\x{:02x}", byte);
    }
    bytes.remove_prefix(1);
  }
  return text;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t size = utf8_sequence(bytes);
    if (size == 0) {
      return false;
    }
    bytes.remove_prefix(size);
  }
  return true;
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1'000) {
    return fmt::format("{} B", bytes);
  }
  auto size = static_cast<double>(bytes);
  for (const std::string_view unit : {"kB", "MB", "GB", "TB"}) {
    size /= 1'000;
    if (size < 1'000) {
      return fmt::format("{:.1f} {}", size, unit);
    }
  }
  return fmt::format("{:.1f} PB", size / 1'000);
}

void Progress::show(std::uint64_t bytes, std::uint64_t lines, std::string_view note) {
  const auto now = Clock::now();
  if (!stderr_is_terminal() || now - shown_ < std::chrono::milliseconds(100)) {
    return;
  }
  shown_ = now;
  visible_ = true;
  const double seconds = std::max(0.001, std::chrono::duration<double>(now - begin_).count());
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(lines) / seconds);
  std::string bar;
  if (total_ > 0) {
    constexpr std::size_t width = 24;
    const double part = std::min(1.0, static_cast<double>(bytes) / static_cast<double>(total_));
    const auto full = static_cast<std::size_t>(part * width);
    const double left = part > 0 ? seconds * (1 - part) / part : 0;
    bar = fmt::format("[{:=<{}}{:<{}}] {:3.0f} %  {:.0f} s left  ", "", full, "", width - full,
                      part * 100, left);
  }
  std::string text =
      fmt::format("{}{}  {} lines  {}/s  {}", bar, human_bytes(bytes), lines, rate, note);
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1) {
    text.resize(std::min<std::size_t>(text.size(), size.ws_col - 1u));
  }
  fmt::print(stderr, "\r{}\033[K", text);
  std::fflush(stderr);
}

void Progress::clear() {
  if (visible_) {
    fmt::print(stderr, "\r\033[K");
    std::fflush(stderr);
    visible_ = false;
  }
}

}  // namespace starling::cli
