// The node itself, as INFO, CONFIG and their like show it, and what it refuses to be.
#include <map>

#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

// The name:value lines of INFO.
std::map<std::string, std::string> info(TestServer& redis, const std::string& section = "all") {
  std::map<std::string, std::string> lines;
  std::string text = redis.ask({"INFO", section});
  text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    REQUIRE(end != std::string::npos);
    const std::string line = text.substr(0, end);
    text.erase(0, end + 2);
    if (const std::size_t colon = line.find(':'); colon != std::string::npos) {
      lines[line.substr(0, colon)] = line.substr(colon + 1);
    }
  }
  return lines;
}

TEST_CASE("INFO has Redis's sections, alone or together") {
  TestServer redis;
  CHECK(info(redis, "server").at("redis_version") == "7.0.15");
  CHECK(info(redis, "server").count("role") == 0);
  CHECK(info(redis, "replication").at("role") == "master");
  CHECK(info(redis, "Clients").at("connected_clients") == "1");
  CHECK(redis.ask("INFO nosuch") == "''");
  CHECK(redis.ask("INFO").find("# Crdt\r\n") != std::string::npos);
  CHECK(redis.ask("INFO").find("# Commandstats\r\n") == std::string::npos);
  CHECK(redis.ask("INFO cpu errorstats").starts_with("'# CPU\r\n"));
}

TEST_CASE("calls and errors are counted by command, and forgotten on demand") {
  TestServer redis;
  redis.ask("SET k v");
  redis.ask("INCR k");
  redis.ask("INCR");
  redis.ask("SADD k a");
  redis.ask("MULTI");
  redis.ask("SET k w");
  redis.ask("EXEC");
  const auto lines = info(redis);
  CHECK(lines.at("cmdstat_set").starts_with("calls=2,"));
  CHECK(lines.at("cmdstat_incr") ==
        "calls=1,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=1");
  CHECK(lines.at("errorstat_ERR") == "count=2");
  CHECK(lines.at("errorstat_WRONGTYPE") == "count=1");
  CHECK(lines.at("total_error_replies") == "3");
  CHECK(redis.ask("CONFIG RESETSTAT") == "OK");
  CHECK(info(redis).count("cmdstat_set") == 0);
  CHECK(info(redis).at("total_error_replies") == "0");
}

TEST_CASE("INFO counts the keys of each database that has any") {
  TestServer redis;
  CHECK(info(redis, "keyspace").empty());
  redis.ask("MSET a 1 b 2");
  redis.ask("SELECT 3");
  redis.ask("SET c 3");
  CHECK(info(redis, "keyspace") ==
        std::map<std::string, std::string>{{"db0", "keys=2,expires=0,avg_ttl=0"},
                                           {"db3", "keys=1,expires=0,avg_ttl=0"}});
}

TEST_CASE(
    "INFO tells how many keys expire, exactly where there are few and about where there are many") {
  TestServer redis;
  redis.ask("MSET stays 1 a 1 b 1");
  redis.ask("PEXPIRE a 1000");
  redis.ask("PEXPIRE b 3000");
  CHECK(info(redis, "keyspace").at("db0") == "keys=3,expires=2,avg_ttl=2000");
  redis.ask("SELECT 1");
  for (int i = 0; i < 4000; ++i) {
    const std::string key = "k" + std::to_string(i);
    i % 2 == 0 ? redis.ask({"SET", key, "v"}) : redis.ask({"SET", key, "v", "PX", "8000"});
  }
  const std::string line = info(redis, "keyspace").at("db1");
  CAPTURE(line);
  REQUIRE(line.starts_with("keys=4000,expires="));
  const int expires = std::stoi(line.substr(std::string("keys=4000,expires=").size()));
  CHECK(expires > 1400);
  CHECK(expires < 2600);
  CHECK(line.ends_with(",avg_ttl=8000"));
}

