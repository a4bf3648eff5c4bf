// MULTI, EXEC and WATCH.
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

// Another client of the same server.
void by_another(TestServer& redis, std::string_view line) {
  resp::Session other(redis.server, "another", "server");
  other.received(request(words(line)));
  redis.backend.end_tick();
  (void)redis.server.take_outspoken();
}

TEST_CASE("EXEC answers every command, and one that fails leaves the others") {
  TestServer redis;
  CHECK(redis.ask("MULTI") == "OK");
  CHECK(redis.ask("SET k text") == "QUEUED");
  CHECK(redis.ask("INCR k") == "QUEUED");
  CHECK(redis.ask("SADD s a") == "QUEUED");
  CHECK(redis.ask("EXEC") == "[OK, -ERR value is not an integer or out of range, 1]");
  CHECK(redis.ask("GET k") == "'text'");
}

TEST_CASE("nothing runs of a transaction in which a command was wrong") {
  TestServer redis;
  redis.ask("MULTI");
  redis.ask("SET k v");
  CHECK(redis.ask("NOPE") == "-ERR unknown command 'NOPE', with args beginning with: ");
  CHECK(redis.ask("EXEC") == "-EXECABORT Transaction discarded because of previous errors.");
  CHECK(redis.ask("EXISTS k") == "0");
  CHECK(redis.ask("EXEC") == "-ERR EXEC without MULTI");
  redis.ask("MULTI");
  CHECK(
      redis.ask("EXEC x") ==
      "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command");
  CHECK(redis.ask("DISCARD") == "-ERR DISCARD without MULTI");
}

TEST_CASE("WATCH stops EXEC after a write of somebody else, or an expiry") {
  TestServer redis;
  redis.ask("SET k 1 PX 1000");
  redis.ask("WATCH k");
  by_another(redis, "INCR k");
  redis.ask("MULTI");
  redis.ask("SET k mine");
  CHECK(redis.ask("EXEC") == "nil");
  CHECK(redis.ask("GET k") == "'2'");
  redis.ask("WATCH k");
  redis.backend.time.unix_ms += 1000;
  redis.ask("MULTI");
  redis.ask("SET k mine");
  CHECK(redis.ask("EXEC") == "nil");
}

TEST_CASE("WATCH lets EXEC through after UNWATCH, and after writes to other keys") {
  TestServer redis;
  redis.ask("WATCH k");
  by_another(redis, "SET other v");
  redis.ask("MULTI");
  redis.ask("GET other");
  CHECK(redis.ask("EXEC") == "['v']");
  redis.ask("WATCH k");
  by_another(redis, "SET k v");
  redis.ask("UNWATCH");
  redis.ask("MULTI");
  redis.ask("GET k");
  CHECK(redis.ask("EXEC") == "['v']");
}

// Found by the differential test: such an add is a write to other nodes, but none to a reader.
TEST_CASE("an add of what is there already does not count for WATCH") {
  TestServer redis;
  redis.ask("SADD s a");
  redis.ask("ZADD z 1 a");
  redis.ask("WATCH s z");
  by_another(redis, "SADD s a");
  by_another(redis, "ZADD z 1 a");
  redis.ask("MULTI");
  CHECK(redis.ask("PING") == "QUEUED");
  CHECK(redis.ask("EXEC") == "[PONG]");
  redis.ask("WATCH s z");
  by_another(redis, "ZADD z 2 a");
  redis.ask("MULTI");
  CHECK(redis.ask("EXEC") == "nil");
}

}  // namespace
}  // namespace starling::test
