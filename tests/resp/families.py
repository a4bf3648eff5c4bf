"""The generators of each family's commands: name -> function that draws the words after the name. `fill` says how a key
of the family gets its contents, which happens in between too, so that most commands find something.
"""

from draw import (ANY_KEYS, EXACT_FLOATS, FIELDS, FLOAT_FIELDS, FLOAT_KEYS, FLOATS, HASH_KEYS, INTEGER_FIELDS, INTEGER_KEYS,
                  INTEGER_SETS, LEX_KEYS, LEX_MEMBERS, NEW_STRING_KEYS, OTHER_DB, PATTERNS, SCORED_KEYS, SCORED_MEMBERS, SET_INTEGERS,
                  SET_KEYS, SET_WORDS, STRING_KEYS, TEXT_FIELDS, TEXT_KEYS, TTL_KEYS, UNEVEN_KEY, WORD_SETS, ZSET_KEYS,
                  command)
from server_family import server


def _fields_and_values(draw, most=3):
    words = []
    for _ in range(draw.randint(1, most)):
        field = draw.choice(FIELDS)
        words += [field, _value_of(draw, field)]
    return words


def _value_of(draw, field):
    if field in INTEGER_FIELDS:
        return draw.integer()
    return draw.choice(EXACT_FLOATS + FLOATS) if field in FLOAT_FIELDS else draw.text()


def _value_for(draw, key):
    if key in INTEGER_KEYS:
        return draw.integer()
    return draw.choice(EXACT_FLOATS + FLOATS) if key in FLOAT_KEYS else draw.text()


def _with_value(draw):
    key = draw.choice(STRING_KEYS)
    return [key, _value_for(draw, key)]


def _members_for(draw, key, most=4):
    return draw.some(SET_INTEGERS if key in INTEGER_SETS and draw.maybe(0.95) else SET_WORDS, most)


def _scored_members(draw, key, most=3):
    words = []
    for _ in range(draw.randint(1, most)):
        if key in LEX_KEYS:
            words += ["0", draw.choice(LEX_MEMBERS)]
        else:
            words += [draw.choice(FLOATS) if key == UNEVEN_KEY else draw.score(), draw.choice(SCORED_MEMBERS)]
    return words


def _zset_of(draw, share_of_lex=0.3):
    return draw.choice(LEX_KEYS) if draw.maybe(share_of_lex) else draw.choice([*SCORED_KEYS, UNEVEN_KEY])


def _member_for(draw, key):
    return draw.choice(LEX_MEMBERS if key in LEX_KEYS else SCORED_MEMBERS)


# -- what a key holds at first --


def fill(draw, family, key):
    """Commands that give a key of this family new contents."""
    if family == "strings":
        away = [command("DEL", *NEW_STRING_KEYS)] if draw.maybe(0.2) else []
        return [command("SET", key, _value_for(draw, key)), *away]
    # Another family's command may have left another type here.
    anew = [command("DEL", key)] if key in LEX_KEYS or draw.maybe(0.4) else []
    if family == "hash":
        return [*anew, command("HSET", key, *(w for f in draw.sample(FIELDS, 8) for w in (f, _value_of(draw, f))))]
    if family == "set":
        pool = SET_INTEGERS if key in INTEGER_SETS else SET_WORDS
        return [*anew, command("SADD", key, *draw.sample(pool, 6))]
    if family == "zset":
        pool = LEX_MEMBERS if key in LEX_KEYS else SCORED_MEMBERS
        words = []
        for member in draw.sample(pool, 8):
            words += ["0" if key in LEX_KEYS else draw.choice(FLOATS) if key == UNEVEN_KEY else draw.score(), member]
        return [*anew, command("ZADD", key, *words)]
    return [command("DEL", key), _of_any_type(draw, key), *_perhaps_expiring(draw, family, key)]


def _of_any_type(draw, key):
    return draw.choice([
        lambda: command("SET", key, draw.text()),
        lambda: command("SET", key, draw.integer()),
        lambda: command("HSET", key, *_fields_and_values(draw)),
        lambda: command("SADD", key, *draw.some(SET_WORDS)),
        lambda: command("SADD", key, *draw.some(SET_INTEGERS)),
        lambda: command("ZADD", key, draw.score(), draw.choice(SCORED_MEMBERS), draw.score(), draw.choice(SCORED_MEMBERS)),
    ])()