TEST_CASE("CONFIG shows the options there are, by patterns") {
  TestServer redis;
  CHECK(redis.ask("CONFIG GET maxclients nosuch") == "['maxclients', '10000']");
  CHECK(redis.ask("CONFIG GET MAXMEMORY-*") == "['maxmemory-policy', 'noeviction']");
  CHECK(redis.ask("CONFIG GET save appendonly") == "['appendonly', 'yes', 'save', '']");
  CHECK(redis.ask("CONFIG GET nosuch") == "[]");
}

TEST_CASE("CONFIG SET changes all it is told to, or nothing") {
  TestServer redis;
  CHECK(redis.ask("CONFIG SET slowlog-max-len 5 foo bar") ==
        "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'");
  CHECK(
      redis.ask("CONFIG SET slowlog-max-len 5 SLOWLOG-LOG-SLOWER-THAN abc") ==
      "-ERR CONFIG SET failed (possibly related to argument 'slowlog-log-slower-than') - argument "
      "couldn't be parsed into an integer");
  CHECK(redis.ask("CONFIG SET slowlog-max-len 5 slowlog-max-len 6") ==
        "-ERR CONFIG SET failed (possibly related to argument 'slowlog-max-len') - duplicate "
        "parameter");
  CHECK(redis.ask("CONFIG GET slowlog-max-len") == "['slowlog-max-len', '128']");
  CHECK(redis.ask("CONFIG SET slowlog-max-len 5 appendonly yes") == "OK");
  CHECK(redis.ask("CONFIG GET slowlog-max-len") == "['slowlog-max-len', '5']");
  CHECK(
      redis.ask("CONFIG SET appendonly no") ==
      "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - it is 'yes' as long as "
      "the node runs; see kvd --help");
}

TEST_CASE("CONFIG takes maxmemory in Redis's units, and only as kvd was started with") {
  TestServer redis;
  redis.backend.told.memory_limit = 256 << 20;
  const std::string failed = "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - ";
  CHECK(redis.ask("CONFIG GET maxmemory") == "['maxmemory', '268435456']");
  for (const char* same : {"268435456", "268435456b", "256mb", "256MB", "262144kb"}) {
    CAPTURE(same);
    CHECK(redis.ask({"CONFIG", "SET", "maxmemory", same}) == "OK");
  }
  for (const char* other :
       {"256m", "1gb", "1g", "1k", "0", "", "18446744073709551616", "99999999999gb"}) {
    CAPTURE(other);
    CHECK(
        redis.ask({"CONFIG", "SET", "maxmemory", other}) ==
        failed +
            "it is '268435456' (kvd --memory) as long as the node runs; no key is deleted for it, "
            "data beyond it stays on disk");
  }
  for (const char* wrong : {"abc", "-1", "1.5gb", "5tb", "100 mb", "0x10", "mb100"}) {
    CAPTURE(wrong);
    CHECK(redis.ask({"CONFIG", "SET", "maxmemory", wrong}) ==
          failed + "argument must be a memory value");
  }
}

TEST_CASE("no policy deletes keys: CONFIG says where data goes when memory is full") {
  TestServer redis;
  const std::string failed =
      "-ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - ";
  CHECK(redis.ask("CONFIG SET maxmemory-policy noeviction") == "OK");
  CHECK(redis.ask("CONFIG SET maxmemory-policy NoEviction") == "OK");
  for (const std::string policy :
       {"volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru",
        "allkeys-lfu", "allkeys-random"}) {
    CHECK(redis.ask({"CONFIG", "SET", "maxmemory-policy", policy}) ==
          failed + "'" + policy +
              "' deletes keys when memory is full; here data goes to disk instead, so that it must "
              "be noeviction");
  }
  CHECK(redis.ask("CONFIG SET maxmemory-policy none") ==
        failed + "argument(s) must be one of the following: noeviction");
  CHECK(redis.ask("CONFIG GET maxmemory-policy") == "['maxmemory-policy', 'noeviction']");
}

