#include <cmath>
#include <map>
#include <random>
#include <set>

#include "crdt/sorted_set.h"
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

TEST_CASE("members are added, raised and removed under Redis's options") {
  TestServer redis;
  CHECK(redis.ask("ZADD z 1 a 2 b 2 b") == "2");
  CHECK(redis.ask("ZADD z XX 9 none") == "0");
  CHECK(redis.ask("ZADD z NX 9 a 3 c") == "1");
  CHECK(redis.ask("ZADD z CH 1 a 5 b") == "1");
  CHECK(redis.ask("ZADD z GT CH 4 b 4 c 1 d") == "2");
  CHECK(redis.ask("ZADD z LT CH 4 b 5 c") == "1");
  CHECK(redis.ask("ZMSCORE z a b c d none") == "['1', '4', '4', '1', nil]");
  CHECK(redis.ask("ZCARD z") == "4");
  CHECK(redis.ask("ZADD z INCR 2.5 a") == "'3.5'");
  CHECK(redis.ask("ZADD z NX INCR 1 a") == "nil");
  CHECK(redis.ask("ZADD z XX INCR 1 none") == "nil");
  CHECK(redis.ask("ZADD z GT INCR -1 a") == "nil");
  CHECK(redis.ask("ZINCRBY z 0.5 a") == "'4'");
  CHECK(redis.ask("ZINCRBY z 7 new") == "'7'");
  CHECK(redis.ask("ZADD z 1 a") == "0");  // resets the increments
  CHECK(redis.ask("ZSCORE z a") == "'1'");
  CHECK(redis.ask("ZREM z a none new a") == "2");
  CHECK(redis.ask("ZREM z b c d") == "3");
  CHECK(redis.ask("SET z v") == "OK");
  CHECK(redis.ask("ZSCORE z b") == wrong_type);
}

TEST_CASE("infinite scores stay out of the sums; there is no NaN") {
  TestServer redis;
  CHECK(redis.ask("ZADD z inf i -inf m 1 f") == "3");
  CHECK(redis.ask("ZINCRBY z -inf i") == "-ERR resulting score is not a number (NaN)");
  CHECK(redis.ask("ZSCORE z i") == "'inf'");
  CHECK(redis.ask("ZINCRBY z 5 i") == "'inf'");
  CHECK(redis.ask("ZINCRBY z inf f") == "'inf'");
  CHECK(redis.ask("ZADD z 1 f") == "0");
  CHECK(redis.ask("ZINCRBY z 2 f") == "'3'");
  CHECK(redis.ask("ZADD z 1e308 big") == "1");
  CHECK(redis.ask("ZINCRBY z 1e308 big") == "'inf'");
  CHECK(redis.ask("ZADD z nan x") == "-ERR value is not a valid float");
  CHECK(redis.ask("ZADD z 1e400 x") == "-ERR value is not a valid float");
  CHECK(redis.ask("ZRANGE z 0 -1") == "['m', 'f', 'big', 'i']");
}

TEST_CASE("ZADD keeps how it came to a score") {
  TestServer redis;
  redis.ask("ZADD z 1 m");
  CHECK(redis.ask("ZADD z GT 5 m") == "0");
  const auto outcome = redis.backend.replica().run(
      [&](replica::Transaction& tx) {
        const CellKey member{{0, "z"}, {CellKind::scored_member, "m"}};
        CHECK(decode_score(tx.dotted(member).winner()->bytes).rule == ScoreRule::raised);
      },
      {}, redis.backend.time);
  CHECK(outcome.ran == replica::Replica::Ran::done);
}

