"""docs/semantics.md as commands: what two nodes write while neither hears the other, and what both show afterwards.

A row names the line of docs/semantics.md that it belongs to. In its commands K, K1, K2 are keys of this row alone; T1 and
T2 are moments far ahead, T2 the later one. A command is 'words' or ('words', expected reply). Those on b come after those on
a, by wall clock too. Words of Redis run through every door that has them, see semantics_doors.py; `flag` and `mv` are
kvctl's.
"""

from dataclasses import dataclass, field

MAX = 2**63 - 1
T1, T2 = 4_102_444_800_000, 4_102_444_801_000  # the year 2100, in milliseconds


@dataclass(frozen=True)
class Refused:
    """A reply that is an error: by kvctl's word for it, and by a part of Redis's."""

    code: str
    redis: str


WRONG_TYPE = Refused("wrong_type", "WRONGTYPE")
NOT_A_NUMBER = Refused("not_a_number", "not an integer")
OVERFLOW = Refused("overflow", "would overflow")


@dataclass
class Row:
    of: str  # first column of docs/semantics.md
    name: str
    a: list
    b: list
    then: list  # on both nodes, once healed
    before: list = field(default_factory=list)
    why: list = field(default_factory=list)  # parts of what is said about K
    after: list = field(default_factory=list)  # on b, having seen both sides
    finally_: list = field(default_factory=list)  # on both again
    siblings: int | None = None  # of K's first cell, at the very end
    db: int = 0


STRINGS = [
    Row("SET ‖ SET", "the later clock is read, why shows the other, the next SET replaces both",
        a=["SET K earlier"], b=["SET K later"], then=[("GET K", "later")],
        why=['is "later", written by b', 'At the same time, "earlier" was written by a', "the later clock is read"],
        after=["SET K next"], finally_=[("GET K", "next")], siblings=1),
    Row("SET ‖ SET", "the later one on a", before=["SET K old"], a=["SET K x"], b=["SET K y", "SET K z"],
        then=[("GET K", "z")]),
    Row("SET ‖ DEL", "the SET survives", before=["SET K old"], a=["SET K new"], b=[("DEL K", 1)],
        then=[("GET K", "new")],
        why=['is "new", written by a']),
    Row("SET ‖ DEL", "also if the DEL is the older", before=["SET K old"], a=["DEL K"], b=["SET K new"],
        then=[("GET K", "new")]),
    Row("SET ‖ DEL", "DEL ‖ DEL", before=["SET K old"], a=[("DEL K", 1)], b=[("DEL K", 1)], then=[("GET K", None)]),
    Row("SET NX ‖ SET NX", "both may answer OK, and it is no lock", a=[("SET K mine NX", "OK")],
        b=[("SET K mine-too NX", "OK"), ("SET K again NX", None)], then=[("GET K", "mine-too")]),
    Row("SET NX ‖ SET NX", "SETNX, MSETNX and SET XX decide by what they see", before=["SET K1 old"],
        a=[("SETNX K a", 1), ("MSETNX K1 a K2 a", 0)],
        b=[("SETNX K b", 1), ("MSETNX K2 b", 1), ("SET K1 new XX", "OK")],
        then=[("MGET K K1 K2", ["b", "new", "b"])]),
    Row("APPEND, SETRANGE ‖ any write of the string", "each writes the whole value", before=["SET K ab", "SET K1 abcd"],
        a=[("APPEND K -a", 4), ("SETRANGE K1 0 A", 4)], b=[("APPEND K -bb", 5), ("SETRANGE K1 3 D", 4)],
        then=[("GET K", "ab-bb"), ("GET K1", "abcD")], why=['"ab-a" was written by a']),
    Row("APPEND, SETRANGE ‖ any write of the string", "SET ‖ APPEND: the later", before=["SET K ab"], a=["SET K new"],
        b=["APPEND K c"], then=[("GET K", "abc")]),
    Row("APPEND, SETRANGE ‖ any write of the string", "APPEND ‖ DEL: what was appended to stays", before=["SET K ab"],
        a=["APPEND K c"], b=["DEL K"], then=[("GET K", "abc")]),
    Row("APPEND, SETRANGE ‖ any write of the string", "APPEND to a counter writes its printed value, others add to the base",
        before=["INCRBY K 5"], a=[("APPEND K 0", 2)], b=["INCRBY K 2"], then=[("GET K", "52")]),
]

