// The rows of semantics.md about whole keys: types, deadlines, MULTI, flushing, one function each.
#include <array>
#include <string>

#include "tests/sim/door_command.h"
#include "tests/sim/scenarios.h"
#include "tests/sim/two_sides.h"

namespace starling::sim {
namespace {

// ---------------------------------------------------------------- whole keys

void del_write_inside(Stage& stage) {
  TwoSides two(stage, {"SADD s seen", "HSET h seen 1", "ZADD z 1 seen"});
  for (const char* key : {"s", "h", "z"}) {
    two.a(std::string("DEL ") + key);
  }
  two.b("SADD s unseen");
  two.b("HSET h unseen 1");
  two.b("ZADD z 2 unseen");
  two.agree("SMEMBERS s", Lines{"unseen"});
  two.agree("HGETALL h", Lines{"unseen", "1"});
  two.agree("ZRANGE z 0 -1 WITHSCORES", Lines{"unseen", "2"});
}

void rename_write(Stage& stage) {
  TwoSides two(stage, {"SADD s seen", "SADD c seen"});
  two.a("RENAME s t");
  two.a("COPY c d");
  two.b("SADD s unseen");
  two.b("SADD c unseen");
  two.agree("SMEMBERS t", Lines{"seen"});
  two.agree("SMEMBERS s", Lines{"unseen"});
  two.agree("SMEMBERS d", Lines{"seen"});
  two.agree("SMEMBERS c", Lines{"seen", "unseen"});
}

void two_types(Stage& stage) {
  TwoSides two(stage);
  two.a("SET k v");
  two.b("SADD k e");
  two.agree("TYPE k", "set");
  two.a_answers("GET k", wire::ErrorCode::wrong_type);
  two.b("DEL k");
  two.agree("EXISTS k", 0);
}

void set_covers_types(Stage& stage) {
  TwoSides two(stage);
  two.a("HSET k f 1");
  two.b("ZADD k 1 m");
  two.heal();
  two.a("SET k v");
  two.agree("TYPE k", "string");
  two.b("DEL k");
  two.agree("TYPE k", "none");
}

// The odd one out of a transaction's commands shows first if it was not one entry.
void multi_is_one(Stage& stage) {
  TwoSides two(stage, {"SET x 1"});
  const auto done = stage.redis(two.node_a(), 0, {"INCRBY x 1", "SADD s a", "HSET h f 1"});
  stage.expect(done.size() == 3, "spec", "a MULTI of three has not three replies");
  (void)stage.redis(two.node_b(), 0, {"INCRBY x 10", "SADD s b", "HSET h f 2"});
  two.agree("GET x", "12");
  two.agree("SMEMBERS s", Lines{"a", "b"});
  two.agree("HGETALL h", Lines{"f", "2"});
}

void watch_sees_changes(Stage& stage) {
  TwoSides two(stage, {"SET k 1"});
  (void)stage.redis(two.node_a(), 7, {"WATCH k"});
  two.b("SET k unseen");  // cut off: what this node does not see does not count
  auto done = stage.redis(two.node_a(), 7, {"SET k 2", "SET l 2"});
  stage.expect(done.size() == 2, "spec", "a WATCH saw what its node has not seen");
  (void)stage.redis(two.node_a(), 7, {"WATCH k"});
  two.heal();
  done = stage.redis(two.node_a(), 7, {"SET k 3", "SET l 3"});
  stage.expect(done.size() == 1, "spec", "a WATCH missed what came from another node");
  two.agree("GET l", "2");
}

void flushall_write(Stage& stage) {
  TwoSides two(stage, {"SET k v", "SADD s seen", "INCRBY n 5", "ZADD z 1 seen"});
  two.a("FLUSHALL");
  two.b("SET k unseen");
  two.b("SADD s unseen");
  two.b("INCRBY n 2");
  two.b("ZINCRBY z 2 seen");
  two.agree("GET k", "unseen");
  two.agree("SMEMBERS s", Lines{"unseen"});
  two.agree("GET n", "2");
  two.agree("ZSCORE z seen", "2");
  two.agree("DBSIZE", 4);
}

void flushdb_spares_others(Stage& stage) {
  TwoSides two(stage, {"SET k v"});
  (void)stage.ask(two.node_a(), door_command("SET k w", 1));
  two.a("FLUSHDB");
  two.agree("DBSIZE", 0);
  stage.expect(stage.ask(two.node_b(), door_command("GET k", 1)) == wire::Result("w"), "spec",
               "FLUSHDB took away what is in another database");
}

// ---------------------------------------------------------------- deadlines

void expire_expire(Stage& stage) {
  TwoSides two(stage, {"SET k v"});
  two.a("PEXPIRE k 90000");
  two.b("PEXPIRE k 3000");
  two.heal();
  stage.run(4 * second);
  two.agree("GET k", "v");
  two.a("PEXPIRE k 500");  // saw both
  stage.run(2 * second);
  two.agree("EXISTS k", 0);
}

void set_ex_set(Stage& stage) {
  TwoSides two(stage, {"SET k old"});
  two.a("SET k earlier PX 3000");
  two.b("SET k later");
  two.agree("GET k", "later");
  stage.run(5 * second);
  two.agree("EXISTS k", 0);  // the deadline is the key's
}

void expire_set(Stage& stage) {
  TwoSides two(stage, {"SET k old", "SET l old"});
  two.a("PEXPIRE k 3000");
  two.b("SET k new");
  two.heal();
  two.a("PEXPIRE l 3000");
  two.heal();
  two.b("SET l new");  // saw the deadline, and clears it
  stage.run(5 * second);
  two.agree("EXISTS k", 0);
  two.agree("GET l", "new");
}

void expire_persist(Stage& stage) {
  TwoSides two(stage, {"SET k v PX 20000"});
  two.a("PERSIST k");
  two.b("PEXPIRE k 2000");
  two.heal();
  stage.run(25 * second);
  two.agree("PTTL k", -1);
}

void expiry_write(Stage& stage) {
  TwoSides two(stage, {"SADD s seen", "PEXPIRE s 2000"});
  two.b("SADD s unseen");
  two.b("PERSIST s");
  stage.run(4 * second);  // the other side takes away what it sees
  two.a_answers("EXISTS s", 0);
  two.agree("SMEMBERS s", Lines{"unseen"});
  two.agree("PTTL s", -1);
}

// A type that is hidden behind another goes with it.
void expiry_of_two_types(Stage& stage) {
  TwoSides two(stage);
  two.a("SADD k e");
  two.b("HSET k f 1");
  two.agree("TYPE k", "hash");
  two.a("PEXPIRE k 2000");
  two.heal();
  stage.run(5 * second);
  two.agree("EXISTS k", 0);
  two.a("SADD k new");
  two.agree("SMEMBERS k", Lines{"new"});
  two.agree("DBSIZE", 1);
}

void expect_conflicts(Stage& stage, NodeIndex node, int wanted, const std::string& when) {
  const auto told = stage.ask(node, {wire::CommandCode::conflicts, 0, "", {}, 0});
  const auto* text = std::get_if<std::string>(&told);
  const std::string journal = text != nullptr ? *text : std::string();
  constexpr std::string_view loser = "\"lost\":";
  int lines = 0;
  for (auto at = journal.find(loser); at != std::string::npos; at = journal.find(loser, at + 1)) {
    ++lines;
  }
  stage.expect(lines == wanted, "journal",
               "the journal of a node has " + std::to_string(lines) + " lines instead of " +
                   std::to_string(wanted) + " " + when);
}

// Both nodes note the same losers, each once, and still have them after a crash.
void conflicts_are_noted(Stage& stage) {
  TwoSides two(stage);
  for (const char* line : {"SET k earlier", "HSET h f earlier", "ZADD z 1 earlier"}) {
    two.a(line);
  }
  for (const char* line : {"SET k later", "HSET h f later", "ZADD z 2 earlier", "SET alone x"}) {
    two.b(line);
  }
  two.heal();
  const auto check = [&](const char* when) {
    for (const NodeIndex node : {two.node_a(), two.node_b()}) {
      expect_conflicts(stage, node, 3, when);
    }
  };
  for (const NodeIndex node : {two.node_a(), two.node_b()}) {
    stage.checkpoint(node);
  }
  check("after a checkpoint");
  for (const NodeIndex node : {two.node_a(), two.node_b()}) {
    stage.kill(node);
    stage.start(node);
  }
  stage.settle();
  check("after a crash");
}

// Found by reading: a flush took what nobody had decided yet, and nobody ever noted it.
void flush_of_undecided(Stage& stage) {
  TwoSides two(stage);
  two.a("SET k earlier");
  two.b("SET k later");
  stage.checkpoint(two.node_b());
  stage.kill(two.node_b());
  stage.start(two.node_b());  // k is cold there when the other write comes
  two.heal();
  two.b_answers("GET k", "later");
  two.b("FLUSHALL");
  expect_conflicts(stage, two.node_b(), 1, "after a flush");
  stage.kill(two.node_b());
  stage.start(two.node_b());
  stage.settle();
  expect_conflicts(stage, two.node_b(), 1, "after a flush and a crash");
}

void expiry_expire(Stage& stage) {
  TwoSides two(stage, {"SET k v PX 2000"});
  two.b("PEXPIRE k 60000");
  stage.run(4 * second);
  two.agree("EXISTS k", 0);
}

// A fast clock alone hides nothing and takes nothing away.
void fast_clock(Stage& stage) {
  const NodeIndex n0 = stage.node();
  const NodeIndex n1 = stage.node();
  stage.settle();
  stage.cluster().clock(n1).skew_ms = 3'600'000;
  (void)stage.redis(n0, "SET k v PX 60000");
  stage.settle();
  stage.run(5 * second);
  stage.expect_redis(n1, "GET k", wire::Result("v"));
  stage.expect_redis(n0, "GET k", wire::Result("v"));
  stage.run(60 * second);
  stage.expect_redis(n0, "EXISTS k", wire::Result(std::int64_t{0}));
  stage.expect(stage.view(n0).expired_keys + stage.view(n1).expired_keys == 1, "TTL",
               "an expired key was not taken away by exactly one node");
}

// Nobody who could take it away has done so yet, and reads leave it to them.
void hidden_at_once(Stage& stage) {
  const NodeIndex n0 = stage.node();
  const NodeIndex n1 = stage.absent_node();
  (void)n1;
  (void)stage.redis(n0, "SET k v PX 1000");
  (void)stage.redis(n0, "HSET h f 1");
  (void)stage.redis(n0, "PEXPIRE h 1000");
  stage.cluster().disk(n0).set_full(true);  // no entries now, of expiry neither
  stage.run(3 * second);
  const VersionVector before = stage.view(n0).applied;
  for (const char* line : {"EXISTS k", "EXISTS h", "HLEN h"}) {
    stage.expect_redis(n0, line, wire::Result(std::int64_t{0}));
  }
  stage.expect_redis(n0, "TYPE k", wire::Result("none"));
  stage.expect_redis(n0, "PTTL k", wire::Result(std::int64_t{-2}));
  stage.expect(stage.view(n0).applied == before, "TTL", "a read of an expired key wrote something");
  stage.cluster().disk(n0).set_full(false);
}

// What expired never mixes with what is new, even if it was a counter or of another type.
void write_after_expiry(Stage& stage) {
  TwoSides two(stage, {"INCRBY n 5", "PEXPIRE n 1000", "SADD k old", "PEXPIRE k 1000"});
  stage.cluster().disk(two.node_a()).set_full(true);
  stage.cluster().disk(two.node_b()).set_full(true);
  stage.run(2 * second);
  stage.cluster().disk(two.node_a()).set_full(false);
  stage.cluster().disk(two.node_b()).set_full(false);
  stage.expect_redis(two.node_a(), "INCRBY n 2", wire::Result(std::int64_t{2}));
  stage.expect_redis(two.node_a(), "HSET k f 1", wire::Result(std::int64_t{1}));
  two.agree("GET n", "2");
  two.agree("PTTL n", -1);
  two.agree("HGETALL k", Lines{"f", "1"});
}

// A deadline without a value is no key, and does not wait for the next one of that name.
void deadline_of_no_key(Stage& stage) {
  TwoSides two(stage, {"SET k v"});
  two.a("DEL k");
  two.b("PEXPIRE k 3000");
  two.agree("EXISTS k", 0);
  two.a("SET k new");
  stage.run(5 * second);
  two.agree("GET k", "new");
}

// ---------------------------------------------------------------- types of the native door

void flag_flag(Stage& stage) {
  TwoSides two(stage);
  (void)stage.ask(two.node_a(), {wire::CommandCode::flag_enable, 0, "f", {}, 0});
  two.heal();
  stage.isolate(two.node_b());
  (void)stage.ask(two.node_a(), {wire::CommandCode::flag_enable, 0, "f", {}, 0});
  (void)stage.ask(two.node_b(), {wire::CommandCode::flag_disable, 0, "f", {}, 0});
  two.heal();
  for (const NodeIndex node : {two.node_a(), two.node_b()}) {
    stage.expect(stage.ask(node, {wire::CommandCode::flag_get, 0, "f", {}, 0}) ==
                     wire::Result(std::int64_t{1}),
                 "spec", "a disable took away an enable that it had not seen");
  }
}

void mv_mv(Stage& stage) {
  TwoSides two(stage);
  (void)stage.ask(two.node_a(), {wire::CommandCode::mv_set, 0, "r", {"x"}, 0});
  (void)stage.ask(two.node_b(), {wire::CommandCode::mv_set, 0, "r", {"y"}, 0});
  two.heal();
  for (const NodeIndex node : {two.node_a(), two.node_b()}) {
    stage.expect(stage.ask(node, {wire::CommandCode::mv_get, 0, "r", {}, 0}) ==
                     wire::Result(Lines{"x", "y"}),
                 "spec", "a multi-value register does not show what was written at the same time");
  }
}

constexpr std::array rows_of_keys = {
    Scenario{"del_write_inside", "DEL of a collection || write inside: what it saw dies",
             del_write_inside},
    Scenario{"rename_write", "RENAME, COPY || write: act on what they saw", rename_write},
    Scenario{"two_types", "two types under one key: the later one is visible", two_types},
    Scenario{"set_covers_types", "SET and DEL cover all types that they saw", set_covers_types},
    Scenario{"multi_is_one", "MULTI || MULTI: merged per type", multi_is_one},
    Scenario{"watch_sees_changes", "WATCH protects against what this node sees",
             watch_sees_changes},
    Scenario{"flushall_write", "FLUSHALL || write: everything seen dies", flushall_write},
    Scenario{"flushdb_spares_others", "FLUSHDB: of one database", flushdb_spares_others},
    Scenario{"expire_expire", "EXPIRE || EXPIRE: the later deadline", expire_expire},
    Scenario{"set_ex_set", "SET EX || SET: the later value, and the deadline is the key's",
             set_ex_set},
    Scenario{"expire_set", "EXPIRE || SET: the deadline holds unless the SET saw it", expire_set},
    Scenario{"expire_persist", "EXPIRE || PERSIST: persistent", expire_persist},
    Scenario{"expiry_write", "expiry || write: what it had not seen survives", expiry_write},
    Scenario{"expiry_of_two_types", "expiry covers all types under the key", expiry_of_two_types},
    Scenario{"conflicts_are_noted", "what lost is in the journal of both, once",
             conflicts_are_noted},
    Scenario{"flush_of_undecided", "FLUSHALL after a conflict on a cold key: the line is kept",
             flush_of_undecided},
    Scenario{"expiry_expire", "expiry || EXPIRE: the key is gone", expiry_expire},
    Scenario{"fast_clock", "a fast clock alone expires nothing", fast_clock},
    Scenario{"hidden_at_once", "reads hide an expired key at once, and write nothing",
             hidden_at_once},
    Scenario{"write_after_expiry", "a write to an expired key takes that away first",
             write_after_expiry},
    Scenario{"deadline_of_no_key", "EXPIRE || DEL: a deadline without a value is no key",
             deadline_of_no_key},
    Scenario{"flag_flag", "flag enable || disable: on", flag_flag},
    Scenario{"mv_mv", "mv set || mv set: both are shown", mv_mv},
};

}  // namespace

std::span<const Scenario> scenarios_of_keys() { return rows_of_keys; }

}  // namespace starling::sim