def _perhaps_expiring(draw, family, key):
    share = 0.7 if family == "ttl" else 0.2
    return [command("EXPIRE", key, draw.randrange(1000, 10**7))] if draw.maybe(share) else []


# -- families --


def strings(draw):
    key, text_key = lambda: draw.choice(STRING_KEYS), lambda: draw.mostly(TEXT_KEYS, STRING_KEYS)
    number = lambda: draw.mostly(INTEGER_KEYS, STRING_KEYS, 0.96)

    def set_():
        return [*_with_value(draw), *draw.in_any_order(
            draw.option(["NX"], ["XX"], ["XX"], share=0.4), draw.option(["GET"], share=0.3),
            draw.option(draw.expiry_option(), draw.expiry_option(), ["KEEPTTL"]))]

    def several():
        return [word for _ in range(draw.randint(1, 4)) for word in _with_value(draw)]

    def several_new():
        if draw.maybe(0.4):
            return several()
        return [word for name in draw.some(NEW_STRING_KEYS, 3) for word in (name, draw.text())]

    def lcs():
        return [draw.choice(TEXT_KEYS), text_key(), *draw.choice([
            [], ["LEN"], ["IDX"], ["IDX", "WITHMATCHLEN"], ["IDX", "MINMATCHLEN", draw.choice([0, 1, 2, 4])],
            ["IDX", "MINMATCHLEN", draw.choice([1, 2, -1]), "WITHMATCHLEN"], ["WITHMATCHLEN", "IDX"], ["LEN", "IDX"]])]

    return {
        "GET": lambda: [key()],
        "SET": set_,
        "SETNX": lambda: _with_value(draw),
        "SETEX": lambda: [(k := key()), draw.seconds(), _value_for(draw, k)],
        "PSETEX": lambda: [(k := key()), draw.milliseconds(), _value_for(draw, k)],
        "GETSET": lambda: _with_value(draw),
        "GETDEL": lambda: [key()],
        "GETEX": lambda: [key(), *draw.option(draw.expiry_option(), draw.expiry_option(), draw.expiry_option(), ["PERSIST"],
                                              share=0.8)],
        "MGET": lambda: draw.some([*STRING_KEYS, "h:1", "s:none"]),
        "MSET": several,
        "MSETNX": several_new,
        "APPEND": lambda: [text_key(), draw.choice(["", "x", "yz", " and more", "1", b"\xff"])],
        "STRLEN": lambda: [key()],
        "GETRANGE": lambda: [key(), draw.index(), draw.index()],
        "SUBSTR": lambda: [key(), draw.index(), draw.index()],
        "SETRANGE": lambda: [text_key(), draw.choice([0, 1, 2, 5, 10, 40, 80, 300, -1]),
                             draw.choice(["", "X", "inner", b"\x00"])],
        "LCS": lcs,
        "INCR": lambda: [number()],
        "DECR": lambda: [number()],
        "INCRBY": lambda: [number(), draw.integer()],
        "DECRBY": lambda: [number(), draw.integer()],
        "INCRBYFLOAT": lambda: [draw.choice(FLOAT_KEYS) if draw.maybe(0.7) else number(),
                                draw.mostly(EXACT_FLOATS + FLOATS, ["inf", "-inf", "nan", "1e300"], 0.98)],
    }