TEST_CASE("what is wrong with a sorted set command is said in Redis's words and order") {
  TestServer redis;
  redis.ask("SET s v");
  redis.ask("ZADD z 1 a");
  const std::string syntax = "-ERR syntax error";
  const std::map<std::string, std::string> wrong{
      {"ZADD s 1 a 2", syntax},
      {"ZADD s NX XX x a", "-ERR XX and NX options at the same time are not compatible"},
      {"ZADD s NX GT x a", "-ERR GT, LT, and/or NX options at the same time are not compatible"},
      {"ZADD s INCR 1 a 2 b", "-ERR INCR option supports a single increment-element pair"},
      {"ZADD s x a", "-ERR value is not a valid float"},
      {"ZADD s 1 a", wrong_type},
      {"ZRANGE s x 1", "-ERR value is not an integer or out of range"},
      {"ZRANGE s 0 1 LIMIT 0 1",
       "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"},
      {"ZRANGE s 0 1 BYLEX WITHSCORES",
       "-ERR syntax error, WITHSCORES not supported in combination with BYLEX"},
      {"ZRANGE s 0 1 BYSCORE BYLEX", syntax},
      {"ZRANGE s 0 1 REV REV", syntax},
      {"ZRANGE s x 1 BYSCORE", "-ERR min or max is not a float"},
      {"ZRANGE s x 1 BYLEX", "-ERR min or max not valid string range item"},
      {"ZRANGE s 0 1", wrong_type},
      {"ZRANGEBYSCORE s 0 1 REV", syntax},
      {"ZRANGESTORE d s 0 1 WITHSCORES", syntax},
      {"ZCOUNT s (x 1", "-ERR min or max is not a float"},
      {"ZLEXCOUNT s - [", wrong_type},
      {"ZREMRANGEBYRANK s x 1", "-ERR value is not an integer or out of range"},
      {"ZPOPMIN s -1", "-ERR value is out of range, must be positive"},
      {"ZPOPMIN s 1 2", syntax},
      {"ZPOPMIN s 0", wrong_type},
      {"ZMPOP 0 s MIN", "-ERR numkeys should be greater than 0"},
      {"ZMPOP 2 s MIN", syntax},
      {"ZMPOP 1 s FOO", syntax},
      {"ZMPOP 1 s MIN COUNT", syntax},
      {"ZMPOP 1 s MIN COUNT 0", "-ERR count should be greater than 0"},
      {"ZMPOP 1 s MIN COUNT 1 COUNT 1", syntax},
      {"ZMPOP 2 none s MIN", wrong_type},
      {"ZUNION 0 s", "-ERR at least 1 input key is needed for 'zunion' command"},
      {"ZUNION 2 s", syntax},
      {"ZUNION 1 s FOO", wrong_type},
      {"ZUNION 1 z WEIGHTS x", "-ERR weight value is not a float"},
      {"ZUNION 1 z AGGREGATE FOO", syntax},
      {"ZDIFF 1 z WEIGHTS 1", syntax},
      {"ZUNIONSTORE d 1 z WITHSCORES", syntax},
      {"ZINTERCARD 1 z LIMIT -1", "-ERR LIMIT can't be negative"},
      {"ZINTERCARD 0 z", "-ERR at least 1 input key is needed for 'zintercard' command"},
  };
  for (const auto& [line, error] : wrong) {
    CAPTURE(line);
    CHECK(redis.ask(line) == error);
  }
  CHECK(redis.ask("ZRANGE z 0 -1 WITHSCORES") == "['a', '1']");
}

TEST_CASE("ranges by rank, by score and by name") {
  TestServer redis;
  redis.ask("ZADD z 1 a 2 b 2 c 3 d inf e");
  CHECK(redis.ask("ZRANGE z 0 -1") == "['a', 'b', 'c', 'd', 'e']");
  CHECK(redis.ask("ZRANGE z -2 -1 WITHSCORES") == "['d', '3', 'e', 'inf']");
  CHECK(redis.ask("ZRANGE z 0 1 REV") == "['e', 'd']");
  CHECK(redis.ask("ZREVRANGE z 1 1 WITHSCORES") == "['d', '3']");
  CHECK(redis.ask("ZRANGE z 5 2") == "[]");
  CHECK(redis.ask("ZRANGE z -100 100 REV") == "['e', 'd', 'c', 'b', 'a']");
  CHECK(redis.ask("ZRANGE z (1 3 BYSCORE") == "['b', 'c', 'd']");
  CHECK(redis.ask("ZRANGE z (3 (1 BYSCORE REV LIMIT 1 5") == "['b']");
  CHECK(redis.ask("ZRANGEBYSCORE z -inf +inf LIMIT 3 -1") == "['d', 'e']");
  CHECK(redis.ask("ZRANGEBYSCORE z -inf +inf LIMIT -1 2") == "[]");
  CHECK(redis.ask("ZRANGEBYSCORE z 3 1") == "[]");
  CHECK(redis.ask("ZREVRANGEBYSCORE z 2 2 WITHSCORES") == "['c', '2', 'b', '2']");
  CHECK(redis.ask("ZCOUNT z 2 (3") == "2");
  CHECK(redis.ask("ZRANK z c") == "2");
  CHECK(redis.ask("ZREVRANK z c") == "2");
  CHECK(redis.ask("ZREVRANK z e") == "0");
  CHECK(redis.ask("ZRANK z none") == "nil");
  redis.ask("ZADD names 0 a 0 b 0 ba 0 c");
  CHECK(redis.ask("ZRANGEBYLEX names - +") == "['a', 'b', 'ba', 'c']");
  CHECK(redis.ask("ZRANGEBYLEX names [b (c") == "['b', 'ba']");
  CHECK(redis.ask("ZRANGE names (c - BYLEX REV LIMIT 0 2") == "['ba', 'b']");
  CHECK(redis.ask("ZRANGEBYLEX names + -") == "[]");
  CHECK(redis.ask("ZREVRANGEBYLEX names + (a") == "['c', 'ba', 'b']");
  CHECK(redis.ask("ZLEXCOUNT names [a [b") == "2");
  CHECK(redis.ask("ZRANGESTORE z z (1 3 BYSCORE LIMIT 1 1") == "1");
  CHECK(redis.ask("ZRANGE z 0 -1 WITHSCORES") == "['c', '2']");
  CHECK(redis.ask("ZRANGESTORE z none 0 1") == "0");
  CHECK(redis.ask("ZCARD z") == "0");
  CHECK(redis.ask("ZREMRANGEBYLEX names (a [b") == "1");
  CHECK(redis.ask("ZREMRANGEBYRANK names -1 -1") == "1");
  CHECK(redis.ask("ZREMRANGEBYSCORE names 0 0") == "2");
  CHECK(redis.ask("SET names v") == "OK");
  CHECK(redis.ask("ZCARD names") == wrong_type);
}

