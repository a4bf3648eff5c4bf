// The hash commands, and with them what all collections share: walks, cursors, fair choices.
#include <cmath>
#include <map>
#include <set>

#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

TEST_CASE("fields are set, read and removed") {
  TestServer redis;
  CHECK(redis.ask("HSET h a 1 b 2") == "2");
  CHECK(redis.ask("HSET h b 3 c 4 c 5") == "1");
  CHECK(redis.ask("HGET h c") == "'5'");
  CHECK(redis.ask("HGET h none") == "nil");
  CHECK(redis.ask("HMGET h a none b") == "['1', nil, '3']");
  CHECK(redis.ask("HLEN h") == "3");
  CHECK(redis.ask("HEXISTS h a") == "1");
  CHECK(redis.ask("HEXISTS h none") == "0");
  CHECK(redis.ask("HSTRLEN h a") == "1");
  CHECK(redis.ask("HSETNX h a 9") == "0");
  CHECK(redis.ask("HSETNX h d 9") == "1");
  CHECK(redis.ask("HMSET h e 1") == "OK");
  CHECK(redis.ask("HDEL h a a none d e") == "3");
  CHECK(redis.sorted("HGETALL h") == Words{"'3'", "'5'", "'b'", "'c'"});
  CHECK(redis.sorted("HKEYS h") == Words{"'b'", "'c'"});
  CHECK(redis.sorted("HVALS h") == Words{"'3'", "'5'"});
  CHECK(redis.ask("HDEL h b c") == "2");
  CHECK(redis.ask("HGETALL h") == "[]");
  CHECK(redis.ask("SET h x") == "OK");  // nothing of the hash is left
  CHECK(redis.ask("HGET h b") == wrong_type);
}

TEST_CASE("counters in fields add up, whatever was set before") {
  TestServer redis;
  CHECK(redis.ask("HINCRBY h n 5") == "5");
  CHECK(redis.ask("HINCRBY h n -7") == "-2");
  CHECK(redis.ask("HSET h n 10") == "0");
  CHECK(redis.ask("HINCRBY h n 1") == "11");
  CHECK(redis.ask("HINCRBYFLOAT h n 0.5") == "'11.5'");
  CHECK(redis.ask("HINCRBY h n 1") == "-ERR hash value is not an integer");
  CHECK(redis.ask("HINCRBYFLOAT h f 0.1") == "'0.1'");
  CHECK(redis.ask("HINCRBYFLOAT h f 0.2") == "'0.3'");
  CHECK(redis.sorted("HKEYS h") == Words{"'f'", "'n'"});
  CHECK(redis.ask("HLEN h") == "2");
  CHECK(redis.sorted("HGETALL h") == Words{"'0.3'", "'11.5'", "'f'", "'n'"});
  CHECK(redis.ask("HDEL h f n") == "2");
  CHECK(redis.ask("HLEN h") == "0");
}

TEST_CASE("a hash command says what is wrong in Redis's words and order, and changes nothing") {
  TestServer redis;
  redis.ask("SET s v");
  redis.ask("HSET h t text m 9223372036854775807 d 1e308");
  CHECK(redis.ask("HSET s a") == "-ERR wrong number of arguments for 'hset' command");
  CHECK(redis.ask("HMSET h a 1 b") == "-ERR wrong number of arguments for 'hmset' command");
  for (const char* line : {"HGET s a", "HMGET s a", "HSET s a 1", "HSETNX s a 1", "HGETALL s",
                           "HDEL s a", "HLEN s", "HINCRBY s a 1", "HINCRBYFLOAT s a 1", "HKEYS s",
                           "HVALS s", "HSTRLEN s a", "HEXISTS s a", "HRANDFIELD s", "HSCAN s 0"}) {
    CAPTURE(line);
    CHECK(redis.ask(line) == wrong_type);
  }
  CHECK(redis.ask("HINCRBY s a x") == "-ERR value is not an integer or out of range");
  CHECK(redis.ask("HINCRBYFLOAT s a x") == "-ERR value is not a valid float");
  CHECK(redis.ask("HINCRBY h t 1") == "-ERR hash value is not an integer");
  CHECK(redis.ask("HINCRBYFLOAT h t 1") == "-ERR hash value is not a float");
  // CVE-2023-28856: an increment that ends in infinity once made the key unreadable.
  CHECK(redis.ask("HINCRBY h m 1") == "-ERR increment or decrement would overflow");
  CHECK(redis.ask("HINCRBYFLOAT h d inf") == "-ERR value is NaN or Infinity");
  CHECK(redis.ask("HINCRBYFLOAT h d 1e400") == "-ERR value is not a valid float");
  CHECK(redis.ask("HINCRBYFLOAT h d nan") == "-ERR value is not a valid float");
  CHECK(redis.ask("HINCRBYFLOAT h d 1.79e308") == "-ERR increment would produce NaN or Infinity");
  CHECK(redis.ask("HMGET h t m d") == "['text', '9223372036854775807', '1e308']");
  CHECK(redis.ask({"HSET", "h", std::string((1u << 20) + 1, 'f'), "1"})
            .starts_with("-ERR an element or field has 1048577"));
  CHECK(redis.ask("HLEN h") == "3");
}