COUNTERS = [
    Row("INCR ‖ INCR", "the sum of all", before=["INCRBY K 5"], a=["INCRBY K 10", "DECR K"], b=["INCRBY K 100"],
        then=[("GET K", "114"), ("TYPE K", "string")], why=["a added", "b added 100 to it"]),
    Row("INCR ‖ INCR", "beyond 64 bits it is refused where it is made", before=[f"SET K {MAX - 1}"],
        a=[("INCR K", MAX), ("INCR K", OVERFLOW)], b=[("DECR K", MAX - 2)], then=[("GET K", str(MAX - 1))]),
    Row("INCR ‖ INCR", "a merged sum beyond 64 bits saturates everywhere", before=[f"SET K {MAX - 10}"],
        a=[("INCRBY K 10", MAX)], b=[("INCRBY K 10", MAX)], then=[("GET K", str(MAX))]),
    Row("the reply of INCR", "what this node has seen: two nodes may say the same", before=["INCR K"],
        a=[("INCR K", 2)],
        b=[("INCR K", 2)], then=[("GET K", "3")]),
    Row("SET n, then INCR", "a counter with that base", before=["SET K 40"], a=[("INCR K", 41)], b=[("INCR K", 41)],
        then=[("GET K", "42")]),
    Row("SET n, then INCR", "of text it is an error", before=["SET K text"], a=[("INCR K", NOT_A_NUMBER)],
        b=[("INCR K", NOT_A_NUMBER)], then=[("GET K", "text")]),
    Row("INCR ‖ SET, INCR ‖ DEL", "increments that the SET had seen are gone, others add to it", before=["INCRBY K 5"],
        a=["INCRBY K 3"], b=["SET K 100"], then=[("GET K", "103")], why=['is "100", written by b', "a added 3 to it"]),
    Row("INCR ‖ SET, INCR ‖ DEL", "the unseen increments are the value", before=["INCRBY K 5"], a=["INCRBY K 3"],
        b=["DEL K"],
        then=[("GET K", "3")], why=["a added 3 to it after a write or delete by b took away the 5 it had seen"]),
    Row("INCR ‖ SET, INCR ‖ DEL", "what one of two SETs had seen is gone, whichever is read", before=["INCRBY K 5"],
        a=["INCRBY K 7", "SET K 10"], b=["SET K 20"], then=[("GET K", "20")]),
    Row("SET text ‖ INCR", "the text is read, increments stay hidden, the next SET resets them", before=["SET K 1"],
        a=["INCRBY K 5"], b=["SET K text"], then=[("GET K", "text"), ("INCR K", NOT_A_NUMBER)],
        why=["a added 5 to it", "The value is text, which hides what was added"], after=["SET K 7"],
        finally_=[("GET K", "7")]),
    Row("SET text ‖ INCR", "a DEL resets them too", before=["SET K 1"], a=["INCRBY K 5"], b=["SET K text"],
        then=[("GET K", "text")], after=["DEL K", "INCR K"], finally_=[("GET K", "1")]),
    Row("INCR ‖ INCRBYFLOAT", "the sum, shown as a float", before=["SET K 10"], a=["INCR K"],
        b=[("INCRBYFLOAT K 0.5", "10.5")],
        then=[("GET K", "11.5"), ("INCR K", NOT_A_NUMBER)]),
    Row("INCRBYFLOAT, HINCRBYFLOAT, ZINCRBY ‖ the same", "the sum, the same bits everywhere",
        before=["SET K 0.1", "HSET K1 f 0.1", "ZADD K2 0.1 m"],
        a=["INCRBYFLOAT K 0.2", "HINCRBYFLOAT K1 f 0.2", "ZINCRBY K2 0.2 m"],
        b=["INCRBYFLOAT K 0.7", "HINCRBYFLOAT K1 f 0.7", "ZINCRBY K2 0.7 m"],
        then=[("GET K", "1"), ("HGET K1 f", "1"), ("ZSCORE K2 m", "1")]),
]

