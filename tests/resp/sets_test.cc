#include <set>

#include "crdt/cell_key.h"
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

void fill(TestServer& redis, const std::string& key, int size) {
  Words command{"SADD", key};
  for (int i = 0; i < size; ++i) {
    command.push_back("e" + std::to_string(i));
  }
  REQUIRE(redis.ask(command) == std::to_string(size));
}

TEST_CASE("elements are added, found and removed") {
  TestServer redis;
  CHECK(redis.ask("SADD s a b a") == "2");
  CHECK(redis.ask("SADD s b c") == "1");
  CHECK(redis.ask("SCARD s") == "3");
  CHECK(redis.ask("SISMEMBER s a") == "1");
  CHECK(redis.ask("SISMEMBER none a") == "0");
  CHECK(redis.ask("SMISMEMBER s a x c") == "[1, 0, 1]");
  CHECK(redis.sorted("SMEMBERS s") == Words{"'a'", "'b'", "'c'"});
  CHECK(redis.ask("SREM s a x a") == "1");
  CHECK(redis.ask("SREM s b c") == "2");
  CHECK(redis.ask("SMEMBERS s") == "[]");
  CHECK(redis.ask("SET s v") == "OK");
  CHECK(redis.ask("SADD s a") == wrong_type);
}

TEST_CASE("adding what is there is a write all the same: it must win over a concurrent remove") {
  TestServer redis;
  redis.ask("SADD s a");
  const auto before = redis.backend.replica().applied();
  CHECK(redis.ask("SADD s a") == "0");
  CHECK_FALSE(redis.backend.replica().applied().leq(before));
}

TEST_CASE("SMOVE takes from one set and gives to another") {
  TestServer redis;
  redis.ask("SADD a x y");
  redis.ask("SET str v");
  CHECK(redis.ask("SMOVE a b x") == "1");
  CHECK(redis.ask("SMOVE a b x") == "0");
  CHECK(redis.ask("SMOVE a a y") == "1");
  CHECK(redis.ask("SMOVE a a x") == "0");
  CHECK(redis.ask("SMOVE none str x") == "0");
  CHECK(redis.ask("SMOVE a str y") == wrong_type);
  CHECK(redis.ask("SMOVE str a y") == wrong_type);
  CHECK(redis.ask("SMOVE a b y") == "1");
  CHECK(redis.ask("SCARD a") == "0");
  CHECK(redis.sorted("SMEMBERS b") == Words{"'x'", "'y'"});
}

TEST_CASE("set algebra, and its results stored over whatever was there") {
  TestServer redis;
  redis.ask("SADD a 1 2 3 4");
  redis.ask("SADD b 3 4 5");
  redis.ask("SADD c 4 6");
  redis.ask("SET str v");
  CHECK(redis.sorted("SINTER a b") == Words{"'3'", "'4'"});
  CHECK(redis.sorted("SINTER a b c") == Words{"'4'"});
  CHECK(redis.ask("SINTER a none") == "[]");
  CHECK(redis.sorted("SUNION a none b") == Words{"'1'", "'2'", "'3'", "'4'", "'5'"});
  CHECK(redis.sorted("SDIFF a b") == Words{"'1'", "'2'"});
  CHECK(redis.ask("SDIFF none a") == "[]");
  CHECK(redis.ask("SINTERSTORE str a b") == "2");
  CHECK(redis.sorted("SMEMBERS str") == Words{"'3'", "'4'"});
  CHECK(redis.ask("SUNIONSTORE a a c") == "5");
  CHECK(redis.sorted("SMEMBERS a") == Words{"'1'", "'2'", "'3'", "'4'", "'6'"});
  CHECK(redis.ask("SDIFFSTORE a a a") == "0");
  CHECK(redis.ask("SCARD a") == "0");
  CHECK(redis.ask("SET a v") == "OK");
  CHECK(redis.ask("SINTER none a") == wrong_type);
  CHECK(redis.ask("SUNIONSTORE b none a") == wrong_type);
  CHECK(redis.ask("SCARD b") == "3");
}

TEST_CASE("SINTERCARD counts up to its limit and checks its arguments in Redis's order") {
  TestServer redis;
  redis.ask("SADD a 1 2 3");
  redis.ask("SADD b 2 3 4");
  redis.ask("SET str v");
  CHECK(redis.ask("SINTERCARD 2 a b") == "2");
  CHECK(redis.ask("SINTERCARD 2 a b LIMIT 1") == "1");
  CHECK(redis.ask("SINTERCARD 2 a b LIMIT 0") == "2");
  CHECK(redis.ask("SINTERCARD 0 a") == "-ERR numkeys should be greater than 0");
  CHECK(redis.ask("SINTERCARD x a") == "-ERR numkeys should be greater than 0");
  CHECK(redis.ask("SINTERCARD 2 a") == "-ERR Number of keys can't be greater than number of args");
  CHECK(redis.ask("SINTERCARD 1 a LIMIT") == "-ERR syntax error");
  CHECK(redis.ask("SINTERCARD 1 a LIMIT -1") == "-ERR LIMIT can't be negative");
  CHECK(redis.ask("SINTERCARD 1 str LIMIT x") == "-ERR LIMIT can't be negative");
  CHECK(redis.ask("SINTERCARD 2 none str") == wrong_type);
}

