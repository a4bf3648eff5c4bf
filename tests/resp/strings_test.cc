// Strings and counters, as Redis's clients see them.
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

const std::string no_integer = "-ERR value is not an integer or out of range";

// Found by the differential test: the decrements alone are below what 64 bits hold.
TEST_CASE("a float that follows decrements beyond 64 bits adds to their exact sum") {
  TestServer redis;
  redis.ask("SET n 9223372036854775807");
  CHECK(redis.ask("DECRBY n 2") == "9223372036854775805");
  CHECK(redis.ask("DECRBY n 9223372036854775807") == "-2");
  CHECK(redis.ask("INCRBYFLOAT n 12345.5") == "'12343.5'");
  CHECK(redis.ask("GET n") == "'12343.5'");
}

TEST_CASE("SET obeys NX, XX and GET") {
  TestServer redis;
  CHECK(redis.ask("SET k 1 XX") == "nil");
  CHECK(redis.ask("SET k 1 NX") == "OK");
  CHECK(redis.ask("SET k 2 NX") == "nil");
  CHECK(redis.ask("SET k 2 NX GET") == "'1'");
  CHECK(redis.ask("SET k 3 XX GET") == "'1'");
  CHECK(redis.ask("GET k") == "'3'");
  CHECK(redis.ask("SET k 4 NX XX") == "-ERR syntax error");
  CHECK(redis.ask("SET k 4 EX 0") == "-ERR invalid expire time in 'set' command");
  CHECK(redis.ask("SET k 4 EX x") == no_integer);
  redis.ask("SADD s a");
  CHECK(redis.ask("SET s 1 GET") == wrong_type);
  CHECK(redis.ask("SET s 1") == "OK");  // of any type
  CHECK(redis.ask("TYPE s") == "string");
}

TEST_CASE("SET drops the deadline, unless it is to be kept") {
  TestServer redis;
  redis.ask("SET k v PX 500");
  CHECK(redis.ask("PTTL k") == "500");
  CHECK(redis.ask("SET k w KEEPTTL") == "OK");
  CHECK(redis.ask("PTTL k") == "500");
  CHECK(redis.ask("SET k w") == "OK");
  CHECK(redis.ask("PTTL k") == "-1");
}

// Found by the differential test: the deadline went with the other type.
TEST_CASE("SET keeps the deadline of a key of another type") {
  TestServer redis;
  redis.ask("SADD k a");
  redis.ask("PEXPIRE k 500");
  CHECK(redis.ask("SET k v KEEPTTL") == "OK");
  CHECK(redis.ask("PTTL k") == "500");
}

TEST_CASE("a value born expired is a delete") {
  TestServer redis;
  redis.ask("SET k v");
  CHECK(redis.ask("SET k w PXAT 1000") == "OK");
  CHECK(redis.ask("EXISTS k") == "0");
  CHECK(redis.ask("DBSIZE") == "0");
}

TEST_CASE("an expired value is hidden at once and never mixes with a new one") {
  TestServer redis;
  redis.ask("SET k 5 PX 100");
  redis.ask("INCR k");
  redis.backend.time.unix_ms += 100;  // before anybody has killed it
  CHECK(redis.ask("GET k") == "nil");
  CHECK(redis.ask("INCR k") == "1");
  CHECK(redis.ask("TTL k") == "-1");
}

TEST_CASE("GETEX looks for the key before it looks at the time") {
  TestServer redis;
  CHECK(redis.ask("GETEX k PX 0") == "nil");
  redis.ask("SET k v");
  CHECK(redis.ask("GETEX k PX 0") == "-ERR invalid expire time in 'getex' command");
  CHECK(redis.ask("GETEX k PX 500") == "'v'");
  CHECK(redis.ask("PTTL k") == "500");
  CHECK(redis.ask("GETEX k PERSIST") == "'v'");
  CHECK(redis.ask("PTTL k") == "-1");
}

TEST_CASE("INCR counts a string that holds an integer, and refuses what leaves 64 bits") {
  TestServer redis;
  redis.ask("SET k 9223372036854775806");
  CHECK(redis.ask("INCR k") == "9223372036854775807");
  CHECK(redis.ask("INCR k") == "-ERR increment or decrement would overflow");
  CHECK(redis.ask("GET k") == "'9223372036854775807'");
  CHECK(redis.ask("DECRBY k -9223372036854775808") == "-ERR decrement would overflow");
  CHECK(redis.ask("INCRBY k 9223372036854775808") == no_integer);
  redis.ask("SET t text");
  CHECK(redis.ask("INCR t") == no_integer);
}

TEST_CASE("INCRBYFLOAT adds exactly, and produces neither NaN nor infinity") {
  TestServer redis;
  CHECK(redis.ask("INCRBYFLOAT k 0.1") == "'0.1'");
  CHECK(redis.ask("INCRBYFLOAT k 0.2") == "'0.3'");
  CHECK(redis.ask("INCRBYFLOAT k x") == "-ERR value is not a valid float");
  CHECK(redis.ask("INCRBYFLOAT k inf") == "-ERR increment would produce NaN or Infinity");
  redis.ask("SET p +1");
  CHECK(redis.ask("INCRBYFLOAT p 0.5") == "'1.5'");
  redis.ask("SET big 1e17");
  CHECK(redis.ask("INCRBYFLOAT big 1") == "'100000000000000001'");
}

TEST_CASE("parts of a string are read and written by position") {
  TestServer redis;
  CHECK(redis.ask("APPEND k abc") == "3");
  CHECK(redis.ask("SETRANGE k 5 z") == "6");
  CHECK(redis.raw(words("GET k")) == std::string("$6\r\nabc\0\0z\r\n", 12));
  CHECK(redis.ask("GETRANGE k -1 -1") == "'z'");
  CHECK(redis.ask("GETRANGE k 2 1") == "''");
  CHECK(redis.ask("SETRANGE k -1 x") == "-ERR offset is out of range");
  CHECK(redis.ask("SETRANGE k 536870912 x") ==
        "-ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  CHECK(redis.ask("SETRANGE k 16777216 x").starts_with("-ERR the value would have 16777217 bytes"));
  CHECK(redis.ask({"SETRANGE", "none", "3", ""}) == "0");
  CHECK(redis.ask("EXISTS none") == "0");
}

TEST_CASE("LCS finds the subsequence that Redis finds, and looks at types before options") {
  TestServer redis;
  redis.ask("MSET a ohmytext b mynewtext");
  CHECK(redis.ask("LCS a b") == "'mytext'");
  CHECK(redis.ask("LCS a b LEN") == "6");
  CHECK(redis.ask("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN") ==
        "['matches', [[[4, 7], [5, 8], 4]], 'len', 6]");
  redis.ask("SADD s x");
  CHECK(redis.ask("LCS s s nonsense") == "-ERR The specified keys must contain string values");
}

}  // namespace
}  // namespace starling::test
