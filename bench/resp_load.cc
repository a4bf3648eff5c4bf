#include "bench/resp_load.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <deque>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "bench/failure.h"
#include "bench/resp.h"

namespace starling::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
using TimePoint = SteadyClock::time_point;

constexpr auto patience = std::chrono::minutes(1);

SteadyClock::duration from_seconds(double seconds) {
  return std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds));
}

// Counts whole replies in a stream of bytes, however it is cut, and keeps nothing of them but the
// first error.
class ReplyCounter {
 public:
  std::size_t feed(std::string_view bytes) {
    std::size_t whole = 0;
    while (!bytes.empty()) {
      if (skip_ > 0) {
        const std::size_t part = std::min(skip_, bytes.size());
        skip_ -= part;
        bytes.remove_prefix(part);
        whole += skip_ == 0 ? value_done() : 0;
        continue;
      }
      const auto end = bytes.find('\n');
      if (end == std::string_view::npos) {
        line_ += bytes;
        break;
      }
      if (line_.empty()) {
        whole += line(bytes.substr(0, end));
      } else {
        line_ += bytes.substr(0, end);
        whole += line(line_);
        line_.clear();
      }
      bytes.remove_prefix(end + 1);
    }
    return whole;
  }

  std::uint64_t errors = 0;
  std::string first_error;

 private:
  std::size_t line(std::string_view text) {
    const char kind = text.empty() ? '-' : text.front();
    if (kind == '-' && errors++ == 0) {
      first_error = text;
      first_error.erase(first_error.find_last_not_of('\r') + 1);
    }
    if (kind != '$' && kind != '*') {
      return value_done();
    }
    std::int64_t size = 0;
    std::from_chars(text.data() + 1, text.data() + text.size(), size);
    if (kind == '$' && size >= 0) {
      skip_ = static_cast<std::size_t>(size) + 2;
      return 0;
    }
    left_ += static_cast<std::uint64_t>(std::max<std::int64_t>(size, 0));
    return value_done();
  }

  std::size_t value_done() {
    if (--left_ > 0) {
      return 0;
    }
    left_ = 1;
    return 1;
  }

  std::uint64_t left_ = 1;  // values still to come in this reply
  std::size_t skip_ = 0;    // bytes still to come in this value
  std::string line_;        // the beginning of a line
};

struct LoadConnection {
  int socket = -1;
  std::string out;
  std::size_t sent = 0;  // of `out`
  bool waits_for_room = false;
  ReplyCounter replies;
  // Unanswered commands, oldest first: when they were sent (closed loop: all at once) or due.
  std::size_t unanswered = 0;
  TimePoint batch_sent;
  std::deque<TimePoint> due;

  LoadConnection() = default;
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;
  ~LoadConnection() {
    if (socket >= 0) {
      ::close(socket);
    }
  }
};

