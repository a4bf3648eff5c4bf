// Keys, whatever they hold.
#include <set>

#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

TEST_CASE("RENAME and COPY carry every type with its deadline") {
  for (const std::string fill : {"SET k 5", "HSET k f v g w", "SADD k a b", "ZADD k 1 a 2.5 b"}) {
    CAPTURE(fill);
    TestServer redis;
    redis.ask(fill);
    const std::string type = redis.ask("TYPE k");
    redis.ask("PEXPIRE k 500");
    CHECK(redis.ask("COPY k copy") == "1");
    CHECK(redis.ask("COPY k copy") == "0");
    CHECK(redis.ask("COPY k copy REPLACE") == "1");
    CHECK(redis.ask("RENAME k moved") == "OK");
    CHECK(redis.ask("EXISTS k copy moved") == "2");
    for (const std::string name : {"copy", "moved"}) {
      CHECK(redis.ask("TYPE " + name) == type);
      CHECK(redis.ask("PTTL " + name) == "500");
    }
  }
}

TEST_CASE("RENAME says what is missing; databases are apart") {
  TestServer redis;
  CHECK(redis.ask("RENAME none k") == "-ERR no such key");
  redis.ask("SET k v");
  CHECK(redis.ask("RENAME k k") == "OK");
  CHECK(redis.ask("RENAMENX k k") == "0");
  CHECK(redis.ask("COPY k k") == "-ERR source and destination objects are the same");
  CHECK(redis.ask("MOVE k 99") == "-ERR DB index is out of range");
  CHECK(redis.ask("MOVE k 1") == "1");
  CHECK(redis.ask("EXISTS k") == "0");
  redis.ask("SELECT 1");
  CHECK(redis.ask("GET k") == "'v'");
}

TEST_CASE("EXPIRE obeys its conditions") {
  TestServer redis;
  redis.ask("SET k v");
  CHECK(redis.ask("PEXPIRE k 500 XX") == "0");
  CHECK(redis.ask("PEXPIRE k 500 GT") == "0");  // no deadline is the latest
  CHECK(redis.ask("PEXPIRE k 500 LT") == "1");
  CHECK(redis.ask("PEXPIRE k 900 NX") == "0");
  CHECK(redis.ask("PEXPIRE k 900 LT") == "0");
  CHECK(redis.ask("PEXPIRE k 900 GT") == "1");
  CHECK(redis.ask("PTTL k") == "900");
  CHECK(redis.ask("PERSIST k") == "1");
  CHECK(redis.ask("PERSIST k") == "0");
  CHECK(redis.ask("EXPIRE k 1 NX GT") ==
        "-ERR NX and XX, GT or LT options at the same time are not compatible");
  CHECK(redis.ask("EXPIRE k 9223372036854775807") ==
        "-ERR invalid expire time in 'expire' command");
  CHECK(redis.ask("EXPIRE k -1") == "1");
  CHECK(redis.ask("TTL k") == "-2");
}

TEST_CASE("SCAN meets every key once or more, by pattern and by type") {
  TestServer redis;
  std::set<std::string> all;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "k" + std::to_string(i);
    redis.ask((i % 2 == 0 ? "SET " : "SADD ") + key + " v");
    all.insert("'" + key + "'");
  }
  const auto scanned = [&](const std::string& options) {
    std::set<std::string> found;
    std::string cursor = "0";
    do {
      const std::string bytes = redis.raw(words("SCAN " + cursor + options));
      const std::string reply = ReplyReader(bytes).read();  // ['cursor', ['k1', …]]
      cursor = reply.substr(2, reply.find('\'', 2) - 2);
      for (std::size_t at = reply.find("'k"); at != std::string::npos;
           at = reply.find("'k", at + 1)) {
        found.insert(reply.substr(at, reply.find('\'', at + 1) + 1 - at));
      }
    } while (cursor != "0");
    return found;
  };
  CHECK(scanned(" COUNT 7") == all);
  CHECK(scanned(" TYPE set").size() == 100);
  CHECK(scanned(" MATCH k1?").size() == 10);
  CHECK(redis.ask("DBSIZE") == "200");
  CHECK(redis.sorted("KEYS k1?").size() == 10);
  CHECK(redis.ask("FLUSHDB") == "OK");
  CHECK(redis.ask("DBSIZE") == "0");
  CHECK(redis.ask("RANDOMKEY") == "nil");
}

}  // namespace
}  // namespace starling::test
