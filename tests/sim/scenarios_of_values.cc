// The rows of semantics.md about strings, hashes, sets and sorted sets, one function each.
#include <array>
#include <string>

#include "tests/sim/door_command.h"
#include "tests/sim/scenarios.h"
#include "tests/sim/two_sides.h"

namespace starling::sim {
namespace {

// ---------------------------------------------------------------- strings and counters

void set_set(Stage& stage) {
  TwoSides two(stage);
  two.a("SET k earlier");
  two.b("SET k later");
  two.agree("GET k", "later");
  two.a("SET k next");
  two.agree("GET k", "next");
}

void set_del(Stage& stage) {
  TwoSides two(stage, {"SET k old"});
  two.a("SET k new");
  two.b("DEL k");
  two.agree("GET k", "new");
}

void set_nx_set_nx(Stage& stage) {
  TwoSides two(stage, {"SET taken x"});
  two.a("SET k earlier NX");
  two.b("SET k later NX");
  two.a("SET taken y NX");
  two.agree("GET k", "later");
  two.agree("GET taken", "x");
}

void setnx_setnx(Stage& stage) {
  TwoSides two(stage);
  two.a_answers("SETNX lock a", 1);
  two.b_answers("SETNX lock b", 1);
  two.agree("GET lock", "b");
}

void append_set(Stage& stage) {
  TwoSides two(stage, {"SET k ab", "SET l ab"});
  two.a("APPEND k c");
  two.b("APPEND k d");
  two.a("SETRANGE l 0 x");
  two.b("SET l later");
  two.agree("GET k", "abd");
  two.agree("GET l", "later");
}

void incr_incr(Stage& stage) {
  TwoSides two(stage, {"SET k 10"});
  two.a("INCRBY k 5");
  two.b("DECR k");
  two.b("INCR k");
  two.b("INCRBY k 100");
  two.agree("GET k", "115");
}

void incr_overflow(Stage& stage) {
  TwoSides two(stage, {"SET k 9223372036854775800"});
  two.a_answers("INCRBY k 8", wire::ErrorCode::overflow);
  two.a("INCRBY k 7");
  two.b("INCRBY k 7");
  two.agree("GET k", "9223372036854775807");
}

void incr_reply(Stage& stage) {
  TwoSides two(stage);
  two.a_answers("INCR id", 1);
  two.b_answers("INCR id", 1);
  two.agree("GET id", "2");
}

void text_incr(Stage& stage) {
  TwoSides two(stage);
  two.a("INCR k");
  two.b("SET k text");
  two.agree("GET k", "text");
  two.a_answers("INCR k", wire::ErrorCode::not_a_number);
  two.b("SET k 7");
  two.agree("GET k", "7");
}

void incr_float(Stage& stage) {
  TwoSides two(stage, {"SET k 1"});
  two.a("INCRBY k 2");
  two.b("INCRBYFLOAT k 0.5");
  two.agree("GET k", "3.5");
}

void set_then_incr(Stage& stage) {
  TwoSides two(stage, {"SET k 41", "SET t text"});
  two.a_answers("INCR k", 42);
  two.b_answers("INCR t", wire::ErrorCode::not_a_number);
  two.agree("GET k", "42");
}

void incr_set(Stage& stage) {
  TwoSides two(stage, {"INCRBY k 5"});
  two.a("INCRBY k 2");
  two.b("SET k 100");  // has seen the 5, not the 2
  two.agree("GET k", "102");
}

void incr_del(Stage& stage) {
  TwoSides two(stage, {"INCRBY k 5"});
  two.a("INCRBY k 2");
  two.b("DEL k");
  two.agree("GET k", "2");
}

void float_sums(Stage& stage) {
  TwoSides two(stage);
  for (const char* line : {"INCRBYFLOAT k 0.1", "HINCRBYFLOAT h f 0.1", "ZINCRBY z 0.1 m"}) {
    two.a(line);
    two.b(line);
    two.a(line);
  }
  two.agree("GET k", "0.3");
  two.agree("HGET h f", "0.3");
  two.agree("ZSCORE z m", "0.30000000000000004");
}

void store_write(Stage& stage) {
  TwoSides two(stage, {"SADD x 1 2", "SADD y 2 3", "SADD out old"});
  two.a("SINTERSTORE out x y");
  two.b("SADD out unseen");
  two.agree("SMEMBERS out", Lines{"2", "unseen"});
}

void getdel_getset(Stage& stage) {
  TwoSides two(stage, {"SET k 1", "SET l 1"});
  two.a_answers("GETDEL k", "1");
  two.b("SET k 2");
  two.b("SET l 2");
  two.a_answers("GETSET l 3", "1");
  two.agree("GET k", "2");
  two.agree("GET l", "3");
}

// ---------------------------------------------------------------- hashes and sets

void hset_union(Stage& stage) {
  TwoSides two(stage);
  two.a("HSET h f 1");
  two.b("HSET h g 2");
  two.agree("HGETALL h", Lines{"f", "1", "g", "2"});
}

void hset_hset(Stage& stage) {
  TwoSides two(stage);
  two.a("HSET h f earlier");
  two.b("HSET h f later");
  two.agree("HGETALL h", Lines{"f", "later"});
}

void hset_hdel(Stage& stage) {
  TwoSides two(stage, {"HSET h f old", "HINCRBY h n 5"});
  two.a("HSET h f new");
  two.a("HINCRBY h n 2");
  two.b("HDEL h f n");
  two.agree("HGETALL h", Lines{"f", "new", "n", "2"});
}

void hincrby_hset(Stage& stage) {
  TwoSides two(stage, {"HSET h sum 10", "HINCRBY h set 10"});
  two.a("HINCRBY h sum 1");
  two.b("HINCRBY h sum 2");
  two.a("HINCRBY h set 3");
  two.b("HSET h set 100");
  two.agree("HGETALL h", Lines{"set", "103", "sum", "13"});
}

void sadd_srem(Stage& stage) {
  TwoSides two(stage, {"SADD s e gone"});
  two.a("SADD s e");
  two.b("SREM s e gone");
  two.agree("SMEMBERS s", Lines{"e"});
}

void smove_smove(Stage& stage) {
  TwoSides two(stage, {"SADD s e"});
  two.a("SMOVE s left e");
  two.b("SMOVE s right e");
  two.agree("SMEMBERS left", Lines{"e"});
  two.agree("SMEMBERS right", Lines{"e"});
  two.agree("EXISTS s", 0);
}

void spop_spop(Stage& stage) {
  TwoSides two(stage, {"SADD s only"});
  two.a_answers("SPOP s", "only");
  two.b_answers("SPOP s", "only");
  two.agree("EXISTS s", 0);
}

void zpopmin_zpopmin(Stage& stage) {
  TwoSides two(stage, {"ZADD z 1 least 2 more"});
  two.a_answers("ZPOPMIN z", Lines{"least", "1"});
  two.b_answers("ZPOPMIN z", Lines{"least", "1"});
  two.agree("ZRANGE z 0 -1 WITHSCORES", Lines{"more", "2"});
}

// ---------------------------------------------------------------- sorted sets

void zadd_zadd(Stage& stage) {
  TwoSides two(stage);
  two.a_answers("ZADD z NX 9 m", 1);
  two.b_answers("ZADD z NX 5 m", 1);
  two.agree("ZSCORE z m", "5");
  two.a_answers("ZADD z XX CH 6 m 7 other", 1);
  two.agree("ZCARD z", 1);
}

void zadd_raises(Stage& stage) {
  TwoSides two(stage, {"ZADD up 5 m", "ZADD down 5 m"});
  two.a("ZADD up GT 9 m");
  two.b("ZADD up GT 7 m");
  two.a("ZADD down LT 1 m");
  two.b("ZADD down LT 3 m");
  two.agree("ZSCORE up m", "9");
  two.agree("ZSCORE down m", "1");
}

void zadd_zincrby(Stage& stage) {
  TwoSides two(stage, {"ZADD z 1 m"});
  two.a("ZINCRBY z 2 m");
  two.b("ZADD z 10 m");
  two.agree("ZSCORE z m", "12");
}

void zrem_zincrby(Stage& stage) {
  TwoSides two(stage, {"ZADD z 4.1 m"});
  two.a("ZREM z m");
  two.b("ZINCRBY z 2 m");
  two.agree("ZSCORE z m", "2");
}

void zrem_zadd(Stage& stage) {
  TwoSides two(stage, {"ZADD z 1 m"});
  two.a("ZREM z m");
  two.b("ZADD z 3 m");
  two.agree("ZSCORE z m", "3");
}

constexpr std::array rows_of_values = {
    Scenario{"set_set", "SET || SET: the later is read, and the next replaces both", set_set},
    Scenario{"set_del", "SET || DEL: the SET survives", set_del},
    Scenario{"setnx_setnx", "SETNX || SETNX: both are answered 1, the later is read", setnx_setnx},
    Scenario{"set_nx_set_nx", "SET NX || SET NX: both are answered OK, the later is read",
             set_nx_set_nx},
    Scenario{"append_set", "APPEND, SETRANGE || write: a write of the whole value", append_set},
    Scenario{"incr_incr", "INCR || INCR, DECR, INCRBY: the sum of all", incr_incr},
    Scenario{"incr_overflow", "INCR: refused beyond 64 bits, a merged sum saturates",
             incr_overflow},
    Scenario{"incr_reply", "the reply of INCR is what this node has seen", incr_reply},
    Scenario{"text_incr", "SET text || INCR: the text is read, the next SET resets", text_incr},
    Scenario{"incr_float", "INCR || INCRBYFLOAT: the sum", incr_float},
    Scenario{"set_then_incr", "SET n, then INCR: a counter with that base", set_then_incr},
    Scenario{"incr_set", "INCR || SET: an unseen increment adds to the winner", incr_set},
    Scenario{"incr_del", "INCR || DEL: the unseen increments are left", incr_del},
    Scenario{"float_sums", "INCRBYFLOAT, HINCRBYFLOAT, ZINCRBY || same: the same bits", float_sums},
    Scenario{"store_write", "…STORE || write: an overwrite of what it saw", store_write},
    Scenario{"getdel_getset", "GETDEL, GETSET || write: of what they saw", getdel_getset},
    Scenario{"hset_union", "HSET f || HSET g: union", hset_union},
    Scenario{"hset_hset", "HSET f || HSET f: as SET || SET", hset_hset},
    Scenario{"hset_hdel", "HSET || HDEL || HINCRBY: the write and the unseen increments survive",
             hset_hdel},
    Scenario{"hincrby_hset", "HINCRBY || HINCRBY, HSET: unseen increments add", hincrby_hset},
    Scenario{"sadd_srem", "SADD e || SREM e: e is in", sadd_srem},
    Scenario{"smove_smove", "SMOVE || SMOVE to two sets: in both", smove_smove},
    Scenario{"spop_spop", "SPOP || SPOP: both may return it, then it is gone", spop_spop},
    Scenario{"zpopmin_zpopmin", "ZPOPMIN || ZPOPMIN: both may return it, then it is gone",
             zpopmin_zpopmin},
    Scenario{"zadd_zadd", "ZADD x || ZADD x: the later; NX and XX as the node sees it", zadd_zadd},
    Scenario{"zadd_raises", "ZADD GT || GT the greatest, LT || LT the smallest", zadd_raises},
    Scenario{"zadd_zincrby", "ZADD x || ZINCRBY x: base and unseen increments", zadd_zincrby},
    Scenario{"zrem_zincrby", "ZREM x || ZINCRBY x: the unseen increments", zrem_zincrby},
    Scenario{"zrem_zadd", "ZREM x || ZADD x: the write survives", zrem_zadd},
};

}  // namespace

std::span<const Scenario> scenarios_of_values() { return rows_of_values; }

}  // namespace starling::sim
