// Why a key shows what it shows, and what a session has seen.
#include "server/resp/session_token.h"
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

TEST_CASE("CRDT.WHY tells in sentences who wrote what a key shows") {
  TestServer redis;
  CHECK(redis.ask("CRDT.WHY k") == "nil");
  redis.ask("SET k hello");
  const std::string why = redis.ask("CRDT.WHY k");
  CHECK(why.starts_with("['key', 'k', 'type', 'string', 'sentences', ['"));
  CHECK(why.find("n1") != std::string::npos);
  redis.speak_resp3();
  CHECK(redis.ask("CRDT.WHY k").starts_with("{'key': 'k', 'type': 'string', 'sentences': ['"));
}

TEST_CASE("CRDT.EXPLAIN shows the cells under a key") {
  TestServer redis;
  CHECK(redis.ask("CRDT.EXPLAIN k") == "nil");
  redis.ask("SADD k a b");
  redis.speak_resp3();
  const std::string cells = redis.ask("CRDT.EXPLAIN k");
  CHECK(cells.starts_with("{'key': 'k', 'type': 'set', "));
  CHECK(cells.find("'subkey': 'b'") != std::string::npos);
}

TEST_CASE("a key that has expired has nothing to explain") {
  TestServer redis;
  redis.ask("SET k v PX 100");
  CHECK(redis.ask("CRDT.WHY k") != "nil");
  redis.backend.pass_ms(100);
  CHECK(redis.ask("CRDT.WHY k") == "nil");
  CHECK(redis.ask("CRDT.EXPLAIN k") == "nil");
}

TEST_CASE("within MULTI they answer as well") {
  TestServer redis;
  redis.ask("SET k v");
  redis.ask("MULTI");
  redis.ask("CRDT.WHY k");
  redis.ask("CRDT.WHY other");
  const std::string both = redis.ask("EXEC");
  CHECK(both.starts_with("[['key', 'k', "));
  CHECK(both.ends_with(", nil]"));
}

TEST_CASE("a token names what its node had applied, and comes back as it was") {
  TestServer redis;
  redis.ask("SET k v");
  const std::string token = redis.ask("SESSION");
  const auto seen = resp::parse_token(token.substr(1, token.size() - 2));
  REQUIRE(seen);
  CHECK(*seen == redis.backend.replica().applied());
  CHECK(redis.ask("SESSION " + token.substr(1, token.size() - 2)) == "OK");
}

TEST_CASE("a node that is behind a token waits for it, but not for ever") {
  TestServer redis;
  VersionVector ahead = redis.backend.replica().applied();
  ahead.advance({Origin{4711, 1}, 1});
  redis.session.received(request({"SESSION", resp::token_text(ahead)}) + request({"PING"}));
  CHECK(redis.session.output().empty());
  redis.backend.pass_ms(4999);
  redis.server.go_on();
  CHECK(redis.session.output().empty());
  redis.backend.pass_ms(1);
  redis.server.go_on();
  const std::string output = std::exchange(redis.session.output(), {});
  CHECK(output.starts_with("-BEHIND this node has not yet applied"));
  CHECK(output.ends_with("+PONG\r\n"));
}

TEST_CASE("what is no token is refused") {
  TestServer redis;
  const std::string token = redis.ask("SESSION");
  const std::string good = token.substr(1, token.size() - 2);
  for (const std::string& bad : {std::string("x"), std::string("zz"), good + "0", good + "00",
                                 good.substr(2), std::string(1 << 20, 'f')}) {
    CHECK(redis.ask({"SESSION", bad}).starts_with("-ERR this is no session token"));
  }
  CHECK(redis.ask("SESSION a b") == "-ERR wrong number of arguments for 'session' command");
}

}  // namespace
}  // namespace starling::test