HASHES = [
    Row("HSET f ‖ HSET g", "both fields", a=["HSET K f 1"], b=["HSET K g 2"],
        then=[("HGETALL K", {"f": "1", "g": "2"}), ("HLEN K", 2)],
        why=['Field "f" is "1", written by a', 'Field "g" is "2", written by b']),
    Row("HSET f ‖ HSET f", "the later, by field", a=["HSET K f earlier"], b=["HSET K f later"],
        then=[("HGET K f", "later")],
        why=['Field "f" is "later"', '"earlier"']),
    Row("HSET f ‖ HSET f", "HSETNX decides by what it sees", a=[("HSETNX K f a", 1)], b=[("HSETNX K f b", 1)],
        then=[("HGETALL K", {"f": "b"})]),
    Row("HSET f ‖ HDEL f; HDEL f ‖ HINCRBY f", "the write survives", before=["HSET K f old"], a=["HSET K f new"],
        b=[("HDEL K f", 1)], then=[("HGET K f", "new"), ("HLEN K", 1)]),
    Row("HSET f ‖ HDEL f; HDEL f ‖ HINCRBY f", "of a counter field the unseen increments", before=["HINCRBY K f 10"],
        a=["HINCRBY K f 3"], b=["HDEL K f"], then=[("HGET K f", "3")], why=['a added 3 to field "f"']),
    Row("HSET f ‖ HDEL f; HDEL f ‖ HINCRBY f", "the last field is gone, and so is the hash", before=["HSET K f 1"],
        a=["HDEL K f"], b=["HDEL K f"], then=[("TYPE K", "none"), ("HLEN K", 0)]),
    Row("HINCRBY f ‖ HINCRBY f, HSET f", "the sum", before=["HSET K f 10"], a=["HINCRBY K f 1"], b=["HINCRBY K f 2"],
        then=[("HGET K f", "13")]),
    Row("HINCRBY f ‖ HINCRBY f, HSET f", "unseen increments add to the field that was set", before=["HINCRBY K f 10"],
        a=["HINCRBY K f 3"], b=["HSET K f 100"], then=[("HGET K f", "103")]),
]