def keys(draw):
    every = [*ANY_KEYS, "s:t1", "h:1", "e:w1", "z:1", "ttl:1"]
    key, any_key = lambda: draw.choice(ANY_KEYS), lambda: draw.mostly(every, ["nokey", ""], 0.95)

    def scan():
        return [0, *draw.in_any_order(
            draw.option(["MATCH", draw.choice(PATTERNS)], share=0.5), draw.option(["COUNT", draw.choice([1, 5, 10, 100, 1000])]),
            draw.option(["TYPE", draw.choice(["string", "hash", "set", "zset", "STRING", "list", "nothing"])], share=0.3))]

    return {
        "DEL": lambda: draw.some(every, 2),
        "UNLINK": lambda: draw.some(every, 2),
        "EXISTS": lambda: draw.some([*every, "nokey"]),
        "TYPE": lambda: [any_key()],
        "KEYS": lambda: [draw.choice(PATTERNS)],
        "SCAN": scan,
        "RANDOMKEY": list,
        "RENAME": lambda: [key(), key()],
        "RENAMENX": lambda: [key(), draw.mostly(ANY_KEYS, ["k:new"], 0.7)],
        "COPY": lambda: [key(), key(), *draw.in_any_order(
            draw.option(["REPLACE"], share=0.6), draw.option(["DB", draw.choice([0, 0, OTHER_DB])], share=0.3))],
        "TOUCH": lambda: draw.some([*every, "nokey"]),
        "OBJECT|ENCODING": lambda: [any_key()],
        "OBJECT|IDLETIME": lambda: [any_key()],
        # Not of strings: Redis keeps small integers once for all keys and counts them as referred to by many.
        "OBJECT|REFCOUNT": lambda: [draw.choice([*HASH_KEYS, *SET_KEYS, *ZSET_KEYS])],
        "OBJECT|FREQ": lambda: [any_key()],
        "MEMORY|USAGE": lambda: [any_key(), *draw.option(["SAMPLES", draw.choice([0, 1, 5])])],
        "DBSIZE": list,
        "FLUSHDB": lambda: draw.option(["ASYNC"], ["SYNC"], share=0.6),
        "FLUSHALL": lambda: draw.option(["ASYNC"], ["SYNC"], share=0.6),
        "MOVE": lambda: [key(), draw.mostly([OTHER_DB], [0, 99, -1])],
        "SWAPDB": lambda: [0, OTHER_DB],
    }


def ttl(draw):
    key = lambda: draw.mostly(TTL_KEYS, ["nokey"], 0.97)
    condition = lambda: draw.option(["NX"], ["XX"], ["GT"], ["LT"], share=0.6)
    visitors = [
        lambda: command("SET", key(), draw.text(), "KEEPTTL"),
        lambda: command("SET", key(), draw.text()),
        lambda: command("GETEX", key(), *draw.expiry_option()),
        lambda: command("RENAME", key(), key()),
        lambda: command("COPY", key(), key(), "REPLACE"),
        lambda: command("DEL", key()),
        lambda: command("APPEND", key(), "x"),
        lambda: command("TYPE", key()),
        lambda: command("EXISTS", key()),
    ]
    return {
        "EXPIRE": lambda: [key(), draw.seconds(), *condition()],
        "PEXPIRE": lambda: [key(), draw.milliseconds(), *condition()],
        "EXPIREAT": lambda: [key(), draw.second_of_clock(), *condition()],
        "PEXPIREAT": lambda: [key(), draw.millisecond_of_clock(), *condition()],
        "TTL": lambda: [key()],
        "PTTL": lambda: [key()],
        "EXPIRETIME": lambda: [key()],
        "PEXPIRETIME": lambda: [key()],
        "PERSIST": lambda: [key()],
        None: lambda: draw.choice(visitors)(),
    }


def hash_(draw):
    key, field = lambda: draw.mostly(HASH_KEYS, ["h:none"], 0.97), lambda: draw.mostly(FIELDS, ["nofield"], 0.97)
    return {
        "HSET": lambda: [key(), *_fields_and_values(draw)],
        "HMSET": lambda: [key(), *_fields_and_values(draw)],
        "HSETNX": lambda: [key(), (f := field()), _value_of(draw, f)],
        "HGET": lambda: [key(), field()],
        "HMGET": lambda: [key(), *draw.some(FIELDS)],
        "HGETALL": lambda: [key()],
        "HKEYS": lambda: [key()],
        "HVALS": lambda: [key()],
        "HLEN": lambda: [key()],
        "HEXISTS": lambda: [key(), field()],
        "HSTRLEN": lambda: [key(), field()],
        "HDEL": lambda: [key(), *draw.some(FIELDS, 3)],
        "HINCRBY": lambda: [key(), draw.mostly(INTEGER_FIELDS, TEXT_FIELDS, 0.95), draw.integer()],
        "HINCRBYFLOAT": lambda: [key(), draw.mostly(FLOAT_FIELDS + INTEGER_FIELDS, TEXT_FIELDS, 0.96),
                                 draw.mostly(EXACT_FLOATS + FLOATS, ["inf", "nan"], 0.98)],
        "HRANDFIELD": lambda: [key(), *draw.option([draw.choice([0, 1, 2, 5, 30, -1, -3, -20])], share=0.8)],
        "HRANDFIELD WITHVALUES": lambda: [key(), draw.choice([1, 2, 5, 30, -1, -3, -20]), "WITHVALUES"],
        "HSCAN": lambda: [key(), 0, *draw.in_any_order(
            draw.option(["MATCH", draw.choice(["*", "f*", "?1", "[dn]*", "n[12]", "none"])]),
            draw.option(["COUNT", draw.choice([1, 5, 100])]))],
    }


