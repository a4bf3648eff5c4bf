// docs/semantics.md, row by row, for the types that exist: two replicas that cannot hear each other
// write, then everything is exchanged. A front door adds commands and replies, never another
// answer.
#include <doctest/doctest.h>

#include "tests/crdt/replica.h"

namespace starling::test {
namespace {

using Set = std::set<std::string>;
using Fields = std::map<std::string, std::string>;

// Two replicas that agree on what `prepare` did on the first.
struct Pair {
  Replica a{origin_of(1)};
  Replica b{origin_of(2)};

  template <typename Prepare>
  explicit Pair(Prepare prepare) {
    prepare(a);
    exchange(a, b);
  }
  Pair() = default;

  void heal() {
    exchange(a, b);
    CHECK(a == b);
    Replica cold(origin_of(9), true);
    send(b, cold);
    send(a, cold);
    send(b, cold);
    CHECK(cold == a);
  }
};

// `later` writes at a later wall-clock time than anything before.
template <typename Write>
void at(Replica& replica, std::uint64_t unix_ms, Write write) {
  replica.begin(unix_ms);
  write(replica);
  replica.commit();
}

}  // namespace

TEST_CASE(
    "SET || SET: both are kept, the later is read, the next SET that saw them replaces both") {
  Pair pair;
  at(pair.a, 2000, [](Replica& a) { a.set("k", "later"); });
  at(pair.b, 1000, [](Replica& b) { b.set("k", "earlier"); });
  pair.heal();
  CHECK(pair.a.get("k") == "later");
  CHECK(pair.a.siblings("k") == 2);
  pair.b.set("k", "next");
  pair.heal();
  CHECK(pair.a.get("k") == "next");
  CHECK(pair.a.siblings("k") == 1);
}

TEST_CASE(
    "clocks never override causality: a write that saw another replaces it whatever its time") {
  Pair pair;
  at(pair.a, 9'000'000, [](Replica& a) { a.set("k", "from the future"); });
  send(pair.a, pair.b);
  at(pair.b, 1000, [](Replica& b) { b.set("k", "saw it"); });
  pair.heal();
  CHECK(pair.a.get("k") == "saw it");
  CHECK(pair.a.siblings("k") == 1);
}

TEST_CASE("SET || DEL: the SET survives") {
  Pair pair([](Replica& a) { a.set("k", "old"); });
  pair.a.set("k", "new");
  pair.b.del("k");
  pair.heal();
  CHECK(pair.a.get("k") == "new");
}

TEST_CASE("DEL removes only what it saw: a delete of an absent key leaves a concurrent SET") {
  Pair pair;
  pair.a.set("k", "v");
  pair.b.del("k");
  pair.heal();
  CHECK(pair.a.get("k") == "v");
}

TEST_CASE("SET NX || SET NX: both may be accepted, the later is read") {
  Pair pair;
  CHECK_FALSE(pair.a.get("lock"));
  CHECK_FALSE(pair.b.get("lock"));
  at(pair.a, 1000, [](Replica& a) { a.set("lock", "a"); });
  at(pair.b, 2000, [](Replica& b) { b.set("lock", "b"); });
  pair.heal();
  CHECK(pair.a.get("lock") == "b");
}

TEST_CASE("APPEND || any write of the same string: a write of the whole value") {
  Pair pair([](Replica& a) { a.set("k", "ab"); });
  at(pair.a, 2000, [](Replica& a) { a.append("k", "c"); });
  at(pair.b, 1000, [](Replica& b) { b.append("k", "d"); });
  pair.heal();
  CHECK(pair.a.get("k") == "abc");
  CHECK(pair.a.siblings("k") == 2);
}

TEST_CASE("APPEND on a counter is a SET of the printed value") {
  Pair pair([](Replica& a) { a.incr("k", 4); });
  pair.a.append("k", "2");
  pair.b.incr("k", 1);
  pair.heal();
  CHECK(pair.a.get("k") == "43");
}

TEST_CASE("INCR || INCR, DECR, INCRBY: the sum of all") {
  Pair pair([](Replica& a) { a.incr("k", 10); });
  pair.a.incr("k");
  pair.a.incr("k", -3);
  pair.b.incr("k", 100);
  pair.heal();
  CHECK(pair.a.get("k") == "108");
}

TEST_CASE("INCR || INCR: a sum that leaves the range after merging saturates") {
  Pair pair;
  pair.a.set("k", "9223372036854775800");
  exchange(pair.a, pair.b);
  pair.a.incr("k", 7);
  pair.b.incr("k", 7);
  pair.heal();
  CHECK(pair.a.get("k") == "9223372036854775807");
}

TEST_CASE(
    "the reply of INCR is what this node has seen: two cut-off nodes may return the same number") {
  Pair pair;
  pair.a.incr("k");
  pair.b.incr("k");
  CHECK(pair.a.get("k") == "1");
  CHECK(pair.b.get("k") == "1");
  pair.heal();
  CHECK(pair.a.get("k") == "2");
}

TEST_CASE(
    "SET text || INCR: the text is read, the increments stay hidden, INCR is refused, the next SET "
    "resets them") {
  Pair pair;
  pair.a.set("k", "milk");
  pair.b.incr("k", 5);
  pair.heal();
  CHECK(pair.a.get("k") == "milk");
  CHECK(pair.a.hides_increments("k"));
  CHECK_FALSE(pair.b.incr("k"));
  pair.a.set("k", "1");
  pair.heal();
  CHECK(pair.a.get("k") == "1");
  CHECK_FALSE(pair.a.hides_increments("k"));
}

TEST_CASE("SET text || INCR, then DEL: nothing of the hidden increments comes back") {
  Pair pair;
  pair.a.set("k", "milk");
  pair.b.incr("k", 5);
  pair.heal();
  pair.b.del("k");
  pair.heal();
  CHECK_FALSE(pair.a.get("k"));
  pair.a.incr("k");
  pair.heal();
  CHECK(pair.b.get("k") == "1");
}

TEST_CASE("INCR || INCRBYFLOAT: the sum, as Redis shows it") {
  Pair pair;
  pair.a.incr("k", 3);
  pair.b.incr_float("k", "0.5");
  pair.heal();
  CHECK(pair.a.get("k") == "3.5");
}

TEST_CASE(
    "SET n then INCR: a string that holds an integer is a counter with that base; INCR on text is "
    "refused") {
  Pair pair;
  pair.a.set("k", "41");
  CHECK(pair.a.incr("k"));
  CHECK(pair.a.get("k") == "42");
  pair.a.set("t", "text");
  CHECK_FALSE(pair.a.incr("t"));
  pair.heal();
}

TEST_CASE("INCR || SET: the increment adds to the winner") {
  Pair pair([](Replica& a) { a.incr("k", 5); });
  pair.a.set("k", "100");  // saw 5, takes it away
  pair.b.incr("k", 2);     // unseen
  pair.heal();
  CHECK(pair.a.get("k") == "102");
}

TEST_CASE("SET || SET || INCR: an increment that the losing SET had seen is gone too") {
  Pair pair;
  pair.b.incr("k", 5);
  send(pair.b, pair.a);
  at(pair.a, 1000, [](Replica& a) { a.set("k", "10"); });  // saw the 5
  Replica c(origin_of(3));
  at(c, 2000, [](Replica& r) { r.set("k", "20"); });  // saw nothing, wins
  send(c, pair.a);
  send(c, pair.b);
  exchange(pair.a, pair.b);
  CHECK(pair.a.get("k") == "20");
  CHECK(pair.a == pair.b);
}

TEST_CASE("INCR || DEL: only the unseen increments are left as the value") {
  Pair pair([](Replica& a) { a.incr("k", 5); });
  pair.a.del("k");
  pair.b.incr("k", 2);
  pair.heal();
  CHECK(pair.a.get("k") == "2");
}

TEST_CASE("DEL || DEL of a counter: it is gone, and counting begins at zero") {
  Pair pair([](Replica& a) { a.incr("k", 5); });
  pair.a.del("k");
  pair.b.del("k");
  pair.heal();
  CHECK_FALSE(pair.a.get("k"));
  pair.a.incr("k");
  pair.heal();
  CHECK(pair.b.get("k") == "1");
}

TEST_CASE("INCRBYFLOAT, HINCRBYFLOAT || same: the sum with the same bits on every replica") {
  Pair pair;
  for (int i = 0; i < 10; ++i) {
    pair.a.incr_float("k", "0.1");
    pair.b.incr_float("k", "0.2");
    pair.a.hincr_float("h", "f", "1e-9");
    pair.b.hincr_float("h", "f", "123456789");
  }
  pair.heal();
  CHECK(pair.a.get("k") == "3");
  CHECK(pair.a.hget("h", "f") == pair.b.hget("h", "f"));
}

TEST_CASE("HSET f || HSET g: union") {
  Pair pair;
  pair.a.hset("h", "f", "1");
  pair.b.hset("h", "g", "2");
  pair.heal();
  CHECK(pair.a.fields("h") == Fields{{"f", "1"}, {"g", "2"}});
}

TEST_CASE("HSET f || HSET f: as SET || SET, per field") {
  Pair pair;
  at(pair.a, 1000, [](Replica& a) { a.hset("h", "f", "earlier"); });
  at(pair.b, 2000, [](Replica& b) { b.hset("h", "f", "later"); });
  pair.heal();
  CHECK(pair.a.hget("h", "f") == "later");
}

TEST_CASE("HSET f || HDEL f: the write survives") {
  Pair pair([](Replica& a) { a.hset("h", "f", "old"); });
  pair.a.hset("h", "f", "new");
  pair.b.hdel("h", "f");
  pair.heal();
  CHECK(pair.a.hget("h", "f") == "new");
}

TEST_CASE("HDEL || HINCRBY: of a counter field only the unseen increments survive") {
  Pair pair([](Replica& a) { a.hincr("h", "f", 5); });
  pair.a.hdel("h", "f");
  pair.b.hincr("h", "f", 2);
  pair.heal();
  CHECK(pair.a.hget("h", "f") == "2");
}

TEST_CASE("SADD e || SREM e: e is in") {
  Pair pair([](Replica& a) { a.add("s", "e"); });
  pair.a.add("s", "e");
  pair.b.remove("s", "e");
  pair.heal();
  CHECK(pair.a.elements("s") == Set{"e"});
}

TEST_CASE("SREM e || SREM e: e is gone and leaves no byte behind") {
  Pair pair([](Replica& a) { a.add("s", "e"); });
  pair.a.remove("s", "e");
  pair.b.remove("s", "e");
  pair.heal();
  CHECK(pair.a.elements("s").empty());
  CHECK(pair.a.digest() == Digest{});
  pair.a.checkpoint();
  CHECK(pair.a.stored_cells() == 0);
}

TEST_CASE("a remove kills only observed adds: a client's older context removes less") {
  Pair pair([](Replica& a) { a.add("s", "e"); });
  const VersionVector old = pair.a.applied();
  pair.a.add("s", "e");
  pair.a.remove("s", "e", old);
  CHECK(pair.a.elements("s") == Set{"e"});
  pair.heal();
  VersionVector beyond = pair.a.applied();
  beyond.advance({pair.b.origin(), 1000});
  pair.a.remove("s", "e", beyond);  // may only shrink: what lies ahead is not killed
  pair.b.add("s", "e");
  pair.heal();
  CHECK(pair.a.elements("s") == Set{"e"});
}

TEST_CASE("SMOVE || SMOVE of one member to two sets: it may be in both") {
  Pair pair([](Replica& a) { a.add("from", "e"); });
  const auto move = [](Replica& replica, const std::string& to) {
    replica.begin();
    replica.remove("from", "e");
    replica.add(to, "e");
    replica.commit();
  };
  move(pair.a, "x");
  move(pair.b, "y");
  pair.heal();
  CHECK(pair.a.elements("from").empty());
  CHECK(pair.a.elements("x") == Set{"e"});
  CHECK(pair.a.elements("y") == Set{"e"});
}

TEST_CASE("GETSET || write, GETDEL || write: an overwrite or delete of what they saw") {
  Pair pair([](Replica& a) { a.set("k", "1"); });
  pair.a.del("k");
  pair.b.set("k", "2");
  pair.heal();
  CHECK(pair.a.get("k") == "2");
}

TEST_CASE("SPOP || SPOP: both may return the same member, it is gone afterwards") {
  Pair pair([](Replica& a) { a.add("s", "e"); });
  CHECK(pair.a.elements("s") == pair.b.elements("s"));
  pair.a.remove("s", "e");
  pair.b.remove("s", "e");
  pair.heal();
  CHECK(pair.a.elements("s").empty());
}

TEST_CASE("DEL set || SADD: only what the delete saw dies") {
  Pair pair([](Replica& a) { a.add("s", "seen"); });
  pair.a.del("s");
  pair.b.add("s", "unseen");
  pair.heal();
  CHECK(pair.a.elements("s") == Set{"unseen"});
}

TEST_CASE("DEL set || SADD of an element that was there: the new add keeps it") {
  Pair pair([](Replica& a) { a.add("s", "e"); });
  pair.a.del("s");
  pair.b.add("s", "e");
  pair.heal();
  CHECK(pair.a.elements("s") == Set{"e"});
}

TEST_CASE("DEL hash || HSET, HINCRBY: only what the delete saw dies") {
  Pair pair([](Replica& a) {
    a.hset("h", "f", "1");
    a.hincr("h", "n", 5);
  });
  pair.a.del("h");
  pair.b.hset("h", "g", "2");
  pair.b.hincr("h", "n", 1);
  pair.heal();
  CHECK(pair.a.fields("h") == Fields{{"g", "2"}, {"n", "1"}});
}

TEST_CASE("FLUSHALL || write: everything seen is killed, the unseen stays") {
  Pair pair([](Replica& a) {
    a.set("k", "v");
    a.add("s", "e");
    a.enable("f");
  });
  for (const char* key : {"k", "s", "f"}) {
    pair.a.del(key);
  }
  pair.b.set("k", "w");
  pair.heal();
  CHECK(pair.a.get("k") == "w");
  CHECK(pair.a.elements("s").empty());
  CHECK_FALSE(pair.a.is_on("f"));
}

TEST_CASE("SET k || SADD k: both objects are kept") {
  Pair pair;
  pair.a.set("k", "v");
  pair.b.add("k", "e");
  pair.heal();
  CHECK(pair.a.get("k") == "v");
  CHECK(pair.a.elements("k") == Set{"e"});
  pair.a.del("k");  // covers every type it saw
  pair.heal();
  CHECK_FALSE(pair.b.get("k"));
  CHECK(pair.b.elements("k").empty());
}

TEST_CASE("ZADD x || ZADD x: the later score") {
  Pair pair;
  at(pair.a, 2000, [](Replica& a) { a.zadd("z", "m", 9); });
  at(pair.b, 1000, [](Replica& b) { b.zadd("z", "m", 5); });
  pair.heal();
  CHECK(pair.a.score("z", "m") == 9);
}

TEST_CASE("ZADD GT || ZADD GT: the greatest score; LT || LT: the smallest") {
  Pair pair([](Replica& a) {
    a.zadd("z", "up", 5);
    a.zadd("z", "down", 5);
  });
  at(pair.a, 1000, [](Replica& a) {
    a.zadd("z", "up", 9, ScoreRule::raised);
    a.zadd("z", "down", 1, ScoreRule::lowered);
  });
  at(pair.b, 2000, [](Replica& b) {
    b.zadd("z", "up", 7, ScoreRule::raised);
    b.zadd("z", "down", 3, ScoreRule::lowered);
  });
  pair.heal();
  CHECK(pair.a.score("z", "up") == 9);
  CHECK(pair.a.score("z", "down") == 1);
}

TEST_CASE("ZADD x || ZINCRBY x: the new base plus the unseen increment") {
  Pair pair([](Replica& a) { a.zadd("z", "m", 1); });
  pair.a.zincrby("z", "m", 2);
  pair.b.zadd("z", "m", 10);
  pair.heal();
  CHECK(pair.a.score("z", "m") == 12);
}

TEST_CASE("ZREM x || ZINCRBY x +2, when x was 4.1: 2") {
  Pair pair([](Replica& a) { a.zadd("z", "m", 4.1); });
  pair.a.zrem("z", "m");
  pair.b.zincrby("z", "m", 2);
  pair.heal();
  CHECK(pair.a.score("z", "m") == 2);
}

TEST_CASE("ZREM x || ZADD x: the write survives") {
  Pair pair([](Replica& a) { a.zadd("z", "m", 1); });
  pair.a.zrem("z", "m");
  pair.b.zadd("z", "m", 3);
  pair.heal();
  CHECK(pair.a.score("z", "m") == 3);
}

TEST_CASE("EXPIRE || EXPIRE: the later deadline; EXPIRE || PERSIST: persistent") {
  Pair pair([](Replica& a) { a.set("k", "v"); });
  pair.a.expire_at("k", 9000);
  pair.b.expire_at("k", 3000);
  pair.heal();
  CHECK(pair.a.deadline("k") == 9000);
  pair.a.expire_at("k", 1000);  // saw both
  pair.b.persist("k");
  pair.heal();
  CHECK_FALSE(pair.a.deadline("k"));
}

TEST_CASE("EXPIRE || SET: the deadline holds, unless the SET had seen it") {
  Pair pair([](Replica& a) { a.set("k", "old"); });
  pair.a.expire_at("k", 9000);
  pair.b.set_anew("k", "new");
  pair.heal();
  CHECK(pair.a.get("k") == "new");
  CHECK(pair.a.deadline("k") == 9000);
  pair.b.set_anew("k", "newer");
  pair.heal();
  CHECK_FALSE(pair.a.deadline("k"));
}

TEST_CASE("expiry || write: what it had not seen survives, with its own deadline if any") {
  Pair pair([](Replica& a) {
    a.add("s", "seen");
    a.expire_at("s", 1000);
  });
  CHECK(pair.a.expire("s", 1000));
  pair.b.add("s", "unseen");
  pair.heal();
  CHECK(pair.a.elements("s") == Set{"unseen"});
  CHECK_FALSE(pair.a.deadline("s"));
  pair.a.expire_at("s", 2000);
  exchange(pair.a, pair.b);
  CHECK(pair.a.expire("s", 2000));
  pair.b.add("s", "again");
  pair.b.expire_at("s", 9000);
  pair.heal();
  CHECK(pair.a.elements("s") == Set{"again"});
  CHECK(pair.a.deadline("s") == 9000);
}

TEST_CASE("expiry || EXPIRE: the key is gone") {
  Pair pair([](Replica& a) {
    a.set("k", "v");
    a.expire_at("k", 1000);
  });
  CHECK(pair.a.expire("k", 1000));
  pair.b.expire_at("k", 9000);
  pair.heal();
  CHECK_FALSE(pair.a.get("k"));
}

TEST_CASE("expiry of a counter takes away what it saw; unseen increments are left") {
  Pair pair([](Replica& a) {
    a.incr("k", 5);
    a.expire_at("k", 1000);
  });
  CHECK(pair.a.expire("k", 1000));
  pair.b.incr("k", 2);
  pair.heal();
  CHECK(pair.a.get("k") == "2");
}

TEST_CASE("MULTI/EXEC is one entry: concurrent parts merge per type") {
  Pair pair;
  pair.a.begin();
  pair.a.set("k", "1");
  pair.a.add("s", "a");
  pair.a.incr("n", 1);
  pair.a.commit();
  pair.b.begin();
  pair.b.add("s", "b");
  pair.b.incr("n", 2);
  pair.b.commit();
  pair.heal();
  CHECK(pair.a.get("k") == "1");
  CHECK(pair.a.elements("s") == Set{"a", "b"});
  CHECK(pair.a.get("n") == "3");
}

TEST_CASE("multi-value register: concurrent values are all shown until a write that saw them") {
  Pair pair;
  pair.a.assign("r", "x");
  pair.b.assign("r", "y");
  pair.heal();
  CHECK(pair.a.values("r") == std::vector<std::string>{"x", "y"});
  pair.b.assign("r", "z");
  pair.heal();
  CHECK(pair.a.values("r") == std::vector<std::string>{"z"});
}

TEST_CASE("multi-value register: equal concurrent values are shown once") {
  Pair pair;
  pair.a.assign("r", "x");
  pair.b.assign("r", "x");
  pair.heal();
  CHECK(pair.a.values("r") == std::vector<std::string>{"x"});
}

TEST_CASE("enable-wins flag: enable || disable is on") {
  Pair pair([](Replica& a) { a.enable("f"); });
  pair.a.enable("f");
  pair.b.disable("f");
  pair.heal();
  CHECK(pair.a.is_on("f"));
  pair.a.disable("f");
  pair.heal();
  CHECK_FALSE(pair.b.is_on("f"));
}

TEST_CASE("two clients of one node never create siblings") {
  Pair pair;
  pair.a.set("k", "first client");
  pair.a.set("k", "second client");
  CHECK(pair.a.siblings("k") == 1);
}

}  // namespace starling::test