SETS = [
    Row("SADD e ‖ SREM e", "e is in", before=["SADD K e other"], a=["SADD K e"], b=[("SREM K e", 1)],
        then=[("SISMEMBER K e", 1), ("SMEMBERS K", {"e", "other"}), ("SCARD K", 2)], why=['"e" is in: added by a']),
    Row("SADD e ‖ SREM e", "a remove takes back only adds it had seen", before=["SADD K e"], a=["SREM K e"],
        b=["SREM K e f"],
        then=[("SISMEMBER K e", 0), ("TYPE K", "none")]),
    Row("SADD e ‖ SREM e", "an add that the remove had not seen stays", a=["SADD K e"], b=[("SREM K e", 0)],
        then=[("SISMEMBER K e", 1)]),
    Row("SADD e ‖ SREM e", "removed and added again on one side, removed on the other", before=["SADD K e"],
        a=["SREM K e", "SADD K e"], b=["SREM K e"], then=[("SISMEMBER K e", 1)]),
    Row("SMOVE ‖ SMOVE of one member to two sets", "it may be in both", before=["SADD K e"], a=[("SMOVE K K1 e", 1)],
        b=[("SMOVE K K2 e", 1)], then=[("SCARD K", 0), ("SMEMBERS K1", {"e"}), ("SMEMBERS K2", {"e"})]),
    Row("SPOP ‖ SPOP, ZPOPMIN ‖ ZPOPMIN", "both may return the same member, which is gone afterwards",
        before=["SADD K e", "ZADD K1 1 m 2 n"], a=[("SPOP K", "e"), ("ZPOPMIN K1", ["m", "1"])],
        b=[("SPOP K", "e"), ("ZPOPMIN K1", ["m", "1"])], then=[("SCARD K", 0), ("ZRANGE K1 0 -1", ["n"])]),
    Row("SPOP ‖ SPOP, ZPOPMIN ‖ ZPOPMIN", "SPOP ‖ SADD of that member: it is in", before=["SADD K e"],
        a=[("SPOP K", "e")],
        b=["SADD K e"], then=[("SMEMBERS K", {"e"})]),
    Row("…STORE, GETDEL, GETSET ‖ write", "an overwrite of what they saw: members that were not seen stay",
        before=["SADD K old", "SADD K1 x"], a=["SADD K new"], b=[("SUNIONSTORE K K1", 1)],
        then=[("SMEMBERS K", {"new", "x"})]),
    Row("…STORE, GETDEL, GETSET ‖ write", "ZUNIONSTORE as well", before=["ZADD K 1 old", "ZADD K1 2 x"],
        a=["ZADD K 3 new"],
        b=[("ZUNIONSTORE K 1 K1", 1)], then=[("ZRANGE K 0 -1", ["x", "new"])]),
    Row("…STORE, GETDEL, GETSET ‖ write", "GETDEL as DEL, GETSET as SET", before=["SET K old", "SET K1 old"],
        a=["SET K new", ("GETSET K1 from-a", "old")], b=[("GETDEL K", "old"), ("GETSET K1 from-b", "old")],
        then=[("MGET K K1", ["new", "from-b"])]),
]

SORTED_SETS = [
    Row("ZADD x ‖ ZADD x", "the later score; other members are a union", a=["ZADD K 9 x 1 only-a"],
        b=["ZADD K 5 x 2 only-b"],
        then=[("ZRANGE K 0 -1 WITHSCORES", ["only-a", "1", "only-b", "2", "x", "5"]), ("ZCARD K", 3)],
        why=['Member "x": b set score 5', "At the same time, a set score 9", "the later clock is read"]),
    Row("ZADD x ‖ ZADD x", "NX and XX are decided by what the node sees", before=["ZADD K1 1 y"],
        a=[("ZADD K NX 1 x", 1), ("ZADD K1 NX 7 y", 0)], b=[("ZADD K NX 2 x", 1), ("ZADD K1 XX CH 8 y", 1)],
        then=[("ZSCORE K x", "2"), ("ZSCORE K1 y", "8")]),
    Row("ZADD GT ‖ ZADD GT, LT ‖ LT", "a leaderboard never goes backwards", before=["ZADD K 10 x"],
        a=["ZADD K GT 90 x"],
        b=["ZADD K GT 50 x"], then=[("ZSCORE K x", "90")],
        why=['Member "x": a set score 90 as a greater one (GT)', "At the same time, b set score 50", "the greater score is read"]),
    Row("ZADD GT ‖ ZADD GT, LT ‖ LT", "nor does a table of best times", before=["ZADD K 10 x"], a=["ZADD K LT 3 x"],
        b=["ZADD K LT 5 x"], then=[("ZSCORE K x", "3")],
        why=["a set score 3 as a smaller one (LT)", "the smaller score is read"]),
    Row("ZADD x ‖ ZINCRBY x", "the score that was set, plus increments it had not seen", before=["ZADD K 1 x"],
        a=["ZINCRBY K 3 x"], b=["ZADD K 100 x"], then=[("ZSCORE K x", "103")], why=['a added 3 to member "x"']),
    Row("ZREM x ‖ ZINCRBY x", "the unseen increments are the score", before=["ZADD K 4.1 x"],
        a=["ZINCRBY K 2 x"], b=[("ZREM K x", 1)], then=[("ZSCORE K x", "2")]),
    Row("ZREM x ‖ ZADD x", "the write survives", before=["ZADD K 4 x"], a=["ZADD K 5 x"], b=["ZREM K x"],
        then=[("ZSCORE K x", "5"), ("ZCARD K", 1)]),
    Row("ZREM x ‖ ZADD x", "removed on both sides it is gone", before=["ZADD K 4 x"], a=["ZREM K x"],
        b=["ZREMRANGEBYSCORE K 0 9"], then=[("TYPE K", "none")]),
]