def set_(draw):
    key = lambda: draw.mostly(SET_KEYS, ["e:none"], 0.98)
    similar = lambda: INTEGER_SETS if draw.maybe(0.4) else WORD_SETS
    of_key = lambda: [(k := key()), draw.choice(SET_INTEGERS if k in INTEGER_SETS else SET_WORDS)]
    several = lambda: draw.some(similar(), 3)

    def store():
        pool = similar()
        return [draw.choice(pool), *draw.some(pool, 3)]

    def intersection_size():
        names = several()
        return [len(names), *names, *draw.option(["LIMIT", draw.choice([0, 1, 2, 100])])]

    def move():
        pool = similar()
        return [draw.choice(pool), draw.choice(pool), draw.choice(SET_INTEGERS if pool is INTEGER_SETS else SET_WORDS)]

    return {
        "SADD": lambda: [(k := key()), *_members_for(draw, k)],
        "SREM": lambda: [(k := key()), *_members_for(draw, k, 2)],
        "SCARD": lambda: [key()],
        "SISMEMBER": of_key,
        "SMISMEMBER": lambda: [(k := key()), *_members_for(draw, k)],
        "SMEMBERS": lambda: [key()],
        "SMOVE": move,
        "SPOP": lambda: [key(), *draw.option([draw.choice([0, 1, 2, 3, 100])], share=0.6)],
        "SRANDMEMBER": lambda: [key(), *draw.option([draw.choice([0, 1, 2, 5, 30, -1, -3, -20])], share=0.7)],
        "SUNION": several,
        "SINTER": several,
        "SDIFF": several,
        "SUNIONSTORE": store,
        "SINTERSTORE": store,
        "SDIFFSTORE": store,
        "SINTERCARD": intersection_size,
        "SSCAN": lambda: [key(), 0, *draw.in_any_order(
            draw.option(["MATCH", draw.choice(["*", "a*", "?", "[0-9]*", "*p*", "none"])]),
            draw.option(["COUNT", draw.choice([1, 5, 100])]))],
    }