TEST_CASE("a cursor meets every field that is there all the time, whatever comes and goes") {
  TestServer redis;
  std::set<std::string> lasting;
  for (int i = 0; i < 1000; ++i) {
    redis.ask("HSET h lasting" + std::to_string(i) + " v");
    redis.ask("HSET h going" + std::to_string(i) + " v");
    redis.ask("HINCRBY h counted" + std::to_string(i) + " 1");
    lasting.insert("'lasting" + std::to_string(i) + "'");
    lasting.insert("'counted" + std::to_string(i) + "'");
  }
  std::string cursor = "0";
  std::set<std::string> met;
  int pages = 0;
  do {
    const std::string bytes = redis.raw({"HSCAN", "h", cursor, "COUNT", "20"});
    const auto page = ReplyReader(bytes).read_parts();
    cursor = page[0].substr(1, page[0].size() - 2);
    const std::string pairs = bytes.substr(bytes.find("\r\n*") + 2);
    std::vector<std::string> words;
    for (ReplyReader reader(pairs); words.empty();) {
      words = reader.read_parts();
    }
    CHECK(words.size() >= 2 * (cursor == "0" ? 0 : 20));
    CHECK(words.size() <= 2 * 60);
    for (std::size_t i = 0; i < words.size(); i += 2) {
      CHECK(met.insert(words[i]).second);
      CHECK(words[i + 1] == (words[i].starts_with("'counted") ? "'1'" : "'v'"));
    }
    redis.ask("HDEL h going" + std::to_string(pages));
    redis.ask("HSET h new" + std::to_string(pages) + " v");
    ++pages;
  } while (cursor != "0" && pages < 1000);
  CHECK(cursor == "0");
  CHECK(std::ranges::includes(met, lasting));
}

