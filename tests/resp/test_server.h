// A server of the RESP door over a real replica on a store in memory: no sockets, no time passes
// unless a test says so. Commands are given as words; replies are read back as text.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "server/resp/server.h"
#include "server/resp/session.h"
#include "storage/memory_store.h"

namespace starling::test {

using Words = std::vector<std::string>;

// "HSET h a 1" as words. What holds spaces is given as Words.
inline Words words(std::string_view line) {
  Words words;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

inline std::string request(const Words& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

// Reads one reply: OK, -ERR text, 12, 'bulk', nil, ,1.5 [array], {map: pairs}, <set>, >push>.
class ReplyReader {
 public:
  explicit ReplyReader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }

  std::string read() {
    std::string head(line());
    const std::string_view text = std::string_view(head).substr(1);
    switch (head[0]) {
      case '+':
      case ':':
        return std::string(text);
      case '-':
      case ',':
      case '#':
        return head;
      case '_':
        return "nil";
      case '$':
        return head == "$-1" ? "nil" : "'" + bytes(number(text)) + "'";
      case '*':
        return head == "*-1" ? "nil" : "[" + parts(number(text), 1) + "]";
      case '~':
        return "<" + parts(number(text), 1) + ">";
      case '%':
        return "{" + parts(number(text), 2) + "}";
      case '>':
        return ">" + parts(number(text), 1) + ">";
      case '=':
        return "'" + bytes(number(text)).substr(4) + "'";
      default:
        FAIL("not a reply: ", head);
        return head;
    }
  }
  // The parts of an aggregate, each as text; a map's keys and values one after another.
  std::vector<std::string> read_parts() {
    const std::string head(line());
    const std::size_t each = head[0] == '%' ? 2 : 1;
    REQUIRE_MESSAGE((head[0] == '*' || head[0] == '~' || head[0] == '%'), head);
    std::vector<std::string> read_parts;
    for (std::size_t left = number(std::string_view(head).substr(1)) * each; left > 0; --left) {
      read_parts.push_back(read());
    }
    return read_parts;
  }

 private:
  std::string_view line() {
    const std::size_t end = rest_.find("\r\n");
    REQUIRE(end != std::string_view::npos);
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    return line;
  }
  std::string bytes(std::size_t count) {
    REQUIRE(rest_.size() >= count + 2);
    std::string bytes(rest_.substr(0, count));
    rest_.remove_prefix(count + 2);
    return bytes;
  }
  static std::size_t number(std::string_view digits) {
    std::size_t value = 0;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    REQUIRE(end == digits.data() + digits.size());
    return value;
  }
  std::string parts(std::size_t count, std::size_t each) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      text += (i == 0 ? "" : ", ") + read();
      text += each == 2 ? ": " + read() : "";
    }
    return text;
  }

  std::string_view rest_;
};

class TestBackend final : public resp::Backend {
 public:
  explicit TestBackend(replica::Config config = {}) {
    config.name = "n1";
    config.peer_address = "n1";
    config.client_address = "n1:client";
    config.random_seed = 1;
    auto opened = replica::Replica::open(store, config, time);
    REQUIRE_MESSAGE(opened, opened.error().message);
    replica_ = std::move(*opened);
    end_tick();
  }

  MemoryStore store;
  replica::Now time{1'000'000, 1'790'000'000'000};

  [[nodiscard]] replica::Replica& replica() override { return *replica_; }
  [[nodiscard]] replica::Now now() const override { return time; }
  void want_tick(std::size_t) override {}
  void wake_by(std::uint64_t) override {}
  [[nodiscard]] bool tick_is_full() const override { return replica_->tick_full(); }
  [[nodiscard]] std::uint64_t random() override { return random_(); }
  [[nodiscard]] resp::NodeFacts facts() const override { return {}; }
  void shut_down() override { ++shut_downs; }
  int shut_downs = 0;

  // What was accepted becomes a record; a checkpoint that is due runs at once.
  void end_tick() {
    while (replica_->wants_tick()) {
      replica::Effects effects = replica_->end_tick(time);
      for (const auto& fact : effects.facts) {
        REQUIRE(store.put_fact(fact.name, fact.value));
      }
      if (effects.record) {
        REQUIRE(store.append(effects.record->position, effects.record->record));
        replica_->step(replica::LogSynced{*store.sync()}, time);
      }
      if (effects.checkpoint) {
        replica_->step(effects.checkpoint->run(store), time);
      }
      for (const auto& job : effects.cut_jobs) {
        replica_->step(job->run(store), time);
      }
    }
  }
  void pass_ms(std::uint64_t ms) {
    time.monotonic_us += ms * 1000;
    time.unix_ms += ms;
    replica_->step(replica::TimerFired{}, time);
    end_tick();
  }

 private:
  std::unique_ptr<replica::Replica> replica_;
  std::mt19937_64 random_{4711};
};

// One client of a server of its own.
class TestServer {
 public:
  explicit TestServer(replica::Config config = {}, resp::Options options = {})
      : backend(std::move(config)), server(backend, options), session(server, "client", "server") {}

  TestBackend backend;
  resp::Server server;
  resp::Session session;

  // The reply as its bytes.
  std::string raw(const Words& command) {
    session.received(request(command));
    for (int ticks = 0; ticks < 100 && (session.output().empty() || session.waits()); ++ticks) {
      backend.end_tick();
      server.go_on();
    }
    backend.end_tick();
    (void)server.take_outspoken();
    return std::exchange(session.output(), {});
  }
  std::string ask(const Words& command) {
    const std::string bytes = raw(command);
    ReplyReader reader(bytes);
    std::string text = reader.read();
    REQUIRE(reader.done());
    return text;
  }
  std::string ask(std::string_view line) { return ask(words(line)); }
  // The parts of the reply, sorted: for replies in no particular order.
  std::vector<std::string> sorted(const Words& command) {
    const std::string bytes = raw(command);
    auto parts = ReplyReader(bytes).read_parts();
    std::ranges::sort(parts);
    return parts;
  }
  std::vector<std::string> sorted(std::string_view line) { return sorted(words(line)); }
  void speak_resp3() { session.reply().set_protocol(resp::Protocol::resp3); }
};

}  // namespace starling::test