def zset(draw):
    key = lambda: draw.mostly([_zset_of(draw)], ["z:none"], 0.98)
    one_of = lambda: [(k := key()), _member_for(draw, k)]
    lex_key = lambda: draw.choice(LEX_KEYS)
    # What is stored comes from sorted sets whose scores add up exactly, and from a set, whose scores are 1.
    sources = lambda: draw.some([*SCORED_KEYS, *LEX_KEYS, "e:w1"], 3)
    destination = lambda: draw.choice(SCORED_KEYS)
    with_scores = lambda share=0.5: draw.option(["WITHSCORES"], share=share)

    def numbered():
        names = sources()
        return [len(names), *names]

    def combined():
        names = sources()
        weights = ["WEIGHTS", *(draw.choice([1, 2, 0.5, -1, 0, 3, "inf"]) for _ in names)]
        aggregate = ["AGGREGATE", draw.choice(["SUM", "MIN", "MAX"])]
        return [len(names), *names, *draw.in_any_order(draw.option(weights, share=0.4), draw.option(aggregate, share=0.5))]

    def range_():
        kind = draw.choice(["rank", "score", "lex"])
        reverse = draw.option(["REV"], share=0.4)
        if kind == "rank":
            return [key(), draw.index(), draw.index()], [], reverse, []
        low, high = draw.lex_range() if kind == "lex" else draw.score_range()
        ends = [high, low] if reverse else [low, high]
        by = ["BYLEX" if kind == "lex" else "BYSCORE"]
        return [lex_key() if kind == "lex" else key(), *ends], by, reverse, draw.limit()

    def zrange():
        what, by, reverse, limit = range_()
        return [*what, *draw.in_any_order(by, reverse, limit, [] if "BYLEX" in by else with_scores())]

    def zrangestore():
        what, by, reverse, limit = range_()
        if what[0] == UNEVEN_KEY:
            what[0] = destination()
        return [destination(), *what, *draw.in_any_order(by, reverse, limit)]

    def zadd():
        k = key()
        flags = draw.choice([[], [], ["NX"], ["XX"], ["GT"], ["LT"], ["XX", "GT"], ["XX", "LT"], ["NX", "GT"]])
        return [k, *flags, *draw.option(["CH"], share=0.3), *_scored_members(draw, k)]

    def zadd_incr():
        k = draw.choice([*SCORED_KEYS, UNEVEN_KEY])
        flags = draw.choice([[], [], [], ["NX"], ["XX"], ["GT"], ["LT"]])
        score = draw.choice(FLOATS if k == UNEVEN_KEY else ["1", "-2", "0.5", "10", "inf"])
        return [k, *draw.in_any_order(flags, ["INCR"], draw.option(["CH"], share=0.2)), score, draw.choice(SCORED_MEMBERS)]

    def zincrby():
        k = draw.choice([*SCORED_KEYS, UNEVEN_KEY])
        return [k, draw.choice(FLOATS if k == UNEVEN_KEY else ["1", "-2", "0.5", "10", "1000", "-inf"]),
                draw.choice(SCORED_MEMBERS)]

    def zmpop():
        names = draw.some([*ZSET_KEYS, "z:none"], 3)
        return [len(names), *names, draw.choice(["MIN", "MAX"]), *draw.option(["COUNT", draw.choice([1, 2, 5])])]

    def backwards(ends):
        return [ends[1], ends[0]]

    return {
        "ZADD": zadd,
        "ZADD INCR": zadd_incr,
        "ZINCRBY": zincrby,
        "ZREM": lambda: [(k := key()), *(_member_for(draw, k) for _ in range(draw.randint(1, 3)))],
        "ZCARD": lambda: [key()],
        "ZCOUNT": lambda: [key(), *draw.score_range()],
        "ZLEXCOUNT": lambda: [lex_key(), *draw.lex_range()],
        "ZSCORE": one_of,
        "ZMSCORE": lambda: [(k := key()), *(_member_for(draw, k) for _ in range(draw.randint(1, 4)))],
        "ZRANK": one_of,
        "ZREVRANK": one_of,
        "ZRANGE": zrange,
        "ZRANGESTORE": zrangestore,
        "ZREVRANGE": lambda: [key(), draw.index(), draw.index(), *with_scores()],
        "ZRANGEBYSCORE": lambda: [key(), *draw.score_range(), *draw.in_any_order(with_scores(), draw.limit())],
        "ZREVRANGEBYSCORE": lambda: [key(), *backwards(draw.score_range()), *draw.in_any_order(with_scores(), draw.limit())],
        "ZRANGEBYLEX": lambda: [lex_key(), *draw.lex_range(), *draw.limit()],
        "ZREVRANGEBYLEX": lambda: [lex_key(), *backwards(draw.lex_range()), *draw.limit()],
        "ZREMRANGEBYRANK": lambda: [key(), draw.choice([0, 1, -2, 5]), draw.choice([0, 1, -2, -1])],
        "ZREMRANGEBYSCORE": lambda: [key(), *draw.score_range()],
        "ZREMRANGEBYLEX": lambda: [lex_key(), *draw.lex_range()],
        "ZPOPMIN": lambda: [key(), *draw.option([draw.count()])],
        "ZPOPMAX": lambda: [key(), *draw.option([draw.count()])],
        "ZMPOP": zmpop,
        "ZRANDMEMBER": lambda: [key(), *draw.option([draw.choice([0, 1, 2, 5, 30, -1, -3, -20])], share=0.8)],
        "ZRANDMEMBER WITHSCORES": lambda: [key(), draw.choice([1, 2, 5, 30, -1, -3, -20]), "WITHSCORES"],
        "ZUNION": lambda: [*combined(), *with_scores()],
        "ZINTER": lambda: [*combined(), *with_scores()],
        "ZDIFF": lambda: [*numbered(), *with_scores()],
        "ZUNIONSTORE": lambda: [destination(), *combined()],
        "ZINTERSTORE": lambda: [destination(), *combined()],
        "ZDIFFSTORE": lambda: [destination(), *numbered()],
        "ZINTERCARD": lambda: [*numbered(), *draw.option(["LIMIT", draw.choice([0, 1, 2, 100])])],
        "ZSCAN": lambda: [key(), 0, *draw.in_any_order(
            draw.option(["MATCH", draw.choice(["*", "a*", "?", "*p*", "none"])]),
            draw.option(["COUNT", draw.choice([1, 5, 100])]))],
    }


GENERATORS = {"server": server, "strings": strings, "keys": keys, "ttl": ttl, "hash": hash_, "set": set_, "zset": zset}