// One run. The memory of an open loop is bounded by its length: what is due is sent or queued.
class LoadRun {
 public:
  LoadRun(std::uint16_t port, const RespLoad& load, const NextCommand& next)
      : load_(load), next_(next), input_(256 * 1024), poller_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (unsigned i = 0; i < load.connections; ++i) {
      connections_.push_back(std::make_unique<LoadConnection>());
      LoadConnection& connection = *connections_.back();
      connection.socket = connect_loopback(port);
      if (connection.socket < 0) {
        throw Failure(fmt::format("cannot connect to port {}, connection {} of {}", port, i + 1,
                                  load.connections));
      }
      ::fcntl(connection.socket, F_SETFL, O_NONBLOCK);
      watch(connection, EPOLL_CTL_ADD, EPOLLIN);
    }
  }
  ~LoadRun() { ::close(poller_); }
  LoadRun(const LoadRun&) = delete;
  LoadRun& operator=(const LoadRun&) = delete;

  RespLoadReport run() {
    begin_ = SteadyClock::now();
    end_ = load_.requests > 0 ? TimePoint::max() : begin_ + from_seconds(load_.seconds);
    last_heard_ = begin_;
    if (load_.rate > 0) {
      run_open();
    } else {
      run_closed();
    }
    report_.seconds = std::chrono::duration<double>(last_heard_ - begin_).count();
    for (const auto& connection : connections_) {
      if (report_.errors == 0) {
        report_.first_error = connection->replies.first_error;
      }
      report_.errors += connection->replies.errors;
    }
    return std::move(report_);
  }

 private:
  void run_closed() {
    for (const auto& connection : connections_) {
      send_batch(*connection, begin_);
    }
    while (unanswered_ > 0) {
      wait(std::chrono::seconds(1));
    }
  }

  void run_open() {
    // Else the kernel wakes us up to 50 µs late to save wake-ups, and that would count as the
    // server's.
    ::prctl(PR_SET_TIMERSLACK, 1000);
    const std::uint64_t all =
        load_.requests > 0
            ? load_.requests
            : std::max(static_cast<std::uint64_t>(load_.rate * load_.seconds), std::uint64_t{1});
    std::vector<LoadConnection*> touched;
    while (issued_ < all || unanswered_ > 0) {
      const TimePoint now = SteadyClock::now();
      for (; issued_ < all && due_at(issued_) <= now; ++issued_) {
        LoadConnection& connection = *connections_[issued_ % connections_.size()];
        if (touched.size() < connections_.size()) {
          touched.push_back(&connection);
        }
        next_(connection.out);
        connection.due.push_back(due_at(issued_));
        ++connection.unanswered;
        ++unanswered_;
      }
      for (LoadConnection* connection : touched) {
        flush(*connection);
      }
      touched.clear();
      const TimePoint next = issued_ < all ? due_at(issued_) : now + std::chrono::seconds(1);
      wait(std::max(next - SteadyClock::now(), SteadyClock::duration::zero()));
    }
  }

  [[nodiscard]] TimePoint due_at(std::uint64_t index) const {
    return begin_ + from_seconds(static_cast<double>(index) / load_.rate);
  }

  void send_batch(LoadConnection& connection, TimePoint now) {
    if (now >= end_) {
      return;
    }
    std::uint64_t count = load_.pipeline;
    if (load_.requests > 0) {
      count = std::min(count, load_.requests - issued_);
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      next_(connection.out);
    }
    issued_ += count;
    unanswered_ += count;
    connection.unanswered = count;
    connection.batch_sent = now;
    flush(connection);
  }

  void flush(LoadConnection& connection) {
    while (connection.sent < connection.out.size()) {
      const ssize_t sent = ::send(connection.socket, connection.out.data() + connection.sent,
                                  connection.out.size() - connection.sent, MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) {
        break;
      }
      if (sent <= 0) {
        throw Failure("a server closed a connection under load");
      }
      connection.sent += static_cast<std::size_t>(sent);
    }
    const bool full = connection.sent < connection.out.size();
    if (!full) {
      connection.out.clear();
      connection.sent = 0;
    }
    if (full != connection.waits_for_room) {
      connection.waits_for_room = full;
      watch(connection, EPOLL_CTL_MOD, full ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
  }

  void watch(LoadConnection& connection, int operation, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &connection;
    if (::epoll_ctl(poller_, operation, connection.socket, &event) != 0) {
      throw Failure("cannot watch a connection");
    }
  }

  void wait(SteadyClock::duration longest) {
    std::array<epoll_event, 64> events{};
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(longest).count();
    const timespec timeout{.tv_sec = nanoseconds / 1'000'000'000,
                           .tv_nsec = nanoseconds % 1'000'000'000};
    const int ready = ::epoll_pwait2(poller_, events.data(), events.size(), &timeout, nullptr);
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      LoadConnection& connection = *static_cast<LoadConnection*>(event.data.ptr);
      if ((event.events & EPOLLOUT) != 0) {
        flush(connection);
      }
      if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
        receive(connection);
      }
    }
    if (ready <= 0 && unanswered_ > 0 && SteadyClock::now() - last_heard_ > patience) {
      throw Failure("a server answered nothing for a minute under load");
    }
  }

  void receive(LoadConnection& connection) {
    const ssize_t got = ::recv(connection.socket, input_.data(), input_.size(), 0);
    if (got < 0 && errno == EAGAIN) {
      return;
    }
    if (got <= 0) {
      throw Failure("a server closed a connection under load");
    }
    const std::size_t replies =
        connection.replies.feed({input_.data(), static_cast<std::size_t>(got)});
    if (replies > connection.unanswered) {
      throw Failure("a server answered more than it was asked");
    }
    if (replies == 0) {
      return;
    }
    const TimePoint now = SteadyClock::now();
    last_heard_ = now;
    connection.unanswered -= replies;
    unanswered_ -= replies;
    report_.replies += replies;
    if (load_.rate > 0) {
      for (std::size_t i = 0; i < replies; ++i) {
        count_latency(now - connection.due.front(), 1);
        connection.due.pop_front();
      }
      return;
    }
    count_latency(now - connection.batch_sent, replies);
    if (connection.unanswered == 0) {
      send_batch(connection, now);
    }
  }

  void count_latency(SteadyClock::duration took, std::uint64_t times) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    report_.latency_us.add(static_cast<std::uint64_t>(us), times);
  }

  const RespLoad& load_;
  const NextCommand& next_;
  std::vector<char> input_;
  int poller_;
  std::vector<std::unique_ptr<LoadConnection>> connections_;
  TimePoint begin_;
  TimePoint end_;
  TimePoint last_heard_;
  std::uint64_t issued_ = 0;
  std::uint64_t unanswered_ = 0;
  RespLoadReport report_;
};

}  // namespace

RespLoadReport run_resp_load(std::uint16_t port, const RespLoad& load, const NextCommand& next) {
  return LoadRun(port, load, next).run();
}

}  // namespace starling::bench
