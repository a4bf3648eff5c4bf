// Bad and abusive input at the RESP door, row by row of docs/bad-inputs.md: what must be answered,
// and that whoever sends it changes nothing and harms nobody else.
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

std::string times(std::size_t count, std::string_view text) {
  std::string all;
  for (; count > 0; --count) {
    all += text;
  }
  return all;
}

// One client that sends bytes, and a second one that must not notice.
struct Line {
  explicit Line(const resp::Options& options = {}) : redis({}, options) {}

  std::string says(std::string_view bytes, std::size_t piece = std::string::npos) {
    while (!bytes.empty()) {
      redis.session.received(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    for (int ticks = 0; ticks < 10'000 && redis.session.waits(); ++ticks) {
      redis.backend.end_tick();
      redis.server.go_on();
    }
    redis.backend.end_tick();
    (void)redis.server.take_outspoken();
    return std::exchange(redis.session.output(), {});
  }
  // What one more client is answered.
  std::string other(std::string_view bytes) {
    resp::Session session(redis.server, "other", "server");
    session.received(bytes);
    redis.backend.end_tick();
    (void)redis.server.take_outspoken();
    return std::exchange(session.output(), {});
  }
  [[nodiscard]] bool closed() const { return redis.session.closing(); }
  [[nodiscard]] bool holds_little() const { return redis.session.held() < (1u << 20); }

  TestServer redis;
};

// Answered with this error, closed, nobody else hurt.
void check_breaks(std::string_view bytes, std::string_view error) {
  Line line;
  CAPTURE(bytes.substr(0, 40));
  CHECK(line.says(std::string(bytes) + "*1\r\n$4\r\nPING\r\n") ==
        "-" + std::string(error) + "\r\n");
  CHECK(line.closed());
  CHECK(line.redis.session.offence() == resp::Session::Offence::not_the_protocol);
  CHECK(line.other("PING\r\n") == "+PONG\r\n");
}

// ---------------------------------------------------------------- A: framing

TEST_CASE("row 1: empty requests are ignored silently") {
  Line line;
  CHECK(line.says("*-1\r\n*-10\r\n*0\r\n*1\r\n$4\r\nPING\r\n") == "+PONG\r\n");
}

TEST_CASE("rows 2, 3, 5, 7, 11, 13: broken framing is named in Redis's words, and closes") {
  const std::string count = "ERR Protocol error: invalid multibulk length";
  for (const char* bytes : {"*abc\r\n", "* 1\r\n", "*+1\r\n", "*2147483648\r\n",
                            "*9223372036854775807\r\n", "*9223372036854775808\r\n"}) {
    check_breaks(bytes, count);
  }
  const std::string length = "ERR Protocol error: invalid bulk length";
  for (const char* bytes : {"*1\r\n$-1\r\n", "*1\r\n$abc\r\n", "*1\r\n$536870913\r\n",
                            "*1\r\n$18446744073709551616\r\n"}) {
    check_breaks(bytes, length);
  }
  check_breaks("*1\r\nx4\r\nPING\r\n", "ERR Protocol error: expected '$', got 'x'");
  check_breaks(times(1000, "*1\r\n"), "ERR Protocol error: expected '$', got '*'");
  check_breaks("ECHO \"a\r\n", "ERR Protocol error: unbalanced quotes in request");
  check_breaks("*" + std::string(70'000, '1'), "ERR Protocol error: too big mbulk count string");
  check_breaks("*1\r\n$" + std::string(70'000, '1'),
               "ERR Protocol error: too big bulk count string");
  check_breaks(std::string(70'000, 'a'), "ERR Protocol error: too big inline request");
}

TEST_CASE("row 6: a length that is only announced takes no memory") {
  Line line;
  CHECK(line.says("*2\r\n$4\r\nECHO\r\n$536870912\r\n").empty());
  CHECK(line.holds_little());
  CHECK(line.says("*1048576\r\n").empty());
  CHECK(line.holds_little());
}

TEST_CASE("row 9: an array with LF alone is never whole") {
  Line line;
  CHECK(line.says("*1\n$4\nPING\n").empty());
  CHECK_FALSE(line.closed());
}

TEST_CASE("row 10: inline requests, blank lines among them") {
  Line line;
  CHECK(line.says("\r\n\n   \nPING\nPING\r\n") == "+PONG\r\n+PONG\r\n");
}

TEST_CASE("row 15: HTTP ends the connection before a later line runs") {
  for (const char* first : {"GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", ""}) {
    Line line;
    const std::string said = line.says(std::string(first) + "Host: x\r\n\r\nSET k v\r\n");
    CAPTURE(said);
    CHECK(line.closed());
    CHECK(line.redis.session.offence() == resp::Session::Offence::http);
    CHECK(said.find("+OK") == std::string::npos);
    CHECK(line.other("EXISTS k\r\n") == ":0\r\n");
  }
}

TEST_CASE("row 15: TLS is seen at once, instead of both sides waiting for each other") {
  Line line;
  CHECK(line.says(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)).empty());
  CHECK(line.closed());
  CHECK(line.redis.session.offence() == resp::Session::Offence::tls);
}

TEST_CASE("row 17: reply types sent as requests are unknown commands") {
  Line line;
  for (const char* bytes :
       {"+OK", "-ERR", "%1", "_", ",1.5", "(123", "=", "~", ">", "|", ":1", "$3"}) {
    CAPTURE(bytes);
    CHECK(line.says(std::string(bytes) + "\r\n") ==
          "-ERR unknown command '" + std::string(bytes) + "', with args beginning with: \r\n");
  }
}

TEST_CASE("row 18: a request split anywhere is answered as if it came in one piece") {
  const std::string script =
      request({"SET", "k", "v\r\n$1\r\n"}) + request({"GET", "k"}) + "INCR n\r\n" +
      request({"HELLO", "3"}) + request({"HSET", "h", "f", "1"}) + request({"HGETALL", "h"}) +
      "ECHO \"a b\"\r\n*0\r\n" + request({"MULTI"}) + request({"INCR", "n"}) + request({"EXEC"}) +
      request({"NOSUCH", "x"}) + request({"PING"});
  const std::string whole = Line().says(script);
  CHECK(Line().says(script, 1) == whole);
  for (std::size_t at = 1; at < script.size(); ++at) {
    Line line;
    std::string said = line.says(std::string_view(script).substr(0, at));
    said += line.says(std::string_view(script).substr(at));
    REQUIRE_MESSAGE(said == whole, "split at ", at);
  }
}

TEST_CASE(
    "row 22: replies that nobody takes yet fill the tick, and the rest of the pipeline waits") {
  Line line;
  line.says(request({"SET", "big", std::string(1u << 20, 'b')}));
  line.redis.session.received(times(1000, "GET big\r\n"));
  CHECK(line.redis.session.waits());
  CHECK(line.redis.session.output().size() < (3u << 20));
  std::size_t answered = 0;
  for (int ticks = 0; ticks < 2000 && line.redis.session.waits(); ++ticks) {
    answered += std::exchange(line.redis.session.output(), {}).size();
    line.redis.backend.end_tick();
    line.redis.server.go_on();
  }
  answered += line.redis.session.output().size();
  CHECK(answered == 1000 * (std::string("$1048576\r\n\r\n").size() + (1u << 20)));
}

TEST_CASE("row 23: in a long pipeline of good and bad commands every reply has its place") {
  Line line;
  std::string requests;
  std::string replies;
  for (int i = 0; i < 10'000; ++i) {
    const std::string number = std::to_string(i);
    requests += request({"ECHO", number}) + request({"NOSUCH"}) + request({"GET"}) +
                request({"INCRBY", "n", "x"}) + "ECHO " + number + "\r\n";
    const std::string echo = "$" + std::to_string(number.size()) + "\r\n" + number + "\r\n";
    replies += echo + "-ERR unknown command 'NOSUCH', with args beginning with: \r\n" +
               "-ERR wrong number of arguments for 'get' command\r\n" +
               "-ERR value is not an integer or out of range\r\n" + echo;
  }
  CHECK(line.says(requests) == replies);
}

TEST_CASE("row 25: HELLO refuses versions and names there are not") {
  Line line;
  CHECK(line.says("HELLO 4\r\n") == "-NOPROTO unsupported protocol version\r\n");
  CHECK(line.says("HELLO abc\r\n") ==
        "-ERR Protocol version is not an integer or out of range\r\n");
  CHECK(line.says("HELLO 3 SETNAME \"a b\"\r\n").starts_with("-ERR Client names cannot contain"));
  CHECK(line.says("GET k\r\n") == "$-1\r\n");  // still the version before
}

TEST_CASE("row 26: a switch of the version in a pipeline holds for what comes behind it") {
  Line line;
  const std::string said = line.says("GET k\r\nHELLO 3\r\nGET k\r\nHELLO 2\r\nGET k\r\n");
  CHECK(said.starts_with("$-1\r\n%7\r\n"));
  CHECK(said.find("_\r\n*14\r\n") != std::string::npos);
  CHECK(said.ends_with("$-1\r\n"));
}

// ---------------------------------------------------------------- B: meaning

TEST_CASE("row 27: the name of an unknown command cannot split or swell the reply") {
  Line line;
  CHECK(line.says("*1\r\n$0\r\n\r\n") == "-ERR unknown command '', with args beginning with: \r\n");
  CHECK(line.says(request({"a\r\n+OK\r\n", "b\r\nc"})) ==
        "-ERR unknown command 'a  +OK  ', with args beginning with: 'b  c' \r\n");
  CHECK(line.says(request({std::string(300, 'x')})) ==
        "-ERR unknown command '" + std::string(128, 'x') + "', with args beginning with: \r\n");
  CHECK(line.says(request({"NOSUCH", std::string(1'000'000, 'y')})).size() < 300);
}

TEST_CASE("row 29: keys and values are bytes, and come back as they were") {
  TestServer redis;
  const std::vector<std::string> odd{"", std::string("\0", 1), "a\r\n$1\r\n", "\xc3\x28\xff",
                                     std::string(64u << 10, '\xff')};
  for (const std::string& bytes : odd) {
    CHECK(redis.ask({"SET", bytes, bytes}) == "OK");
    CHECK(redis.ask({"GET", bytes}) == "'" + bytes + "'");
    CHECK(redis.ask({"DEL", bytes}) == "1");
    for (const char* add : {"SADD", "HSET"}) {
      const bool hash = std::string_view(add) == "HSET";
      CHECK(redis.ask(hash ? Words{add, bytes, bytes, bytes} : Words{add, bytes, bytes}) == "1");
      CHECK(redis.ask({hash ? "HKEYS" : "SMEMBERS", bytes}) == "['" + bytes + "']");
      CHECK(redis.ask({"DEL", bytes}) == "1");
    }
  }
}

TEST_CASE("row 30: what is too long is refused by its limit, and nothing of it is stored") {
  resp::Options options;
  options.max_value_bytes = 1u << 20;
  Line line(options);
  const std::string key(max_key_size + 1, 'k');
  const std::string refusal = "-ERR the key has 65537 bytes; the limit is 65536\r\n";
  for (const Words& command :
       {Words{"SET", key, "v"}, Words{"GET", key}, Words{"MSET", "a", "1", key, "2"},
        Words{"RENAME", "a", key}, Words{"COPY", "a", key}, Words{"SADD", key, "e"},
        Words{"ZADD", key, "1", "e"}, Words{"SINTERSTORE", key, "a"}, Words{"INCR", key},
        Words{"ZUNIONSTORE", "z", "2", "a", key}, Words{"HINCRBYFLOAT", key, "f", "1"},
        Words{"WATCH", key}, Words{"EXPIRE", key, "1"}}) {
    CAPTURE(command[0]);
    CHECK(line.says(request(command)) == refusal);
  }
  CHECK(line.says("MULTI\r\n" + request({"SET", key, "v"}) + "EXEC\r\n") ==
        "+OK\r\n" + refusal + "-EXECABORT Transaction discarded because of previous errors.\r\n");
  CHECK(line.says(request({"SET", "a", std::string((1u << 20) + 1, 'v')})) ==
        "-ERR an argument of 1048577 bytes is over the limit of 1048576\r\n");
  line.says(request({"SET", "a", std::string(1u << 20, 'v')}));
  CHECK(line.says(request({"APPEND", "a", "v"})) ==
        "-ERR the value would have 1048577 bytes; the limit is 1048576 (--max-value)\r\n");
  CHECK(line.says("STRLEN a\r\n") == ":1048576\r\n");
  CHECK(
      line.says(request({"SADD", "s", std::string((1u << 20) + 1, 'e')})).starts_with("-ERR an "));
  CHECK(line.says("DEL a\r\nDBSIZE\r\n") == ":1\r\n:0\r\n");
  CHECK_FALSE(line.closed());
}

TEST_CASE("row 30: what is too long is not answered where replies are turned off") {
  resp::Options options;
  options.max_value_bytes = 1000;
  Line line(options);
  const std::string large = request({"ECHO", std::string(2000, 'v')});
  CHECK(line.says("CLIENT REPLY SKIP\r\n" + large + "PING\r\n") == "+PONG\r\n");
  CHECK(line.says("CLIENT REPLY OFF\r\n" + large + "CLIENT REPLY ON\r\n") == "+OK\r\n");
}

TEST_CASE("row 31: counters refuse what is no integer and what leaves 64 bits") {
  TestServer redis;
  redis.ask("SET text abc");
  redis.ask("SET most 9223372036854775807");
  redis.ask("SET c 5");
  const std::string no_integer = "-ERR value is not an integer or out of range";
  CHECK(redis.ask("INCR text") == no_integer);
  CHECK(redis.ask("INCR most") == "-ERR increment or decrement would overflow");
  CHECK(redis.ask("INCRBY c 9223372036854775808") == no_integer);
  CHECK(redis.ask("DECRBY c -9223372036854775808") == "-ERR decrement would overflow");
  CHECK(redis.ask("MGET text most c") == "['abc', '9223372036854775807', '5']");
}

TEST_CASE("row 33: a command for another type is refused, whichever it is") {
  TestServer redis;
  redis.ask("SET string v");
  redis.ask("HSET hash f v");
  redis.ask("SADD set e");
  redis.ask("ZADD zset 1 m");
  const std::string wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
  for (const char* line :
       {"HGET string f", "SADD string e", "ZADD string 1 m", "GET hash", "INCR hash", "SCARD hash",
        "ZRANGE hash 0 -1", "APPEND set x", "HSET set f v", "ZSCORE set m", "GETEX zset",
        "HLEN zset", "SPOP zset", "SINTER set hash", "ZUNION 2 zset string"}) {
    CAPTURE(line);
    CHECK(redis.ask(line) == wrong);
  }
  CHECK(redis.ask("DBSIZE") == "4");
}

TEST_CASE("row 35: deadlines that cannot be are refused") {
  TestServer redis;
  redis.ask("SET k v");
  CHECK(redis.ask("SET k w EX 0") == "-ERR invalid expire time in 'set' command");
  CHECK(redis.ask("SET k w EX -1") == "-ERR invalid expire time in 'set' command");
  CHECK(redis.ask("EXPIRE k 9223372036854775807") ==
        "-ERR invalid expire time in 'expire' command");
  CHECK(redis.ask("PEXPIRE k 9223372036854775807") ==
        "-ERR invalid expire time in 'pexpire' command");
  CHECK(redis.ask("GET k") == "'v'");
  CHECK(redis.ask("TTL k") == "-1");
}

TEST_CASE("row 37: NaN is never a score") {
  TestServer redis;
  CHECK(redis.ask("ZADD z nan m") == "-ERR value is not a valid float");
  redis.ask("ZADD z inf m");
  CHECK(redis.ask("ZINCRBY z -inf m") == "-ERR resulting score is not a number (NaN)");
  CHECK(redis.ask("ZADD z INCR -inf m") == "-ERR resulting score is not a number (NaN)");
  CHECK(redis.ask("ZSCORE z m") == "'inf'");
}

TEST_CASE("row 38: increments of fields that leave the range leave the field as it was") {
  TestServer redis;
  redis.ask("HSET h most 9223372036854775807 real 1e308");
  CHECK(redis.ask("HINCRBY h most 1") == "-ERR increment or decrement would overflow");
  for (const char* increment : {"inf", "-inf", "nan", "1e400"}) {
    CHECK(redis.ask({"HINCRBYFLOAT", "h", "real", increment}).starts_with("-ERR "));
  }
  CHECK(redis.ask("HINCRBYFLOAT h real 1e308") == "-ERR increment would produce NaN or Infinity");
  CHECK(redis.ask("HMGET h most real") == "['9223372036854775807', '1e308']");
}

TEST_CASE("row 39: SETRANGE beyond all limits allocates nothing") {
  TestServer redis;
  CHECK(redis.ask("SETRANGE k 536870912 x") ==
        "-ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  CHECK(redis.ask("SETRANGE k 9223372036854775807 x") ==
        "-ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  CHECK(redis.ask("SETRANGE k -1 x") == "-ERR offset is out of range");
  CHECK(redis.ask("SETRANGE k 100000000 x") ==
        "-ERR the value would have 100000001 bytes; the limit is 8388608 (--max-value)");
  CHECK(redis.ask("EXISTS k") == "0");
}

TEST_CASE("row 41: patterns over their limit are refused by every command that takes one") {
  TestServer redis;
  redis.ask("SADD set e");
  redis.ask("HSET hash f v");
  redis.ask("ZADD zset 1 m");
  const std::string pattern(100'000, '[');
  const std::string refusal = "limit is 1024";
  for (const Words& command :
       {Words{"KEYS", pattern}, Words{"SCAN", "0", "MATCH", pattern},
        Words{"SSCAN", "set", "0", "MATCH", pattern}, Words{"HSCAN", "hash", "0", "MATCH", pattern},
        Words{"ZSCAN", "zset", "0", "MATCH", pattern}, Words{"PSUBSCRIBE", pattern},
        Words{"PUBSUB", "CHANNELS", pattern}}) {
    CAPTURE(command[0]);
    const std::string said = redis.ask(command);
    CHECK(said.starts_with("-ERR "));
    CHECK(said.find(refusal) != std::string::npos);
  }
}

TEST_CASE("row 43: counts that no reply could hold are refused") {
  TestServer redis;
  redis.ask("SADD s a");
  redis.ask("HSET h f v");
  redis.ask("ZADD z 1 m");
  const std::string out_of_range = "-ERR value is out of range";
  CHECK(redis.ask("SRANDMEMBER s -9223372036854775808").starts_with(out_of_range));
  CHECK(redis.ask("HRANDFIELD h -4611686018427387904") == out_of_range);
  CHECK(redis.ask("HRANDFIELD h -4611686018427387904 WITHVALUES") == out_of_range);
  CHECK(redis.ask("ZRANDMEMBER z -4611686018427387905 WITHSCORES") == out_of_range);
  CHECK(redis.ask("SRANDMEMBER s 9223372036854775807") == "['a']");
  CHECK(redis.ask("SPOP s 9223372036854775807") == "['a']");
}

TEST_CASE("row 45: EXEC without MULTI, MULTI within MULTI, a bad command within") {
  TestServer redis;
  CHECK(redis.ask("EXEC") == "-ERR EXEC without MULTI");
  redis.ask("MULTI");
  CHECK(redis.ask("MULTI") == "-ERR MULTI calls can not be nested");
  CHECK(redis.ask("SET k v") == "QUEUED");
  CHECK(redis.ask("NOSUCH").starts_with("-ERR unknown command"));
  CHECK(redis.ask("EXEC") == "-EXECABORT Transaction discarded because of previous errors.");
  CHECK(redis.ask("EXISTS k") == "0");
}

TEST_CASE("row 46: a transaction holds so many commands and bytes, and no more") {
  resp::Options options;
  options.max_queued_commands = 100;
  options.max_queued_bytes = 1u << 20;
  Line line(options);
  const std::string refusal =
      "-ERR the transaction is too large: it may hold 100 commands and 1048576 bytes\r\n";
  const std::string abort = "-EXECABORT Transaction discarded because of previous errors.\r\n";
  SUBCASE("commands") {
    const std::string said = line.says("MULTI\r\n" + times(101, "INCR n\r\n") + "EXEC\r\n");
    CHECK(said == "+OK\r\n" + times(100, "+QUEUED\r\n") + refusal + abort);
  }
  SUBCASE("bytes") {
    const std::string large = request({"SET", "k", std::string(600'000, 'v')});
    CHECK(line.says("MULTI\r\n" + large + large) == "+OK\r\n+QUEUED\r\n" + refusal);
    CHECK(line.redis.session.held() < (3u << 20));
    CHECK(line.says("EXEC\r\n") == abort);
  }
  CHECK(line.says("DBSIZE\r\n") == ":0\r\n");
}

TEST_CASE("row 47: who listens in RESP2 may ask for little else") {
  TestServer redis;
  redis.ask("SUBSCRIBE a");
  CHECK(
      redis.ask("GET k") ==
      "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
      "allowed in this context");
}

TEST_CASE("row 49: names, settings and databases that cannot be") {
  TestServer redis;
  const std::string name =
      "-ERR Client names cannot contain spaces, newlines or special characters.";
  CHECK(redis.ask({"CLIENT", "SETNAME", "a b"}) == name);
  CHECK(redis.ask({"CLIENT", "SETNAME", "a\n"}) == name);
  CHECK(redis.ask("CONFIG SET nosuch 1") ==
        "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'");
  CHECK(redis.ask("SELECT 99") == "-ERR DB index is out of range");
  CHECK(redis.ask("SELECT -1") == "-ERR DB index is out of range");
  CHECK(redis.ask("SELECT x") == "-ERR value is not an integer or out of range");
}

TEST_CASE("row 51: what there is not is refused, and never answered with OK") {
  TestServer redis;
  for (const char* line : {"EVAL x 0",
                           "EVALSHA x 0",
                           "EVAL_RO x 0",
                           "EVALSHA_RO x 0",
                           "FCALL x 0",
                           "FCALL_RO x 0",
                           "SCRIPT DEBUG YES",
                           "LATENCY HISTOGRAM",
                           "LATENCY GRAPH x",
                           "MEMORY PURGE",
                           "MEMORY MALLOC-STATS",
                           "CONFIG REWRITE",
                           "PUBSUB SHARDCHANNELS",
                           "SSUBSCRIBE x",
                           "SPUBLISH x y",
                           "XADD s * f v",
                           "DEBUG SLEEP 0",
                           "MODULE LOAD x",
                           "SLAVEOF h 1",
                           "REPLICAOF h 1",
                           "MIGRATE h 1 k 0 1",
                           "SAVE",
                           "BGSAVE",
                           "BGREWRITEAOF",
                           "SWAPDB 0 1",
                           "FUNCTION LOAD x",
                           "RESTORE k 0 x",
                           "MONITOR",
                           "SYNC",
                           "PSYNC x 1",
                           "FAILOVER",
                           "ACL SETUSER x",
                           "SCRIPT LOAD x",
                           "CLUSTER MEET h 1"}) {
    CAPTURE(line);
    CHECK(redis.ask(line).starts_with("-ERR "));
  }
}

}  // namespace
}  // namespace starling::test
