#include "server/metrics.h"

#include <charconv>
#include <chrono>
#include <utility>

namespace starling {
namespace {

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string_view name(Door door) {
  constexpr std::array<std::string_view, door_count> names{"client", "peer", "http", "resp"};
  return names[static_cast<std::size_t>(door)];
}

std::string_view name(Rejection reason) {
  constexpr std::array<std::string_view, rejection_count> names{
      "bad_frame", "bad_message", "wrong_protocol", "no_hello",   "too_many",   "slow_reader",
      "memory",    "bad_request", "unknown_path",   "bad_method", "slow_sender"};
  return names[static_cast<std::size_t>(reason)];
}

void Rejections::note(Door door, Rejection reason, std::string_view remote,
                      std::string_view detail) {
  Kind& kind = kinds_[index(door, reason)];
  kind.count.fetch_add(1, std::memory_order_relaxed);
  std::uint64_t unsaid = 0;
  {
    const std::lock_guard lock(lines_);
    const std::int64_t now = steady_ms();
    if (now < kind.last_line_ms + 1000) {
      ++kind.unsaid;
      return;
    }
    kind.last_line_ms = now;
    unsaid = std::exchange(kind.unsaid, 0);
  }
  log_.warning("turned away", {{"door", std::string(name(door))},
                               {"reason", std::string(name(reason))},
                               {"remote", std::string(remote)},
                               {"detail", std::string(detail)},
                               {"more", std::to_string(unsaid)}});
}

std::uint64_t Rejections::count(Door door, Rejection reason) const {
  return kinds_[index(door, reason)].count.load(std::memory_order_relaxed);
}

MetricsText& MetricsText::counter(std::string_view name, std::string_view help) {
  return family(name, help, "counter");
}

MetricsText& MetricsText::gauge(std::string_view name, std::string_view help) {
  return family(name, help, "gauge");
}

MetricsText& MetricsText::family(std::string_view name, std::string_view help,
                                 std::string_view type) {
  family_ = name;
  out_.append("# HELP ").append(name).append(" ").append(help).append("\n");
  out_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  return *this;
}

MetricsText& MetricsText::sample(std::uint64_t value, Labels labels) {
  return line(std::to_string(value), labels);
}

MetricsText& MetricsText::sample(double value, Labels labels) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return line({buffer, end}, labels);
}

MetricsText& MetricsText::line(std::string_view value, Labels labels) {
  out_ += family_;
  char before = '{';
  for (const Label& label : labels) {
    out_ += before;
    before = ',';
    out_.append(label.name).append("=\"");
    append_escaped(out_, label.value);
    out_ += '"';
  }
  if (labels.size() > 0) {
    out_ += '}';
  }
  out_.append(" ").append(value).append("\n");
  return *this;
}

}  // namespace starling