TEST_CASE("INFO memory tells what the process takes, of what, and what it is bound to") {
  TestServer redis;
  redis.backend.told.memory_bytes = 300 << 20;
  redis.backend.told.memory_peak_bytes = 400 << 20;
  redis.backend.told.memory_limit = 256 << 20;
  redis.backend.told.system_memory_bytes = std::uint64_t{2} << 30;
  const auto lines = info(redis, "memory");
  CHECK(lines.at("used_memory") == "314572800");
  CHECK(lines.at("used_memory_human") == "300.00M");
  CHECK(lines.at("used_memory_peak_perc") == "75.00%");
  CHECK(lines.at("total_system_memory_human") == "2.00G");
  CHECK(lines.at("maxmemory") == "268435456");
  CHECK(lines.at("maxmemory_human") == "256.00M");
  CHECK(lines.at("maxmemory_policy") == "noeviction");
}

TEST_CASE("the slow log keeps the latest commands, cut short") {
  TestServer redis;
  redis.ask("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 3");
  redis.ask("SLOWLOG RESET");
  redis.ask({"SET", "k", std::string(200, 'v')});
  Words many{"DEL"};
  many.resize(40, "k");
  redis.ask(many);
  const std::string log = redis.ask("SLOWLOG GET 2");
  CHECK(log.find("'... (9 more arguments)'") != std::string::npos);
  CHECK(log.find(std::string(128, 'v') + "... (72 more bytes)") != std::string::npos);
  CHECK(log.find("'client', '']") != std::string::npos);
  CHECK(redis.ask("SLOWLOG LEN") == "3");
  CHECK(redis.ask("SLOWLOG GET -2") == "-ERR count should be greater than or equal to -1");
  CHECK(redis.ask("SLOWLOG GET 0") == "[]");
  redis.ask("CONFIG SET slowlog-log-slower-than -1");
  redis.ask("SLOWLOG RESET");
  redis.ask("PING");
  CHECK(redis.ask("SLOWLOG GET") == "[]");
}

TEST_CASE("TIME is the node's clock, ROLE and LASTSAVE fit INFO") {
  TestServer redis;
  redis.backend.time.unix_ms = 1'790'000'000'123;
  CHECK(redis.ask("TIME") == "['1790000000', '123000']");
  CHECK(redis.ask("ROLE") == "['master', " + info(redis).at("master_repl_offset") + ", []]");
  CHECK(redis.ask("LASTSAVE") == info(redis).at("rdb_last_save_time"));
}

TEST_CASE("WAIT counts the nodes that have this one's writes, and waits until its deadline") {
  TestServer redis;
  redis.ask("SET k v");
  CHECK(redis.ask("WAIT 0 0") == "0");
  redis.session.received(request({"WAIT", "1", "100"}) + request({"PING"}));
  CHECK(redis.session.output().empty());
  redis.backend.pass_ms(99);
  redis.server.go_on();
  CHECK(redis.session.output().empty());
  redis.backend.pass_ms(1);
  redis.server.go_on();
  CHECK(std::exchange(redis.session.output(), {}) == ":0\r\n+PONG\r\n");
  CHECK(redis.ask("WAIT 1 -1") == "-ERR timeout is negative");
  CHECK(redis.ask("WAIT a 1") == "-ERR value is not an integer or out of range");
  redis.ask("MULTI");
  redis.ask("WAIT 1 0");
  CHECK(redis.ask("EXEC") == "[0]");
}

TEST_CASE("SHUTDOWN ends the node, unless it is asked for nonsense") {
  TestServer redis;
  CHECK(redis.ask("SHUTDOWN FOO") == "-ERR syntax error");
  CHECK(redis.ask("SHUTDOWN SAVE NOSAVE") == "-ERR syntax error");
  CHECK(redis.ask("SHUTDOWN ABORT NOW") == "-ERR syntax error");
  CHECK(redis.ask("SHUTDOWN ABORT") == "-ERR No shutdown in progress.");
  CHECK(redis.backend.shut_downs == 0);
  redis.session.received(request({"SHUTDOWN", "NOSAVE"}));
  CHECK(redis.session.output().empty());
  CHECK(redis.session.closing());
  CHECK(redis.backend.shut_downs == 1);
}