KEYS = [
    Row("DEL of a collection ‖ write inside it", "a set: only what the DEL saw dies", before=["SADD K x y"],
        a=["SADD K z"], b=[("DEL K", 1)], then=[("SMEMBERS K", {"z"})]),
    Row("DEL of a collection ‖ write inside it", "an element that it saw is added anew", before=["SADD K x y"],
        a=["SADD K x"], b=["DEL K"], then=[("SMEMBERS K", {"x"})]),
    Row("DEL of a collection ‖ write inside it", "a hash", before=["HSET K f old g old"], a=["HSET K f new"],
        b=["DEL K"],
        then=[("HGETALL K", {"f": "new"})]),
    Row("DEL of a collection ‖ write inside it", "a sorted set", before=["ZADD K 1 x 2 y"], a=["ZADD K 3 z"],
        b=["UNLINK K"],
        then=[("ZRANGE K 0 -1 WITHSCORES", ["z", "3"])]),
    Row("RENAME, COPY ‖ write to the source", "they act on what they saw; the rest stays at the source",
        before=["SADD K x", "SADD K1 x"], a=["SADD K y", "SADD K1 y"], b=["RENAME K K2", ("COPY K1 K3", 1)],
        then=[("SMEMBERS K", {"y"}), ("SMEMBERS K2", {"x"}), ("SMEMBERS K1", {"x", "y"}), ("SMEMBERS K3", {"x"})]),
    Row("RENAME, COPY ‖ write to the source", "renamed to two names it is there twice", before=["SET K v"],
        a=["RENAME K K1"],
        b=["RENAME K K2"], then=[("MGET K K1 K2", [None, "v", "v"])]),
    Row("two types under one key", "the one created later is visible, why names the other, DEL covers both",
        a=["SET K text"],
        b=["SADD K e"], then=[("TYPE K", "set"), ("SMEMBERS K", {"e"}), ("GET K", WRONG_TYPE)],
        why=["under several types", "hidden: string"], after=[("DEL K", 1)],
        finally_=[("TYPE K", "none"), ("GET K", None)]),
    Row("two types under one key", "a SET that saw both replaces both", a=["SADD K e"], b=["HSET K f 1"],
        then=[("TYPE K", "hash")], after=["SET K text"], finally_=[("TYPE K", "string"), ("GET K", "text")]),
    Row("two types under one key", "a hash and a sorted set", a=["HSET K f 1"], b=["ZADD K 1 x"],
        then=[("TYPE K", "zset"), ("HGET K f", WRONG_TYPE)], why=["hidden: hash"], after=["DEL K"],
        finally_=[("EXISTS K", 0)]),
    Row("two types under one key", "a command for another type is refused", before=["SET K text"],
        a=[("SADD K e", WRONG_TYPE), ("HSET K f 1", WRONG_TYPE)], b=[("SCARD K", WRONG_TYPE)],
        then=[("GET K", "text")]),
]

