"""Scenarios that random commands would seldom or never reach: keys that expire while we look, large collections, numbers in
all notations, and each command with each number of words.
"""

import random

from draw import command
from duel import PAUSE, Step

SHORT = 900  # milliseconds: long enough for a busy machine to look at the key while it is there
UNTIL_EXPIRED = Step(PAUSE, (b"1.4",))


def _steps(*parts):
    """Each part is a command, several of them in lines, or a Step already."""
    steps = []
    for part in parts:
        if isinstance(part, Step):
            steps.append(part)
        else:
            steps += [Step(0, command(*line.strip().split(" "))) for line in part.splitlines() if line.strip()]
    return steps


_MAKE = {"string": "SET {} v", "number": "SET {} 5", "hash": "HSET {} f v n 5", "set": "SADD {} a b 3",
         "zset": "ZADD {} 1 a 2 b"}


def keys_expire(_table):
    """In every way in which a key can get a short life; the clock then runs out for all of them at once."""
    born = ["SET e:px v PX 900", "SET e:ex v EX 1", "SETEX e:setex 1 v", "PSETEX e:psetex 900 v", "SET e:getex v",
            "GETEX e:getex PX 900"]
    for name, make in _MAKE.items():
        born += [make.format(f"e:{name}"), f"PEXPIRE e:{name} {SHORT}"]
    keys = sorted({line.split()[1] for line in born})
    all_keys = " ".join(keys)
    alive = [f"{look} {key}" for key in keys for look in ("EXISTS", "TYPE", "TTL", "PTTL")]
    dead = [look.format(key) for key in keys for look in _LOOKS_AT_THE_DEAD.splitlines()]
    return _steps(*born, *alive, "SCAN 0", "KEYS *", UNTIL_EXPIRED, "SCAN 0", "KEYS *", "RANDOMKEY", f"EXISTS {all_keys}",
                  f"MGET {all_keys}", "SUNION e:set e:none", *dead)


_LOOKS_AT_THE_DEAD = """\
EXISTS {}
TYPE {}
TTL {}
PTTL {}
EXPIRETIME {}
PERSIST {}
OBJECT ENCODING {}
TOUCH {}
GET {}
STRLEN {}
HGETALL {}
HLEN {}
SMEMBERS {}
SCARD {}
ZRANGE {} 0 -1
ZCARD {}
EXPIRE {} 100 XX
RENAME {} elsewhere
COPY {} elsewhere
GETEX {} PERSIST
DEL {}"""


def expired_keys_are_written_to(_table):
    """A write finds nothing of the old value and nothing of the old expiry."""
    born, after = [], []
    for number, line in enumerate(_WRITES_TO_THE_DEAD.strip().splitlines()):
        kind, write = line.split(" ", 1)
        key = f"w:{number}"
        born += [_MAKE[kind].format(key), f"PEXPIRE {key} {SHORT}"]
        after += ["SET w:text text", write.format(key), f"TTL {key}", f"TYPE {key}"]
    return _steps(*born, "SADD w:set x y", "ZADD w:zset 1 x", UNTIL_EXPIRED, *after, "SMEMBERS w:stored",
                  "ZRANGE w:stored 0 -1 WITHSCORES")


_WRITES_TO_THE_DEAD = """
string SETNX {} v
string APPEND {} v
number INCR {}
number INCRBYFLOAT {} 1.5
string SETRANGE {} 2 v
string GETSET {} v
string GETDEL {}
string SET {} v XX
string SET {} v KEEPTTL
string SET {} v GET
string MSETNX {} v
hash HSET {} f2 v
hash HINCRBY {} n 1
hash HSETNX {} f v
hash HDEL {} f
set SADD {} a c
set SREM {} a
set SMOVE {} w:other a
set SUNIONSTORE {} w:set
set SDIFFSTORE w:stored {} w:set
zset ZADD {} XX 5 a
zset ZADD {} 5 a
zset ZINCRBY {} 1 a
zset ZREM {} a
zset ZUNIONSTORE w:stored 2 {} w:zset
string LCS {} w:text
string RENAMENX w:text {}
string COPY w:text {}
"""


def keys_that_were_spared(_table):
    """Some writes take the expiry away, some carry it along, some leave it alone."""
    cases = _WRITES_BEFORE_DEATH.strip().splitlines()
    born, looks = [], []
    for number in range(len(cases)):
        born += [f"SET p:{number} v PX {SHORT}", f"SET p:{number}:number 5 PX {SHORT}"]
        looks += [f"EXISTS p:{number}{suffix}" for suffix in ("", ":moved", ":copied", ":number")]
    writes = [case.replace("{}", f"p:{number}") for number, case in enumerate(cases)]
    return _steps(*born, *writes, UNTIL_EXPIRED, *looks, "KEYS *")