TEST_CASE("MEMORY USAGE grows with what a key holds") {
  TestServer redis;
  CHECK(redis.ask("MEMORY USAGE k") == "nil");
  redis.ask("SET k v");
  const int small = std::stoi(redis.ask("MEMORY USAGE k"));
  redis.ask({"SET", "k", std::string(10'000, 'v')});
  CHECK(std::stoi(redis.ask("MEMORY USAGE k")) > small + 9'000);
  Words many{"SADD", "s"};
  for (int i = 0; i < 1000; ++i) {
    many.push_back("member" + std::to_string(i));
  }
  redis.ask(many);
  const int all = std::stoi(redis.ask("MEMORY USAGE s SAMPLES 0"));
  const int sampled = std::stoi(redis.ask("MEMORY USAGE s"));
  CHECK(all > 1000 * 64);
  CHECK(sampled > all * 9 / 10);
  CHECK(sampled < all * 11 / 10);
  CHECK(redis.ask("MEMORY USAGE s SAMPLES -1") == "-ERR syntax error");
  CHECK(redis.ask("MEMORY USAGE s SAMPLES x") == "-ERR value is not an integer or out of range");
  CHECK(redis.ask("MEMORY STATS").starts_with("['total.allocated', "));
}

TEST_CASE("what this server is not is refused with a reason") {
  TestServer redis;
  const std::string no_cluster = "-ERR This instance has cluster support disabled";
  CHECK(redis.ask("CLUSTER INFO") == no_cluster);
  CHECK(redis.ask("CLUSTER KEYSLOT a") == no_cluster);
  CHECK(redis.ask("READONLY") == no_cluster);
  for (const char* line :
       {"EVAL x 0", "EVAL_RO x 0", "EVALSHA x 0", "EVALSHA_RO x 0", "FCALL f 0", "FCALL_RO f 0",
        "SCRIPT LOAD x", "SCRIPT DEBUG YES", "FUNCTION LOAD x"}) {
    CAPTURE(line);
    CHECK(redis.ask(line).starts_with("-ERR there is no script engine"));
  }
  CHECK(redis.ask("SCRIPT EXISTS a b") == "[0, 0]");
  CHECK(redis.ask("SCRIPT FLUSH") == "OK");
  CHECK(redis.ask("SCRIPT FLUSH NOW") == "-ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  CHECK(redis.ask("SCRIPT KILL") == "-NOTBUSY No scripts in execution right now.");
  CHECK(redis.ask("FUNCTION LIST") == "[]");
  CHECK(redis.ask("FUNCTION LIST FOO") == "-ERR Unknown argument FOO");
  CHECK(redis.ask("FUNCTION FLUSH") == "OK");
  CHECK(redis.ask("FUNCTION FLUSH FOO") == "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  CHECK(redis.ask("FUNCTION DELETE x") == "-ERR Library not found");
  CHECK(redis.ask("MODULE LOAD x").starts_with("-ERR there are no modules"));
  CHECK(redis.ask("REPLICAOF NO ONE").starts_with("-ERR nodes do not follow one another"));
  CHECK(redis.ask("SWAPDB 0 1").starts_with("-ERR SWAPDB is not supported"));
  CHECK(redis.ask("DEBUG SLEEP 0").starts_with("-ERR unknown command 'DEBUG'"));
  CHECK(redis.ask("MONITOR").starts_with("-ERR unknown command 'MONITOR'"));
  CHECK(redis.ask("SAVE").starts_with("-ERR unknown command 'SAVE'"));
}

}  // namespace
}  // namespace starling::test