DEADLINES = [
    Row("EXPIRE ‖ EXPIRE", "the later one, wherever it was set", before=["SET K v", "SET K1 v"],
        a=["PEXPIREAT K T2", "PEXPIREAT K1 T1"], b=["PEXPIREAT K T1", "PEXPIREAT K1 T2"],
        then=[("PEXPIRETIME K", T2), ("PEXPIRETIME K1", T2)],
        why=["expires at 2100-01-01T00:00:01.000Z, set by a", "2100-01-01T00:00:00.000Z was set by b", "the later one holds"]),
    Row("EXPIRE ‖ EXPIRE", "the next EXPIRE, having seen both, may be earlier", before=["SET K v"],
        a=["PEXPIREAT K T2"],
        b=["PEXPIREAT K T2"], then=[("PEXPIRETIME K", T2)], after=["PEXPIREAT K T1"], finally_=[("PEXPIRETIME K", T1)]),
    Row("EXPIRE ‖ PERSIST", "persistent", before=["SET K v PXAT T1"], a=["PEXPIREAT K T2"], b=[("PERSIST K", 1)],
        then=[("PEXPIRETIME K", -1)],
        why=["was made persistent by b", "2100-01-01T00:00:01.000Z was set by a", "stays so"]),
    Row("SET EX ‖ SET", "the later value; the deadline is the key's", before=["SET K old", "SET K1 old"],
        a=["SET K timed PXAT T1", "SET K1 plain"], b=["SET K plain", "SET K1 timed PXAT T1"],
        then=[("GET K", "plain"), ("PEXPIRETIME K", T1), ("GET K1", "timed"), ("PEXPIRETIME K1", T1)]),
    Row("EXPIRE ‖ SET", "a SET that had not seen the EXPIRE leaves it", before=["SET K old"], a=["PEXPIREAT K T1"],
        b=["SET K new"], then=[("GET K", "new"), ("PEXPIRETIME K", T1)]),
    Row("EXPIRE ‖ SET", "a SET that saw it clears it", before=["SET K old PXAT T1"], a=["SET K a"], b=["SET K b"],
        then=[("GET K", "b"), ("PEXPIRETIME K", -1)]),
    Row("EXPIRE ‖ DEL", "no value, no deadline, and none for the next value", before=["SET K old"],
        a=["PEXPIREAT K T1"],
        b=["DEL K"], then=[("EXISTS K", 0), ("PEXPIRETIME K", -2)], after=["SET K new"],
        finally_=[("GET K", "new"), ("PEXPIRETIME K", -1)]),
]

TRANSACTIONS = [
    Row("MULTI, batches", "one entry, merged type by type", before=["SET K old", "INCRBY K1 5", "SADD K2 x"],
        a=["MULTI", "SET K from-a", "INCRBY K1 10", "SADD K2 a", "SREM K2 x", ("EXEC", ["OK", 15, 1, 1])],
        b=["MULTI", "SET K from-b", "INCRBY K1 100", "SADD K2 x", ("EXEC", ["OK", 105, 0])],
        then=[("GET K", "from-b"), ("GET K1", "115"), ("SMEMBERS K2", {"a", "x"})]),
    Row("WATCH", "protects against what this node sees", before=["SET K old"],
        a=["WATCH K", ("GET K", "old"), "MULTI", "SET K from-a", ("EXEC", ["OK"])],
        b=["WATCH K", "SET K from-b", "MULTI", "SET K never", ("EXEC", None)], then=[("GET K", "from-b")],
        why=['"from-a" was written by a']),
    Row("FLUSHALL, FLUSHDB", "a kill of everything seen, of every type", db=7,
        before=["SET K old", "HSET K1 f old", "INCRBY K2 5", "ZADD K3 1 x", "SADD K4 x", "SET K5 v PXAT T1"],
        a=[("FLUSHDB", "OK"), ("DBSIZE", 0)],
        b=["HSET K1 g new", "INCRBY K2 3", "ZADD K3 2 y", "SADD K4 x", "PEXPIREAT K5 T2"],
        then=[("GET K", None), ("HGETALL K1", {"g": "new"}), ("GET K2", "3"), ("ZRANGE K3 0 -1", ["y"]), ("SMEMBERS K4", {"x"}),
              ("EXISTS K5", 0), ("DBSIZE", 4)]),
]  # fmt: skip

