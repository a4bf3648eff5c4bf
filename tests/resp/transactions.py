"""Blocks of MULTI, EXEC and WATCH: some are cut through by a second connection, some hold errors."""

from draw import ANY_KEYS, HASH_KEYS, SET_KEYS, STRING_KEYS, TTL_KEYS, ZSET_KEYS, command
from duel import Step

MULTI, EXEC, DISCARD, UNWATCH = (command(name) for name in ("MULTI", "EXEC", "DISCARD", "UNWATCH"))
WATCHABLE = [*STRING_KEYS, *HASH_KEYS[:2], *SET_KEYS[:2], *ZSET_KEYS[:2], *TTL_KEYS[:2], "nokey"]
# What happens to a watched key before EXEC; some of these change nothing, and then EXEC must not notice.
_TOUCHES = [
    lambda draw, key: command("SET", key, draw.text()),
    lambda draw, key: command("GET", key),
    lambda draw, key: command("DEL", key),
    lambda draw, key: command("DEL", "nokey"),
    lambda draw, key: command("APPEND", key, draw.choice(["", "x"])),
    lambda draw, key: command("EXPIRE", key, draw.seconds()),
    lambda draw, key: command("PERSIST", key),
    lambda draw, key: command("RENAME", draw.choice(ANY_KEYS), key),
    lambda draw, key: command("COPY", key, draw.choice(ANY_KEYS)),
    lambda draw, key: command("SADD", key, draw.choice(["1", "a"])),
    lambda draw, key: command("SREM", key, "no such member"),
    lambda draw, key: command("HSET", key, "f1", draw.choice(["1", "2"])),
    lambda draw, key: command("HDEL", key, "f1"),
    lambda draw, key: command("ZADD", key, "1", "a"),
    lambda draw, key: command("SETNX", key, "1"),
    lambda draw, key: command("TOUCH", key),
]
_QUEUE_ERRORS = [lambda: command("GET"), lambda: command("NOSUCH", "x"), lambda: command("SET", "s:t1"),
                 lambda: command("MULTI", "x")]
_RUN_ERRORS = [lambda: command("HGET", "s:t1", "f1"), lambda: command("INCR", "h:1"), lambda: command("SADD", "z:1", "a"),
               lambda: command("EXPIRE", "s:t1", "soon"), lambda: command("SET", "s:t1", "x", "EX", "0")]


def block(draw, simple_command):
    """simple_command(): one that answers the same on both sides, whatever it is."""
    inner = [simple_command() for _ in range(draw.randint(1, 6))]
    if draw.maybe(0.12):
        inner.insert(draw.randrange(len(inner) + 1), draw.choice(_RUN_ERRORS)())
    kind = draw.random()
    if kind < 0.5:
        return _steps(MULTI, *inner, EXEC)
    if kind < 0.60:
        return _steps(MULTI, *inner, DISCARD)
    if kind < 0.66:
        inner.insert(draw.randrange(len(inner) + 1), draw.choice(_QUEUE_ERRORS)())
        return _steps(MULTI, *inner, EXEC)
    if kind < 0.70:
        return _steps(MULTI, *inner, draw.choice([MULTI, command("WATCH", "s:t1")]), EXEC)
    if kind < 0.73:
        return _steps(draw.choice([EXEC, DISCARD, UNWATCH, command("EXEC", "x"), command("WATCH")]))
    return _watched(draw, inner)


def _steps(*commands):
    return [Step(0, one) for one in commands]


def _watched(draw, inner):
    keys = draw.some(WATCHABLE, 2)
    touch = draw.choice(_TOUCHES)(draw, draw.mostly(keys, ["s:t1"], 0.8))
    steps = _steps(command("WATCH", *keys))
    kind = draw.random()
    if kind < 0.45:  # by somebody else, before or after MULTI
        if draw.maybe(0.5):
            steps += [Step(1, touch), *_steps(MULTI, *inner)]
        else:
            steps += [*_steps(MULTI, *inner), Step(1, touch)]
    elif kind < 0.6:  # by ourselves
        steps += _steps(touch, MULTI, *inner)
    elif kind < 0.8:  # and we no longer mind
        steps += [Step(1, touch), *_steps(UNWATCH, MULTI, *inner)]
    else:
        steps += _steps(MULTI, *inner)
    return steps + _steps(draw.choice([EXEC, EXEC, EXEC, EXEC, DISCARD]))
