// The RESP door with strangers, liars and sleepers in front of it. Rows are those of
// docs/bad-inputs.md.
#include "server/net/resp_door.h"

#include <doctest/doctest.h>

#include "tests/node/fakes.h"
#include "tests/resp/memory_node.h"

namespace starling::net {
namespace {

using test::FakeConnection;
using test::Remote;

struct RespBench {
  explicit RespBench(RespDoor::Limits limits = {}, const resp::Options& options = {})
      : door(node, options, limits, counters, rejections) {}

  std::shared_ptr<Remote> connects() {
    auto remote = std::make_shared<Remote>();
    door.accept(std::make_unique<FakeConnection>(remote));
    return remote;
  }
  void tick() {
    node.end_tick();
    door.flush();
  }
  void passes_ms(std::uint64_t ms) {
    node.pass_ms(ms);
    door.sweep();
    tick();
  }
  std::string answers(Remote& remote, std::string_view line) {
    remote.sent.clear();
    remote.says(std::string(line) + "\r\n");
    tick();
    return remote.sent;
  }
  [[nodiscard]] std::uint64_t rejected(Rejection reason) const {
    return rejections.count(Door::resp, reason);
  }

  test::MemoryNode node;
  test::ReadableLog log;
  ShellCounters counters;
  Rejections rejections{log.log};
  RespDoor door;
};

constexpr std::string_view half_a_request = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\nhalf";

TEST_CASE("however much one client has asked for, another is answered within three ticks") {
  for (const std::size_t most : {std::size_t{1} << 30, std::size_t{768} << 10}) {
    CAPTURE(most);  // bytes of a reply: each is sent, or each is refused once it has been made
    resp::Options options;
    options.max_reply_bytes = most;
    RespBench bench({}, options);
    const auto greedy = bench.connects();
    const auto other = bench.connects();
    const std::string value(900 << 10, 'v');
    greedy->says("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$921600\r\n" + value + "\r\n");
    bench.tick();
    std::string pipeline;
    for (int i = 0; i < 1000; ++i) {
      pipeline += "GET big\r\n";
    }
    greedy->says(pipeline);
    REQUIRE(greedy->handler != nullptr);
    CHECK(greedy->paused);
    for (int tick = 0; tick < 3; ++tick) {
      bench.tick();
      REQUIRE_FALSE(other->paused);
      other->sent.clear();
      other->says("PING\r\n");
      bench.tick();  // the greedy one was first in line
      bench.tick();  // run …
      bench.tick();  // … and sent
      CHECK(other->sent == "+PONG\r\n");
    }
    CHECK(greedy->paused);  // there is more to do for it
  }
}

TEST_CASE("who waits is not read from until it has been served, whatever it had begun to say") {
  RespBench bench;
  const auto greedy = bench.connects();
  const auto other = bench.connects();
  greedy->says("SET big " + std::string(60 << 10, 'v') + "\r\n");
  bench.tick();
  std::string pipeline;
  for (int i = 0; i < 20; ++i) {
    pipeline += "GET big\r\n";  // fill the tick
  }
  greedy->says(pipeline);
  other->says(half_a_request);
  CHECK(other->paused);
  for (int tick = 0; tick < 5; ++tick) {
    bench.tick();
  }
  CHECK_FALSE(other->paused);
  CHECK_FALSE(greedy->paused);
  CHECK(bench.answers(*greedy, "PING") == "+PONG\r\n");
}

TEST_CASE("row 6: who begins a request and does not go on is cut off in time, who idles is not") {
  RespBench bench;
  const auto idle = bench.connects();
  const auto sleeper = bench.connects();
  sleeper->says(half_a_request);
  bench.passes_ms(59'000);
  CHECK_FALSE(sleeper->closed);
  sleeper->says("more");
  bench.passes_ms(59'000);
  CHECK_FALSE(sleeper->closed);
  bench.passes_ms(2'000);
  CHECK(sleeper->closed);
  CHECK(bench.rejected(Rejection::slow_sender) == 1);
  bench.passes_ms(1'000'000);
  CHECK(bench.answers(*idle, "EXISTS k") == ":0\r\n");
}

TEST_CASE(
    "row 19: who stops writing gets the answers to what was whole, and nothing else happens") {
  RespBench bench;
  const auto leaver = bench.connects();
  leaver->says("SET a 1\r\n" + std::string(half_a_request));
  leaver->handler->ended();
  bench.tick();
  CHECK(leaver->sent == "+OK\r\n");
  CHECK(leaver->closed);
  const auto other = bench.connects();
  CHECK(bench.answers(*other, "EXISTS a k") == ":1\r\n");
}

TEST_CASE("row 21: a connection that breaks in the middle of a value leaves nothing behind") {
  RespBench bench;
  const auto other = bench.connects();
  const auto breaks = bench.connects();
  breaks->says("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$8000000\r\n" + std::string(7'000'000, 'v'));
  CHECK(bench.counters.resp_buffered_bytes >= 7'000'000);
  breaks->handler->broken();
  bench.tick();
  CHECK(bench.answers(*other, "EXISTS k") == ":0\r\n");
  bench.passes_ms(1000);
  CHECK(bench.counters.resp_buffered_bytes < 100'000);
  CHECK(bench.counters.resp_clients == 1);
  other->handler->broken();
  CHECK(bench.counters.resp_buffered_bytes == 0);
}

TEST_CASE("row 22: who does not read is cut off alone") {
  RespDoor::Limits limits;
  limits.unsent = 1000;
  RespBench bench(limits);
  const auto deaf = bench.connects();
  const auto other = bench.connects();
  deaf->stuck = true;
  for (int i = 0; i < 200; ++i) {
    deaf->says("PING\r\n");
  }
  CHECK(bench.answers(*other, "PING") == "+PONG\r\n");
  CHECK(deaf->closed);
  CHECK(bench.rejected(Rejection::slow_reader) == 1);
}

TEST_CASE("row 74: when all together hold too much, the largest is cut off") {
  RespDoor::Limits limits;
  limits.held = 1'000'000;
  RespBench bench(limits);
  const auto large = bench.connects();
  const auto small = bench.connects();
  const std::string begun = "*2\r\n$4\r\nECHO\r\n$8000000\r\n";
  large->says(begun + std::string(600'000, 'v'));
  small->says(begun + std::string(100'000, 'v'));
  CHECK_FALSE(large->closed);
  large->says(std::string(600'000, 'v'));
  CHECK(large->closed);
  CHECK_FALSE(small->closed);
  CHECK(bench.rejected(Rejection::memory) == 1);
}

TEST_CASE("row 69: one client too many is told so") {
  RespDoor::Limits limits;
  limits.clients = 2;
  RespBench bench(limits);
  const auto first = bench.connects();
  const auto second = bench.connects();
  const auto third = bench.connects();
  CHECK(third->sent == "-ERR max number of clients reached\r\n");
  CHECK(third->finished);
  CHECK(bench.rejected(Rejection::too_many) == 1);
  CHECK(bench.answers(*first, "PING") == "+PONG\r\n");
}

TEST_CASE("rows 2 to 15: strangers are counted, and the log names them but not what they said") {
  RespBench bench;
  const auto says = [&](std::string_view bytes) {
    const auto stranger = bench.connects();
    stranger->says(bytes);
    bench.tick();
    CHECK((stranger->finished || stranger->closed));
  };
  says("*1\r\n$secret\r\n");
  CHECK(bench.rejected(Rejection::bad_frame) == 1);
  says("POST /secret HTTP/1.1\r\nHost: secret\r\n\r\n");
  says("\x16\x03\x01 secret");
  CHECK(bench.rejected(Rejection::wrong_protocol) == 2);
  const std::string log = bench.log.text();
  CHECK(log.find("192.0.2.1:4711") != std::string::npos);
  CHECK(log.find("secret") == std::string::npos);
}

TEST_CASE("what asks for much and reads nothing is answered tick by tick until it is cut off") {
  RespDoor::Limits limits;
  limits.unsent = 10u << 20;
  RespBench bench(limits);
  const auto other = bench.connects();
  bench.answers(*other, "SETRANGE big 1000000 x");
  const auto deaf = bench.connects();
  deaf->stuck = true;
  std::string requests;
  for (int i = 0; i < 10'000; ++i) {
    requests += "GET big\r\n";
  }
  deaf->says(requests);
  std::uint64_t most = 0;
  for (int ticks = 0; ticks < 100 && !deaf->closed; ++ticks) {
    most = std::max(most, bench.counters.resp_buffered_bytes);
    bench.tick();
  }
  CHECK(deaf->closed);
  CHECK(most < (32u << 20));
  CHECK(bench.rejected(Rejection::slow_reader) == 1);
}

}  // namespace
}  // namespace starling::net