NATIVE_TYPES = [
    Row("flag on ‖ flag off", "on", before=["flag K on"], a=["flag K on"], b=["flag K off"], then=[("flag K", "on")],
        why=["enabled by a"]),
    Row("flag on ‖ flag off", "off on both sides", before=["flag K on"], a=["flag K off"], b=["flag K off"],
        then=[("flag K", "off")]),
    Row("flag on ‖ flag off", "off ‖ nothing: off", before=["flag K on"], a=["flag K off"], b=[],
        then=[("flag K", "off")]),
    Row("flag on ‖ flag off", "on ‖ DEL: on", before=["flag K on"], a=["flag K on"], b=["DEL K"],
        then=[("flag K", "on")]),
    Row("mv ‖ mv", "reads show both until a write that saw both", before=["mv K zero"], a=["mv K one"], b=["mv K two"],
        then=[("mv K", ["one", "two"])], why=["None of these writes had seen another"], after=["mv K three"],
        finally_=[("mv K", ["three"])], siblings=1),
    Row("mv ‖ mv", "mv ‖ DEL: the write survives", before=["mv K old"], a=["mv K new"], b=["DEL K"],
        then=[("mv K", ["new"])]),
    Row("two types under one key", "flags and registers have types too", before=["SET K text"],
        a=[("flag K on", WRONG_TYPE)],
        b=[("mv K x", WRONG_TYPE)], then=[("GET K", "text")]),
]

ROWS = STRINGS + COUNTERS + HASHES + SETS + SORTED_SETS + KEYS + DEADLINES + TRANSACTIONS + NATIVE_TYPES

# K expires on a, which takes it away, while b is cut off and writes. All are in their own cut, because a has to wait.
EXPIRY_ROWS = [
    Row("expiry ‖ write to the key", "a SET that had not seen it survives, without that deadline", before=["SET K old"],
        a=["PEXPIRE K 30"], b=["SET K new"], then=[("GET K", "new"), ("PEXPIRETIME K", -1)]),
    Row("expiry ‖ write to the key", "a SET with a deadline of its own keeps it", before=["SET K old"],
        a=["PEXPIRE K 30"],
        b=["SET K new PXAT T1"], then=[("GET K", "new"), ("PEXPIRETIME K", T1)]),
    Row("expiry ‖ write to the key", "of a hash what was not seen survives", before=["HSET K f old"],
        a=["PEXPIRE K 30"],
        b=["HSET K g new"], then=[("HGETALL K", {"g": "new"}), ("PEXPIRETIME K", -1)]),
    Row("expiry ‖ write to the key", "an element added again, a member, an increment",
        before=["SADD K x y", "PEXPIREAT K T1", "ZADD K1 1 x", "INCRBY K2 5"],
        a=["PEXPIRE K1 30", "PEXPIRE K2 30", "PEXPIRE K 30"],
        b=["SADD K x", "ZADD K1 2 y", "INCRBY K2 3"],
        then=[("SMEMBERS K", {"x"}), ("ZRANGE K1 0 -1", ["y"]), ("GET K2", "3"), ("PEXPIRETIME K", -1)]),
    Row("expiry ‖ EXPIRE", "the key is gone, and its deadline with it", before=["SET K old"], a=["PEXPIRE K 30"],
        b=["PEXPIREAT K T1"], then=[("EXISTS K", 0)], after=["SET K again"],
        finally_=[("GET K", "again"), ("PEXPIRETIME K", -1)]),
    Row("expiry ‖ EXPIRE", "PERSIST does not bring it back either", before=["SET K old PXAT T1"], a=["PEXPIRE K 30"],
        b=["PERSIST K"], then=[("EXISTS K", 0)]),
]
