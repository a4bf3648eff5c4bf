// Commands that take long share the strand: what others see meanwhile, and what they must not see.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "server/resp/session.h"
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

Words with_elements(Words command, int count) {
  for (int i = 0; i < count; ++i) {
    command.push_back("e" + std::to_string(i));
  }
  return command;
}

// One more client of a server.
class Other {
 public:
  explicit Other(TestServer& server)
      : server_(server), session_(server.server, "other", "server") {}

  // The reply, or "waits".
  std::string ask(std::string_view line) {
    session_.received(request(words(line)));
    return answer();
  }
  std::string answer() {
    if (session_.waits()) {
      return "waits";
    }
    const std::string bytes = std::exchange(session_.output(), {});
    return bytes.empty() ? "nothing" : ReplyReader(bytes).read();
  }
  resp::Session& session() { return session_; }

 private:
  TestServer& server_;
  resp::Session session_;
};

// A server on which a set of a hundred elements is large, and a command over it has begun.
struct LargeSet {
  TestServer server;
  Other other{server};

  explicit LargeSet(replica::Config config = {}) : server(std::move(config), in_small_turns()) {
    server.ask(with_elements({"SADD", "large"}, 100));
  }

  void begin(std::string_view line) {
    server.session.received(request(words(line)));
    REQUIRE(server.session.waits());
  }
  void turn() {
    server.backend.end_tick();
    server.server.go_on();
  }
  std::string finish() {
    for (int turns = 0; server.session.waits(); ++turns) {
      REQUIRE(turns < 10'000);
      turn();
    }
    const std::string bytes = std::exchange(server.session.output(), {});
    return ReplyReader(bytes).read();
  }
};

TEST_SUITE("resp: commands that take long") {
  TEST_CASE("others are served between two turns") {
    LargeSet large;
    large.begin("SMEMBERS large");
    int served = 0;
    while (large.server.session.waits()) {
      CHECK(large.other.ask("INCR n") == std::to_string(++served));
      large.turn();
    }
    CHECK(served > 5);
    CHECK(std::ranges::count(large.finish(), ',') == 99);
  }

  TEST_CASE("a reader holds off writers of its key, and of no other") {
    LargeSet large;
    large.begin("SMEMBERS large");
    CHECK(large.other.ask("SISMEMBER large e1") == "1");
    CHECK(large.other.ask("SADD small x") == "1");
    CHECK(large.other.ask("SADD large new") == "waits");
    CHECK(std::ranges::count(large.finish(), ',') == 99);
    large.turn();
    CHECK(large.other.answer() == "1");
    CHECK(large.other.ask("SCARD large") == "101");
  }

  TEST_CASE("a writer holds off readers: nobody sees a half of what it writes") {
    LargeSet large;
    large.begin("SUNIONSTORE copy large none");
    for (int i = 0; i < 20; ++i) {
      large.turn();
    }
    CHECK(large.other.ask("SCARD copy") == "waits");
    CHECK(large.finish() == "100");
    large.turn();
    CHECK(large.other.answer() == "100");
  }

  TEST_CASE("who writes much rests while checkpoints are behind, and nobody else waits for them") {
    replica::Config config;
    config.checkpoint_bytes = 4096;
    LargeSet large(config);
    large.server.backend.hold_checkpoints = true;
    large.begin("SUNIONSTORE copy large none");
    for (int i = 1; i <= 1000; ++i) {
      large.turn();
      CHECK(large.other.ask("INCR n") == std::to_string(i));
    }
    CHECK(large.server.session.waits());
    large.server.backend.hold_checkpoints = false;
    CHECK(large.finish() == "100");
  }

  // In parts, a crash between two of them would lose what it had read.
  TEST_CASE("a target that is read too is written at once") {
    LargeSet large;
    large.server.session.received(request(words("SUNIONSTORE large none large")));
    CHECK(!large.server.session.waits());
    CHECK(large.finish() == "100");
  }

  TEST_CASE("what is flushed waits for what is under way") {
    LargeSet large;
    large.begin("SUNIONSTORE copy large none");
    CHECK(large.other.ask("FLUSHALL") == "waits");
    CHECK(large.finish() == "100");
    large.turn();
    CHECK(large.other.answer() == "OK");
    CHECK(large.server.ask("DBSIZE") == "0");
  }

  TEST_CASE("within MULTI a command is one entry, however long it takes") {
    LargeSet large;
    large.server.ask("MULTI");
    large.server.ask("SUNIONSTORE copy large none");
    large.server.ask("SCARD copy");
    CHECK(large.server.ask("EXEC") == "[100, 100]");
  }

  TEST_CASE("requests behind it are answered in their order") {
    LargeSet large;
    large.server.session.received(request(words("SCARD large")) + request(words("SMEMBERS large")) +
                                  request(words("PING")));
    large.server.session.received(request(words("ECHO last")));
    for (int turns = 0; large.server.session.waits() && turns < 10'000; ++turns) {
      large.turn();
    }
    const std::string bytes = std::exchange(large.server.session.output(), {});
    ReplyReader reader(bytes);
    CHECK(reader.read() == "100");
    CHECK(std::ranges::count(reader.read(), ',') == 99);
    CHECK(reader.read() == "PONG");
    CHECK(reader.read() == "'last'");
    CHECK(reader.done());
  }

  TEST_CASE("a client that goes takes its command with it, and frees the key") {
    LargeSet large;
    {
      Other going(large.server);
      going.session().received(request(words("SMEMBERS large")));
      REQUIRE(going.session().waits());
      large.turn();
      CHECK(large.other.ask("SADD large new") == "waits");
    }
    large.turn();
    CHECK(large.other.answer() == "1");
  }

  TEST_CASE("what expires or is due on a locked key waits") {
    LargeSet large;
    large.server.ask("PEXPIRE large 100");
    large.begin("SMEMBERS large");
    large.turn();
    large.server.backend.pass_ms(5000);
    CHECK(large.server.backend.replica().view(large.server.backend.time).expired_keys == 0);
    CHECK(std::ranges::count(large.finish(), ',') == 99);  // it was there when it was asked
    for (int i = 0; i < 5; ++i) {
      large.server.backend.pass_ms(1000);
    }
    CHECK(large.server.backend.replica().view(large.server.backend.time).expired_keys == 1);
  }

  TEST_CASE("so many run at a time; others wait for their turn to begin") {
    resp::Options options = in_small_turns();
    options.max_long_commands = 1;
    TestServer server({}, options);
    server.ask(with_elements({"SADD", "a"}, 50));
    Other other(server);
    server.session.received(request(words("SMEMBERS a")));
    REQUIRE(server.session.waits());
    CHECK(other.ask("SMEMBERS a") == "waits");
    for (int turns = 0; (server.session.waits() || other.session().waits()) && turns < 10'000;
         ++turns) {
      server.backend.end_tick();
      server.server.go_on();
    }
    CHECK(std::ranges::count(other.answer(), ',') == 49);
  }

  TEST_CASE("no reply is larger than the limit, and what would have answered so has not happened") {
    resp::Options options;
    options.max_reply_bytes = 1000;
    for (const bool in_turns : {false, true}) {
      CAPTURE(in_turns);
      TestServer server({}, in_turns ? in_small_turns(options) : options);
      server.ask(with_elements({"SADD", "s"}, 400));
      CHECK(server.ask("SMEMBERS s") ==
            "-ERR the reply would have more than 1000 bytes; ask for less at a time");
      CHECK(server.ask("PING") == "PONG");
      if (!in_turns) {
        CHECK(server.ask("SPOP s 400").starts_with("-ERR the reply would have more than"));
        CHECK(server.ask("SCARD s") == "400");
      }
    }
  }
}

}  // namespace
}  // namespace starling::test
