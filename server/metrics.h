// What the shell counts, and the text format in which Prometheus reads it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

#include "server/log.h"

namespace starling {

// Counted by the shell. Runs on: core strand.
struct ShellCounters {
  std::uint64_t clients = 0;  // connected now
  std::uint64_t clients_accepted = 0;
  std::uint64_t client_requests = 0;
  std::uint64_t requests_in_flight = 0;  // now
  std::uint64_t client_bytes_received = 0;
  std::uint64_t client_bytes_sent = 0;
  std::uint64_t client_buffered_bytes = 0;  // now, both directions
  std::uint64_t resp_clients = 0;           // connected now
  std::uint64_t resp_clients_accepted = 0;
  std::uint64_t resp_commands = 0;
  std::uint64_t resp_bytes_received = 0;
  std::uint64_t resp_bytes_sent = 0;
  std::uint64_t resp_buffered_bytes = 0;   // now, both directions
  std::uint64_t resp_clients_waiting = 0;  // now: for memory, a turn, other nodes or a pause
  std::uint64_t peers = 0;                 // connections now, both directions
  std::uint64_t peers_accepted = 0;
  std::uint64_t peers_dialed = 0;
  std::uint64_t peer_dials_failed = 0;
  std::uint64_t peer_bytes_received = 0;
  std::uint64_t peer_bytes_sent = 0;
  std::uint64_t peer_buffered_bytes = 0;  // now, to be sent
  std::uint64_t ticks = 0;
  std::uint64_t tick_us = 0;
  std::uint64_t log_records = 0;
  std::uint64_t log_bytes = 0;
  std::uint64_t log_syncs = 0;
  std::uint64_t log_sync_us = 0;
  std::uint64_t checkpoint_us = 0;
  std::uint64_t checkpoint_bytes = 0;
  std::uint64_t checkpoint_cells = 0;
};

enum class Door : std::uint8_t { client, peer, http, resp };
inline constexpr std::size_t door_count = 4;

// Why a connection or a request was turned away at a door.
enum class Rejection : std::uint8_t {
  bad_frame,       // its framing is not ours
  bad_message,     // framed well, but not a message we know at this point
  wrong_protocol,  // another protocol version
  no_hello,        // it did not introduce itself in time
  too_many,        // connection limit
  slow_reader,     // it does not read what it asked for
  memory,          // it held the most while all connections together held too much
  bad_request,     // HTTP: malformed or ambiguous lengths
  unknown_path,    // HTTP
  bad_method,      // HTTP
  slow_sender,     // a request that was begun and not finished in time
};
inline constexpr std::size_t rejection_count = 11;

[[nodiscard]] std::string_view name(Door door);
[[nodiscard]] std::string_view name(Rejection reason);

// Counts every rejection, and logs at most one line per second for each kind, with who it was and
// how many lines were left out. Never logs what the stranger sent.
// May be called from any thread.
class Rejections {
 public:
  explicit Rejections(Log& log) : log_(log) {}

  void note(Door door, Rejection reason, std::string_view remote, std::string_view detail = {});
  [[nodiscard]] std::uint64_t count(Door door, Rejection reason) const;

 private:
  struct Kind {
    std::atomic<std::uint64_t> count = 0;
    std::int64_t last_line_ms = INT64_MIN / 2;
    std::uint64_t unsaid = 0;
  };
  [[nodiscard]] static std::size_t index(Door door, Rejection reason) {
    return static_cast<std::size_t>(door) * rejection_count + static_cast<std::size_t>(reason);
  }

  Log& log_;
  std::mutex lines_;  // guards the last two members of every kind
  std::array<Kind, door_count * rejection_count> kinds_;
};

// The Prometheus text exposition format 0.0.4: families in the order in which they are begun.
class MetricsText {
 public:
  struct Label {
    std::string_view name;
    std::string_view value;
  };
  using Labels = std::initializer_list<Label>;

  MetricsText& counter(std::string_view name, std::string_view help);
  MetricsText& gauge(std::string_view name, std::string_view help);
  // Of the family begun last.
  MetricsText& sample(std::uint64_t value, Labels labels = {});
  MetricsText& sample(double value, Labels labels = {});

  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  MetricsText& family(std::string_view name, std::string_view help, std::string_view type);
  MetricsText& line(std::string_view value, Labels labels);

  std::string out_;
  std::string family_;
};

}  // namespace starling