TEST_CASE("pops take from either end") {
  TestServer redis;
  redis.ask("ZADD z 1 a 2 b 3 c 4 d 5 e");
  CHECK(redis.ask("ZPOPMIN z") == "['a', '1']");
  CHECK(redis.ask("ZPOPMAX z 2") == "['e', '5', 'd', '4']");
  CHECK(redis.ask("ZPOPMIN z 0") == "[]");
  CHECK(redis.ask("ZMPOP 2 none z MAX") == "['z', [['c', '3']]]");
  CHECK(redis.ask("ZMPOP 1 z MIN COUNT 9") == "['z', [['b', '2']]]");
  CHECK(redis.ask("ZMPOP 1 z MIN") == "nil");
  CHECK(redis.ask("ZPOPMIN z") == "[]");
}

TEST_CASE("unions, intersections and differences take sets, too") {
  TestServer redis;
  redis.ask("ZADD y 1 a 2 b 3 c");
  redis.ask("SADD s b c x");
  redis.ask("ZADD inf inf a -inf b");
  CHECK(redis.ask("ZUNION 2 y s WITHSCORES") == "['a', '1', 'x', '1', 'b', '3', 'c', '4']");
  CHECK(redis.ask("ZUNION 2 y s WEIGHTS 2 3 AGGREGATE MIN WITHSCORES") ==
        "['a', '2', 'b', '3', 'c', '3', 'x', '3']");
  CHECK(redis.ask("ZINTER 2 y s AGGREGATE MAX WITHSCORES") == "['b', '2', 'c', '3']");
  CHECK(redis.ask("ZDIFF 2 y s WITHSCORES") == "['a', '1']");
  CHECK(redis.ask("ZINTERCARD 2 y s") == "2");
  CHECK(redis.ask("ZINTERCARD 2 y s LIMIT 1") == "1");
  CHECK(redis.ask("ZUNION 1 inf WEIGHTS 0 WITHSCORES") == "['a', '0', 'b', '0']");
  CHECK(redis.ask("ZUNION 2 inf inf WEIGHTS 1 -1 WITHSCORES") == "['a', '0', 'b', '0']");
  CHECK(redis.ask("ZUNIONSTORE y 2 y s") == "4");
  CHECK(redis.ask("ZRANGE y 0 -1 WITHSCORES") == "['a', '1', 'x', '1', 'b', '3', 'c', '4']");
  CHECK(redis.ask("ZDIFFSTORE s 2 y s") == "1");
  CHECK(redis.ask("ZRANGE s 0 -1") == "['a']");
  CHECK(redis.ask("ZINTERSTORE y 2 y none") == "0");
  CHECK(redis.ask("ZCARD y") == "0");
}