_WRITES_BEFORE_DEATH = """
PERSIST {}
SET {} new
SET {} new KEEPTTL
GETSET {} new
GETEX {} PERSIST
GETEX {} EX 1000
EXPIRE {} 1000
RENAME {} {}:moved
COPY {} {}:copied
APPEND {} x
SETRANGE {} 0 x
INCR {}:number
MSET {} x
"""


def watched_keys_expire(_table):
    return _steps(f"SET x:1 v PX {SHORT}", "SET x:2 v", "WATCH x:1", UNTIL_EXPIRED, "MULTI", "GET x:1", "GET x:2", "EXEC",
                  f"SET x:1 v PX {SHORT}", UNTIL_EXPIRED, "WATCH x:1", "MULTI", "GET x:1", "EXEC")


def large_collections(_table):
    """Larger than every bound at which Redis changes how it keeps them, and walked through in small pieces."""
    draw = random.Random(1)
    lines = []
    for at in range(0, 1000, 50):
        some = range(at, at + 50)
        lines += ["SADD l:words " + " ".join(f"m{i}" for i in some), "SADD l:more " + " ".join(f"m{2 * i}" for i in some),
                  "SADD l:numbers " + " ".join(str(7 * i) for i in some),
                  "HSET l:hash " + " ".join(f"f{i} value{i}" for i in some),
                  "ZADD l:zset " + " ".join(f"{draw.randrange(300)} m{i}" for i in some),
                  "ZADD l:lex " + " ".join(f"0 m{i}" for i in some), "MSET " + " ".join(f"l:k{i} {i}" for i in some)]
    walks = [f"{scan} {count}{match}"
             for scan in ("SSCAN l:words 0", "SSCAN l:numbers 0", "HSCAN l:hash 0", "ZSCAN l:zset 0", "SCAN 0")
             for count in ("COUNT 3", "COUNT 100", "COUNT 5000") for match in ("", " MATCH *7*", " MATCH nothing")]
    return _steps(*lines, *walks, _LOOKS_AT_THE_LARGE)


_LOOKS_AT_THE_LARGE = """
DBSIZE
SMEMBERS l:words
HGETALL l:hash
ZRANGE l:zset 0 -1 WITHSCORES
ZRANGE l:zset 990 2000
ZREVRANGE l:zset 10 30
ZRANGEBYSCORE l:zset (100 200 WITHSCORES LIMIT 50 20
ZREVRANGEBYSCORE l:zset 200 100 LIMIT 3 5
ZRANGEBYLEX l:lex [m5 (m6 LIMIT 7 9
ZREVRANGEBYLEX l:lex + [m99
ZLEXCOUNT l:lex [m2 (m3
ZCOUNT l:zset 50 (250
ZRANK l:zset m500
ZREVRANK l:zset m500
SINTER l:words l:more
SDIFF l:words l:more
SINTERCARD 2 l:words l:more LIMIT 100
SUNIONSTORE l:all l:words l:more
SCARD l:all
ZUNIONSTORE l:z2 2 l:zset l:more WEIGHTS 2 3
ZRANGE l:z2 0 50 WITHSCORES
ZINTER 2 l:zset l:lex AGGREGATE MAX WITHSCORES
ZDIFF 2 l:lex l:more
SRANDMEMBER l:words 400
SRANDMEMBER l:words -400
HRANDFIELD l:hash 300 WITHVALUES
HRANDFIELD l:hash -300
ZRANDMEMBER l:zset 300 WITHSCORES
RANDOMKEY
SPOP l:words 700
SCARD l:words
SPOP l:words 290
SMEMBERS l:words
ZREMRANGEBYSCORE l:zset 50 100
ZREMRANGEBYRANK l:zset 100 400
ZCARD l:zset
ZPOPMIN l:zset 30
ZPOPMAX l:zset 30
COPY l:hash l:hash2
HLEN l:hash2
RENAME l:hash2 l:words
HGET l:words f77
DEL l:words l:numbers l:hash l:zset
KEYS l:[^k]*
"""