TEST_CASE("SPOP takes elements away, each one once") {
  TestServer redis;
  fill(redis, "s", 300);
  std::set<std::string> popped;
  for (int i = 0; i < 100; ++i) {
    CHECK(popped.insert(redis.ask("SPOP s")).second);
  }
  for (const std::string& name : redis.sorted("SPOP s 20")) {
    CHECK(popped.insert(name).second);
  }
  CHECK(redis.ask("SCARD s") == "180");
  for (const std::string& name : redis.sorted("SPOP s 150")) {
    CHECK(popped.insert(name).second);
  }
  CHECK(redis.ask("SCARD s") == "30");
  for (const std::string& name : redis.sorted("SPOP s 9223372036854775807")) {
    CHECK(popped.insert(name).second);
  }
  CHECK(popped.size() == 300);
  CHECK(redis.ask("SCARD s") == "0");
  CHECK(redis.ask("SPOP s") == "nil");
  CHECK(redis.ask("SPOP s 5") == "[]");
  redis.ask("SET str v");
  CHECK(redis.ask("SPOP str -1") == "-ERR value is out of range, must be positive");
  CHECK(redis.ask("SPOP str x") == "-ERR value is out of range, must be positive");
  CHECK(redis.ask("SPOP str 1 2") == "-ERR syntax error");
  CHECK(redis.ask("SPOP str 0") == wrong_type);
}

TEST_CASE("SRANDMEMBER: one, different ones, repetitions") {
  TestServer redis;
  fill(redis, "s", 500);
  CHECK(redis.ask("SRANDMEMBER none") == "nil");
  CHECK(redis.ask("SRANDMEMBER none 3") == "[]");
  for (const int count : {1, 10, 100, 499, 500, 1000}) {
    const auto chosen = redis.sorted("SRANDMEMBER s " + std::to_string(count));
    CHECK(chosen.size() == static_cast<std::size_t>(std::min(count, 500)));
    CHECK(std::set(chosen.begin(), chosen.end()).size() == chosen.size());
    CHECK(redis.sorted("SRANDMEMBER s -" + std::to_string(count)).size() ==
          static_cast<std::size_t>(count));
  }
  redis.ask("SET str v");
  CHECK(redis.ask("SRANDMEMBER str 1 2") == "-ERR syntax error");
  CHECK(redis.ask("SRANDMEMBER str x") == "-ERR value is not an integer or out of range");
  CHECK(redis.ask("SRANDMEMBER str 0") == wrong_type);
  CHECK(redis.ask("SRANDMEMBER s -9223372036854775808").starts_with("-ERR value is out of range"));
  CHECK(redis.ask("SRANDMEMBER s -9223372036854775807") == "-ERR value is out of range");
  // A reply that no memory could hold, although the set and the count are small.
  const std::string long_name((64u << 10) - 1, 'x');
  redis.ask({"SADD", "long", long_name});
  CHECK(redis.ask("SRANDMEMBER long -1000000") == "-ERR value is out of range");
}

TEST_CASE("elements that share a place are met together, and chosen") {
  TestServer redis;
  fill(redis, "s", 100);
  // Most of the set in one window: chance alone would seldom meet an element.
  Words crowd{"SADD", "crowd"};
  for (int i = 0; crowd.size() < 102; ++i) {
    const std::string name = "e" + std::to_string(i);
    if (place_of(name) < 1u << 24) {
      crowd.push_back(name);
    }
  }
  redis.ask(crowd);
  std::set<std::string> chosen;
  for (int i = 0; i < 2000; ++i) {
    chosen.insert(redis.ask("SRANDMEMBER crowd"));
  }
  CHECK(chosen.size() > 20);
  std::set<std::string> met;
  std::string cursor = "0";
  do {
    const std::string bytes = redis.raw({"SSCAN", "crowd", cursor, "COUNT", "7"});
    const auto page = ReplyReader(bytes).read_parts();
    cursor = page[0].substr(1, page[0].size() - 2);
    const std::string elements = bytes.substr(bytes.find("\r\n*") + 2);
    for (const std::string& name : ReplyReader(elements).read_parts()) {
      CHECK(met.insert(name).second);
    }
  } while (cursor != "0");
  CHECK(met.size() == 100);
}

TEST_CASE("in RESP3 sets are sets") {
  TestServer redis;
  redis.ask("SADD s a");
  redis.speak_resp3();
  CHECK(redis.ask("SMEMBERS s") == "<'a'>");
  CHECK(redis.ask("SUNION s s") == "<'a'>");
  CHECK(redis.ask("SRANDMEMBER s 1") == "['a']");
  CHECK(redis.ask("SPOP s 1") == "<'a'>");
  CHECK(redis.ask("SPOP s 1") == "<>");
}

}  // namespace
}  // namespace starling::test