TEST_CASE("in RESP3 scores are doubles and pairs are nested") {
  TestServer redis;
  redis.ask("ZADD z 1 a 2.5 b inf c");
  redis.speak_resp3();
  CHECK(redis.ask("ZRANGE z 0 -1 WITHSCORES") == "[['a', ,1], ['b', ,2.5], ['c', ,inf]]");
  CHECK(redis.ask("ZSCORE z b") == ",2.5");
  CHECK(redis.ask("ZMSCORE z b none") == "[,2.5, nil]");
  CHECK(redis.ask("ZUNION 1 z WITHSCORES") == "[['a', ,1], ['b', ,2.5], ['c', ,inf]]");
  CHECK(redis.ask("ZRANDMEMBER z 1 WITHSCORES").starts_with("[['"));
  CHECK(redis.sorted("ZSCAN z 0")[0] == "'0'");
  CHECK(redis.ask("ZPOPMIN z") == "['a', ,1]");
  CHECK(redis.ask("ZPOPMIN z 1") == "[['b', ,2.5]]");
  CHECK(redis.ask("ZMPOP 1 z MAX") == "['z', [['c', ,inf]]]");
  CHECK(redis.ask("ZMPOP 1 z MAX") == "nil");
}

// A plain map of scores, sorted when it is asked.
class Model {
 public:
  std::map<std::string, double> scores;

  [[nodiscard]] std::string range() const {
    std::set<std::pair<double, std::string>> order;
    for (const auto& [name, score] : scores) {
      order.insert({score, name});
    }
    std::string text = "[";
    for (const auto& [score, name] : order) {
      text += (text.size() > 1 ? ", '" : "'") + name + "', '" + format_score(score) + "'";
    }
    return text + "]";
  }
  [[nodiscard]] std::string rank(const std::string& name) const {
    const auto found = scores.find(name);
    if (found == scores.end()) {
      return "nil";
    }
    return std::to_string(std::ranges::count_if(scores, [&](const auto& other) {
      return std::pair(other.second, other.first) < std::pair(found->second, name);
    }));
  }
};

// Through checkpoints, evictions, kills and transactions: the index is never behind.
TEST_CASE("the order is right after any change, by whatever way it comes") {
  for (const std::uint64_t memory : {std::uint64_t{64} << 10, std::uint64_t{64} << 20}) {
    CAPTURE(memory);
    replica::Config config;
    config.memory_bytes = memory;
    config.checkpoint_bytes = 16u << 10;
    TestServer redis(config);
    Model model;
    std::mt19937 random(3);
    bool multi = false;
    std::vector<std::string> expected;
    const auto ask = [&](const std::string& line, const std::string& reply) {
      CAPTURE(line);
      if (multi) {
        CHECK(redis.ask(line) == "QUEUED");
        expected.push_back(reply);
      } else {
        REQUIRE(redis.ask(line) == reply);
      }
    };
    for (int step = 0; step < 4000; ++step) {
      const std::string name = "m" + std::to_string(random() % 150);
      const double score = static_cast<double>(random() % 50);
      switch (random() % 16) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
        case 5:
          ask("ZADD z " + format_score(score) + " " + name,
              model.scores.contains(name) ? "0" : "1");
          model.scores[name] = score;
          break;
        case 6:
        case 7:
          model.scores[name] += score;
          ask("ZINCRBY z " + format_score(score) + " " + name,
              "'" + format_score(model.scores[name]) + "'");
          break;
        case 8:
          ask("ZREM z " + name, std::to_string(model.scores.erase(name)));
          break;
        case 9:
        case 10:
          ask("ZRANK z " + name, model.rank(name));
          break;
        case 11:
        case 12:
          ask("ZRANGE z 0 -1 WITHSCORES", model.range());
          break;
        case 13: {
          const auto removed = std::erase_if(
              model.scores, [&](const auto& member) { return member.second == score; });
          const std::string bound = format_score(score);
          ask("ZREMRANGEBYSCORE z " + bound + " " + bound, std::to_string(removed));
          break;
        }
        case 14:
          if (random() % 20 == 0) {
            ask("ZINTERSTORE z 1 none", "0");  // kills the object
            model.scores.clear();
          }
          break;
        default:
          if (multi) {
            const std::string bytes = redis.raw({"EXEC"});
            REQUIRE(ReplyReader(bytes).read_parts() == expected);
            expected.clear();
          } else {
            REQUIRE(redis.ask("MULTI") == "OK");
          }
          multi = !multi;
          break;
      }
      redis.backend.pass_ms(100);
    }
  }
}

}  // namespace
}  // namespace starling::test