TEST_CASE("HSCAN takes Redis's options and nothing else") {
  TestServer redis;
  redis.ask("HSET h apple 1 bread 2");
  redis.ask("SET s v");
  CHECK(redis.ask("HSCAN h 0 MATCH a*") == "['0', ['apple', '1']]");
  CHECK(redis.ask("HSCAN h 0 match * count 1 COUNT 100 MATCH b*") == "['0', ['bread', '2']]");
  CHECK(redis.ask("HSCAN none 0 FOO") == "['0', []]");
  CHECK(redis.ask("HSCAN h 18446744073709551615") == "['0', []]");
  CHECK(redis.ask("HSCAN s x") == "-ERR invalid cursor");
  CHECK(redis.ask("HSCAN s 0 COUNT x") == wrong_type);
  CHECK(redis.ask("HSCAN h 18446744073709551616") == "-ERR invalid cursor");
  CHECK(redis.ask("HSCAN h 0 COUNT 0") == "-ERR syntax error");
  CHECK(redis.ask("HSCAN h 0 COUNT") == "-ERR syntax error");
  CHECK(redis.ask("HSCAN h 0 TYPE x") == "-ERR syntax error");
  CHECK(redis.ask("HSCAN h 0 COUNT x") == "-ERR value is not an integer or out of range");
  CHECK(redis.ask({"HSCAN", "h", "0", "MATCH", std::string(100'000, '[')})
            .starts_with("-ERR the pattern has 100000 bytes"));
}

TEST_CASE("HRANDFIELD knows different fields, repetitions and values") {
  TestServer redis;
  redis.ask("HSET h a 1 b 2");
  redis.ask("HINCRBY h c 3");
  redis.ask("SET s v");
  CHECK(redis.ask("HRANDFIELD none") == "nil");
  CHECK(redis.ask("HRANDFIELD none -5") == "[]");
  CHECK(redis.ask("HRANDFIELD h 0") == "[]");
  CHECK(redis.sorted("HRANDFIELD h 10") == Words{"'a'", "'b'", "'c'"});
  CHECK(redis.sorted("HRANDFIELD h 3 WITHVALUES") ==
        Words{"'1'", "'2'", "'3'", "'a'", "'b'", "'c'"});
  CHECK(redis.sorted("HRANDFIELD h -20").size() == 20);
  CHECK(redis.sorted("HRANDFIELD h -20 WITHVALUES").size() == 40);
  CHECK(redis.ask("HRANDFIELD s x") == "-ERR value is not an integer or out of range");
  CHECK(redis.ask("HRANDFIELD s 1 foo") == "-ERR syntax error");
  CHECK(redis.ask("HRANDFIELD s 1 withvalues x") == "-ERR syntax error");
  CHECK(redis.ask("HRANDFIELD s 1") == wrong_type);
  // CVE-2023-22458, CVE-2023-25155.
  CHECK(redis.ask("HRANDFIELD h -9223372036854775808").starts_with("-ERR value is out of range"));
  CHECK(redis.ask("HRANDFIELD h -4611686018427387904").starts_with("-ERR value is out of range"));
  CHECK(redis.ask("HRANDFIELD h 4611686018427387904 WITHVALUES") == "-ERR value is out of range");
  redis.speak_resp3();
  CHECK(redis.ask("HGETALL h").starts_with("{"));
  CHECK(redis.sorted("HRANDFIELD h 3 WITHVALUES") ==
        Words{"['a', '1']", "['b', '2']", "['c', '3']"});
}

TEST_CASE("every field is as likely to be chosen as every other") {
  TestServer redis;
  constexpr int fields = 200;
  for (int i = 0; i < fields; ++i) {
    redis.ask((i % 4 == 0 ? "HINCRBY h f" : "HSET h f") + std::to_string(i) + " 1");
  }
  for (int i = 0; i < 50; ++i) {
    redis.ask("HINCRBY h f" + std::to_string(i) + " 1");  // some have both halves
  }
  std::map<std::string, int> chosen;
  constexpr int expected = 200;  // times each
  constexpr int rounds = expected * fields;
  for (int i = 0; i < rounds / 5; ++i) {
    for (const std::string& name : redis.sorted("HRANDFIELD h -5")) {
      ++chosen[name];
    }
  }
  CHECK(chosen.size() == fields);
  double chi_square = 0;
  for (const auto& [name, times] : chosen) {
    chi_square += std::pow(times - expected, 2) / expected;
  }
  // Mean 199, deviation 20.
  CHECK(chi_square > 100);
  CHECK(chi_square < 300);
}

TEST_CASE("within MULTI a hash shows what the transaction has done to it") {
  TestServer redis;
  redis.ask("HSET h a 1 b 2");
  redis.ask("MULTI");
  for (const char* line :
       {"HDEL h a", "HSET h c 3", "HINCRBY h d 4", "HKEYS h", "HLEN h", "HSCAN h 0 MATCH [ac]",
        "HDEL h b c d", "HGETALL h", "HSET h z 1", "HGETALL h"}) {
    CHECK(redis.ask(line) == "QUEUED");
  }
  const std::string bytes = redis.raw({"EXEC"});
  const auto replies = ReplyReader(bytes).read_parts();
  CHECK(replies[4] == "3");
  CHECK(replies[5] == "['0', ['c', '3']]");
  CHECK(replies[6] == "3");
  CHECK(replies[7] == "[]");
  CHECK(replies[9] == "['z', '1']");
}

}  // namespace
}  // namespace starling::test
