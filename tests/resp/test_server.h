// A server of the RESP door over a real replica on a store in memory: no sockets, no time passes
// unless a test says so. Commands are given as words; replies are read back as text.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "server/resp/server.h"
#include "server/resp/session.h"
#include "server/turns/command_thread.h"
#include "tests/resp/memory_node.h"

namespace starling::test {

using Words = std::vector<std::string>;

inline const std::string wrong_type =
    "-WRONGTYPE Operation against a key holding the wrong kind of value";

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

// The limits of a server on which commands that look at more than a few cells take long: turns are
// over at once, entries are small.
inline resp::Options in_small_turns(resp::Options options = {}) {
  options.start_long = CommandThread::start;
  options.long_cells = 2;
  options.pace = {.turn_us = 0, .part_ops = 2};
  return options;
}

// The specifications hold whether or not commands run in turns: CTest runs them once more with this
// variable set.
inline resp::Options usual_options() {
  return std::getenv("STARLING_TEST_IN_TURNS") == nullptr ? resp::Options{} : in_small_turns();
}

// One client of a server of its own.
class TestServer {
 public:
  explicit TestServer(replica::Config config = {}, resp::Options options = usual_options(),
                      const std::function<void(MemoryStore&)>& prepare = {})
      : backend(std::move(config), prepare),
        server(backend, std::move(options)),
        session(server, "client", "server") {}

  MemoryNode backend;
  resp::Server server;
  resp::Session session;

  // The reply as its bytes.
  std::string raw(const Words& command) {
    session.received(request(command));
    // Ticks are no measure of patience with a command that takes long: what it does aside is done
    // by a thread, to which a busy machine may give nothing for thousands of them.
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    for (int ticks = 0;
         session.works() ? std::chrono::steady_clock::now() < patience
                         : ticks < 1000 && (session.output().empty() || session.waits());
         ++ticks) {
      backend.end_tick();
      server.go_on();
      std::this_thread::yield();
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