def long_values(_table):
    big = "b" * 100_000
    key = "k" * 65_536  # the longest that kvd takes
    return _steps(f"SET v:1 {big}", "STRLEN v:1", "GETRANGE v:1 99990 200000", f"APPEND v:1 {big}", "GET v:1",
                  "SETRANGE v:2 70000 end", "STRLEN v:2", "GETRANGE v:2 0 10", f"HSET v:h f {big}", "HSTRLEN v:h f",
                  "HGETALL v:h", f"SADD v:s {big} {big}x", "SMEMBERS v:s", f"ZADD v:z 1 {big}", "ZRANGE v:z 0 -1", f"SET {key} v",
                  f"GET {key}", f"RENAME {key} v:3", "MGET v:1 v:2 v:3", "SETRANGE v:1 536870912 x", "SETRANGE v:none 0 ", "EXISTS v:none")


_NUMBERS = [
    *"0 -0 1 +1 007 1.0 1.10 .5 5. 1e5 1E5 1e-5 -1.5e3 1e17 1e21 1e22 1e300 1e5000 1e-300 1e-400".split(),
    *"123456789.123 0.1 0.30000000000000004 3.0000000000000000001 17179869184.5 9007199254740993".split(),
    *"9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551616".split(),
    *"inf +inf -inf Infinity INF nan 0x10 0x1p3 1_000 1,5 --1 1e e1 abc \u0661".split(),
    " 1", "1 ", "",
]
# @ stands for the number. Not in all places: a server that takes 1e5 for a number of seconds is found by the others, and
# none of them is asked for a string of 2^63 bytes or for a thousand keys.
_USES_OF_A_NUMBER = """
DEL n:i n:f n:h n:z n:s
INCRBY n:i @
DECRBY n:i @
GET n:i
INCRBYFLOAT n:f @
INCRBYFLOAT n:f 1
GET n:f
HINCRBY n:h i @
HINCRBYFLOAT n:h f @
HGETALL n:h
ZADD n:z @ m
ZSCORE n:z m
ZADD n:z INCR @ m
ZINCRBY n:z @ m
ZRANGE n:z 0 -1 WITHSCORES
ZCOUNT n:z @ +inf
ZCOUNT n:z (@ +inf
ZUNION 1 n:z WEIGHTS @ WITHSCORES
SET n:s @
INCR n:s
DECR n:s
SET n:s @
INCRBYFLOAT n:s 0.5
SET n:s @
INCRBY n:s 9223372036854775807
EXPIRE n:s @x
GETRANGE n:s @ 5
GETRANGE n:s 0 @
SETEX n:s @000000 v
HSET n:h i @
HINCRBY n:h i 1
HINCRBYFLOAT n:h i 1
ZRANGE n:z @ 5
ZRANGE n:z 0 @
ZREMRANGEBYRANK n:z @ 0
ZADD n:z 1 m
ZPOPMIN n:z @
ZRANGEBYSCORE n:z -inf +inf LIMIT @ 5
ZADD n:z 1 m
ZMPOP @ n:z MIN
ZMPOP 1 n:z MAX COUNT @
ZUNION @ n:z
SINTERCARD @ n:z
ZINTERCARD 1 n:z LIMIT @
SELECT @x
MOVE n:s @x
MEMORY USAGE n:i SAMPLES @
"""


def numbers_in_every_notation(_table):
    lines = [line.split() for line in _USES_OF_A_NUMBER.strip().splitlines()]
    return [Step(0, command(*(word.replace("@", number) for word in line))) for number in _NUMBERS for line in lines]


def every_number_of_words(table):
    """Each command of the families with no word up to seven, on nothing and then on a key that holds a set."""
    steps = []
    for holds in ([], [Step(0, command("SADD", "key", "1"))]):
        for name in table.of_families(("strings", "keys", "ttl", "hash", "set", "zset")):
            parts = name.split("|")
            for count in range(8):
                steps += [Step(0, command("DEL", "key")), *holds, Step(0, command(*parts, *["key"] * count))]
            if len(parts) > 1:
                steps.append(Step(0, command(parts[0])))
    return steps


def transactions_of_every_form(_table):
    forms = ["MULTI", "EXEC", "DISCARD", "UNWATCH", "WATCH", "WATCH k", "MULTI x", "EXEC x", "DISCARD x", "UNWATCH x", "GET",
             "GET k", "INCR k", "HGET k f"]
    draw = random.Random(2)
    return _steps(*(draw.choice(forms) for _ in range(600)), "DISCARD")


SCENARIOS = [keys_expire, expired_keys_are_written_to, keys_that_were_spared, watched_keys_expire, large_collections,
             long_values, numbers_in_every_notation, every_number_of_words, transactions_of_every_form]
