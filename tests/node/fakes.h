// Stand-ins for what surrounds the shell: a loop that is stepped by hand, threads that run when
// told to, a store that writes down what is done to it, connections without sockets.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "server/driver.h"
#include "server/loop.h"
#include "server/net/connection.h"
#include "server/net/core.h"
#include "storage/memory_store.h"
#include "wire/codec.h"

namespace starling::test {

class SteppedLoop final : public Loop {
 public:
  void post(Task task) override { tasks.push_back(std::move(task)); }
  void wake_at(std::uint64_t monotonic_us) override { wake_us = monotonic_us; }
  replica::Now now() const override { return clock; }

  // Until nothing is left to do at this moment.
  void run() {
    for (int turns = 0; !tasks.empty() && turns < 1000; ++turns) {
      Task task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }
  void advance_ms(std::uint64_t ms) {
    clock.monotonic_us += ms * 1000;
    clock.unix_ms += ms;
  }

  std::deque<Task> tasks;
  std::uint64_t wake_us = 0;
  replica::Now clock{5'000'000, 1'790'000'000'000};
};

class SteppedExecutor final : public Executor {
 public:
  void run(Task task) override { tasks.push_back(std::move(task)); }
  void run_all() {
    while (!tasks.empty()) {
      Task task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }
  std::deque<Task> tasks;
};

// A memory store that notes what is done in which order, and fails on demand.
class NotingStore final : public Store {
 public:
  explicit NotingStore(std::vector<std::string>& notes) : notes_(notes) {}

  bool fail_append = false;
  bool fail_sync = false;
  std::function<void()> during_sync;  // once, when what is synced is settled

  StoreResult<void> append(std::uint64_t position, std::string_view record) override {
    if (fail_append) {
      return std::unexpected(StoreError{StoreError::Code::io, "the disk is on fire"});
    }
    notes_.emplace_back("append");
    return store_.append(position, record);
  }
  StoreResult<std::uint64_t> sync() override {
    if (fail_sync) {
      return std::unexpected(StoreError{StoreError::Code::io, "fsync: input/output error"});
    }
    notes_.emplace_back("sync");
    auto position = store_.sync();
    if (auto meanwhile = std::exchange(during_sync, nullptr)) {
      meanwhile();
    }
    return position;
  }
  StoreResult<std::optional<std::string>> read_record(std::uint64_t position) const override {
    return store_.read_record(position);
  }
  LogBounds bounds() const override { return store_.bounds(); }
  StoreResult<void> truncate(std::uint64_t first_kept) override {
    return store_.truncate(first_kept);
  }
  std::uint64_t state_position() const override { return store_.state_position(); }
  StoreResult<std::optional<std::string>> get(std::string_view key) const override {
    return store_.get(key);
  }
  std::unique_ptr<Cut> cut() const override { return store_.cut(); }
  StoreResult<std::unique_ptr<CheckpointWriter>> begin_checkpoint(std::uint64_t position) override {
    notes_.emplace_back("checkpoint");
    return store_.begin_checkpoint(position);
  }
  bool checkpoint_stalled() const override { return false; }
  StoreResult<void> put_fact(std::string_view name, std::string_view value) override {
    return store_.put_fact(name, value);
  }
  StoreResult<std::optional<std::string>> get_fact(std::string_view name) const override {
    return store_.get_fact(name);
  }
  bool has_room(std::uint64_t) const override { return true; }

 private:
  MemoryStore store_;
  std::vector<std::string>& notes_;
};

// The other end of a connection, as the test sees it. Shared with the door that owns the
// connection.
struct Remote {
  net::ConnectionHandler* handler = nullptr;
  std::string written;  // and not yet flushed
  std::string sent;     // flushed and taken by the socket
  bool stuck = false;   // the socket takes nothing
  bool paused = false;
  bool finished = false;
  bool closed = false;

  void says(std::string_view bytes) {
    if (!closed && !finished && handler != nullptr) {
      handler->received(bytes);
    }
  }
  void says(const wire::ClientMessage& message) { says(wire::encode(message)); }
  void says(const wire::PeerMessage& message) { says(wire::encode(message)); }
};

class FakeConnection final : public net::Connection {
 public:
  explicit FakeConnection(std::shared_ptr<Remote> remote) : remote_(std::move(remote)) {}
  ~FakeConnection() override { remote_->closed = true; }

  void start(net::ConnectionHandler& handler) override { remote_->handler = &handler; }
  void write(std::string_view bytes) override { remote_->written += bytes; }
  void hand_over(std::string& bytes) override { write(std::exchange(bytes, {})); }
  void flush() override {
    if (!remote_->stuck) {
      remote_->sent += std::exchange(remote_->written, {});
    }
  }
  std::size_t unsent() const override { return remote_->written.size(); }
  void pause_reading() override { remote_->paused = true; }
  void resume_reading() override { remote_->paused = false; }
  void finish() override {
    flush();
    remote_->finished = true;
  }
  void close() override {
    remote_->closed = true;
    remote_->handler = nullptr;
  }
  const std::string& remote() const override { return name_; }
  const std::string& local() const override { return local_; }

 private:
  std::shared_ptr<Remote> remote_;
  std::string name_ = "192.0.2.1:4711";
  std::string local_ = "192.0.2.9:6380";
};

// The core as the doors see it: notes what it is given.
class NotingCore final : public net::Core {
 public:
  void step(replica::Input input, std::size_t) override { inputs.push_back(std::move(input)); }
  bool tick_is_full() const override { return full; }
  std::uint64_t now_us() const override { return clock_us; }
  wire::ServerHello server_hello() const override {
    wire::ServerHello hello;
    hello.cluster = "test";
    hello.name = "n1";
    return hello;
  }

  template <typename Kind>
  [[nodiscard]] std::vector<const Kind*> of() const {
    std::vector<const Kind*> found;
    for (const auto& input : inputs) {
      if (const auto* one = std::get_if<Kind>(&input)) {
        found.push_back(one);
      }
    }
    return found;
  }

  std::vector<replica::Input> inputs;
  bool full = false;
  std::uint64_t clock_us = 1'000'000;
};

// The client messages in a stream of frames.
[[nodiscard]] inline std::vector<wire::ClientMessage> client_messages(std::string_view bytes) {
  std::vector<wire::ClientMessage> out;
  wire::FrameReader reader(wire::max_frame_body);
  reader.feed(bytes);
  for (auto body = reader.next(); body && *body; body = reader.next()) {
    if (auto message = wire::decode_client(**body)) {
      out.push_back(std::move(*message));
    }
  }
  return out;
}

// A log whose lines the test can read.
class ReadableLog {
 public:
  ReadableLog() : file_(std::tmpfile()), log(file_) {}
  ~ReadableLog() { std::fclose(file_); }
  ReadableLog(const ReadableLog&) = delete;
  ReadableLog& operator=(const ReadableLog&) = delete;

  [[nodiscard]] std::string text() {
    std::string out;
    REQUIRE(std::fseek(file_, 0, SEEK_SET) == 0);
    char buffer[4096];
    for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, file_)) > 0;) {
      out.append(buffer, n);
    }
    return out;
  }

 private:
  std::FILE* file_;

 public:
  Log log;
};

}  // namespace starling::test
