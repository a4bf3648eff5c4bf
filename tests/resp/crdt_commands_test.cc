// Why a key shows what it shows, and what a session has seen.
#include "server/resp/session_token.h"
#include "tests/resp/test_server.h"
#include "tests/server/replica/test_group.h"

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

TEST_CASE("CRDT.WHY tells what was added as one number, a float or not") {
  TestServer redis;
  redis.ask("SET n 1");
  redis.ask("INCRBY n 41");
  CHECK(redis.ask("CRDT.WHY n").find("n1 added 41 to it") != std::string::npos);
  redis.ask("INCRBYFLOAT n 0.5");
  CHECK(redis.ask("CRDT.WHY n").find("n1 added 41.5 to it") != std::string::npos);
  redis.ask("ZADD z 1 m");
  redis.ask("ZINCRBY z 0.25 m");
  redis.ask("ZINCRBY z 2 m");
  const std::string why = redis.ask("CRDT.WHY z");
  CHECK_MESSAGE(why.find("n1 added 2.25 to member") != std::string::npos, why);
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

// Of two nodes that wrote while they were apart: k three times, h once.
void prepare_conflicts(MemoryStore& store) {
  TestGroup a(1);
  TestGroup b(2);
  for (const char* word : {"one", "two", "three"}) {
    a.run(test::set("k", std::string(word) + " of a"));
    b.now_ms += 10;
    b.run(test::set("k", std::string(word) + " of b"));
    a.pull_from(b);
    b.pull_from(a);
  }
  a.run(hash_set("h", {"f", "of a"}));
  b.now_ms += 10;
  b.run(hash_set("h", {"f", "of b"}));
  a.pull_from(b);
  for (std::uint64_t at = 1; at <= a.store().bounds().last; ++at) {
    REQUIRE(store.append(at, **a.store().read_record(at)));
  }
  REQUIRE(store.sync());
}

TEST_CASE("CRDT.CONFLICTS lists what lost, newest first") {
  TestServer redis({}, usual_options(), prepare_conflicts);
  const std::string all = redis.ask("CRDT.CONFLICTS");
  CHECK(
      all.starts_with("['conflicts', [['key', 'h', 'db', 0, 'type', 'hash', 'field', 'f', 'kind', "
                      "'overwritten', 'lost', ['value', 'of a', 'bytes', 4, 'node', 'node 1', "));
  CHECK(all.find("'three of a'") < all.find("'two of a'"));
  CHECK(all.find("'two of a'") < all.find("'one of a'"));
  CHECK(all.find("'won', ['value', 'one of b', ") != std::string::npos);
  CHECK(all.find("neither write had seen the other, and the later clock is read.'") !=
        std::string::npos);
  redis.speak_resp3();
  CHECK(redis.ask("CRDT.CONFLICTS COUNT 1")
            .starts_with("{'conflicts': [{'key': 'h', 'db': 0, 'type': 'hash', "));
}

TEST_CASE("CRDT.CONFLICTS of one key, or of the last few") {
  TestServer redis({}, usual_options(), prepare_conflicts);
  const auto lines = [&](std::string_view command) {
    const std::string bytes = redis.raw(words(command));
    const std::string text = ReplyReader(bytes).read_parts().at(1);
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("'sentence'", at)) != std::string::npos; ++at) {
      ++count;
    }
    return count;
  };
  CHECK(lines("CRDT.CONFLICTS") == 4);
  CHECK(lines("crdt.conflicts count 2") == 2);
  CHECK(lines("CRDT.CONFLICTS KEY k") == 3);
  CHECK(lines("CRDT.CONFLICTS COUNT 2 KEY k") == 2);
  CHECK(lines("CRDT.CONFLICTS KEY h COUNT 9") == 1);
  CHECK(lines("CRDT.CONFLICTS KEY other") == 0);
  redis.ask("SELECT 1");
  CHECK(lines("CRDT.CONFLICTS KEY k") == 0);  // a key of this database
  CHECK(lines("CRDT.CONFLICTS") == 4);
}

TEST_CASE("CRDT.CONFLICTS says how many lines had to go, and up to when") {
  replica::Config config;
  config.conflict_lines = 3;
  TestServer redis(config, usual_options(), prepare_conflicts);
  const std::string all = redis.ask("CRDT.CONFLICTS");
  CHECK(all.find("'one of a'") == std::string::npos);
  CHECK(all.find("], 'kept', 3, 'dropped', 1, 'dropped_up_to', '") != std::string::npos);
}

TEST_CASE("a node without conflicts has none, and mistakes are named") {
  TestServer redis;
  CHECK(redis.ask("CRDT.CONFLICTS") ==
        "['conflicts', [], 'kept', 0, 'dropped', 0, 'dropped_up_to', nil]");
  CHECK(redis.ask("CRDT.CONFLICTS COUNT") == "-ERR syntax error");
  CHECK(redis.ask("CRDT.CONFLICTS LIMIT 1") == "-ERR syntax error");
  CHECK(redis.ask("CRDT.CONFLICTS COUNT 0") == "-ERR COUNT must be above 0");
  CHECK(redis.ask("CRDT.CONFLICTS COUNT x") == "-ERR value is not an integer or out of range");
}

TEST_CASE("CRDT.WHY names losers that have been replaced since, INFO counts them") {
  TestServer redis({}, usual_options(), prepare_conflicts);
  redis.ask("SET k all-seen");
  const std::string why = redis.ask("CRDT.WHY k");
  CHECK(why.find("Earlier: In \"k\", \"three of a\" by node 1 at ") != std::string::npos);
  CHECK(why.find(" lost to \"three of b\" by node 2 at ") != std::string::npos);
  const std::string info = redis.ask("INFO crdt");
  CHECK(info.find("\r\nconflicts:4\r\nconflicts_dropped:0\r\n") != std::string::npos);
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
