"""Whether two replies to the same command are the same. What may differ is the closed list in
docs/redis-compatibility.md, "How we test"; everything else must be equal, bytes and types.
"""

import collections
import decimal
import itertools
import math

from resp_client import is_error, is_nil

# Beside the shapes of the command table: replies in which a float may be 2 ulp off, wherever it stands.
HOLDS_FLOATS = {"zadd", "zmscore", "zmpop"}
FLOAT_SHAPES = {"number", "number_or_nil", "scored"}
# How far two clocks may be apart, in the unit of the reply.
TIME_SLACK = {"ttl": 1, "expiretime": 1, "pttl": 1000, "pexpiretime": 1000}
ENCODINGS = {b"int", b"embstr", b"raw", b"listpack", b"hashtable", b"intset", b"skiplist", b"ziplist"}


def near_floats(one, other):
    """At most 2 ulp apart. The same float in another notation is not the same reply, but for zero: which of its two signs
    a score shows depends, in Redis, on how it keeps the set."""
    try:
        exact_one, exact_other = exactly(one), exactly(other)
        one, other = float(one), float(other)
    except (ValueError, decimal.InvalidOperation):
        return False
    if one == other == 0:
        return True
    if math.isinf(one) or math.isinf(other):
        return False
    return exact_one != exact_other and abs(one - other) <= 2 * math.ulp(max(abs(one), abs(other)))


def exactly(number):
    """Sums are shown with more digits than a double has."""
    return decimal.Decimal(number.decode()) if type(number) is bytes else decimal.Decimal(number)


def near(one, other):
    """Equal, but for floats that are at most 2 ulp apart, at any depth."""
    if one == other:
        return True
    if type(one) is bytes and type(other) is bytes:
        return near_floats(one, other)
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(map(near, one, other))
    if type(one) is tuple and type(other) is tuple and one[0] == other[0]:
        if one[0] == b",":
            return near_floats(one[1], other[1])
        return type(one[1]) is list and near(one[1], other[1])
    return False


def parts(reply):
    """The parts of an aggregate, or None."""
    if type(reply) is list:
        return reply
    if type(reply) is tuple and reply[0] in (b"~", b"%"):
        return reply[1]
    return None


def same_kind(one, other):
    return type(one) is type(other) and (type(one) is not tuple or one[0] == other[0])


def pairs(flat_or_nested):
    """Fields with values, members with scores: RESP2 has them one after the other, RESP3 in pairs or in a map."""
    if flat_or_nested and type(flat_or_nested[0]) is list:
        return [tuple(pair) for pair in flat_or_nested]
    return list(itertools.zip_longest(flat_or_nested[::2], flat_or_nested[1::2]))


def _without_id(hello):
    """What HELLO says, with the type of the number alone."""
    return [(name, type(value) if name == b"id" else value) for name, value in pairs(parts(hello) or [])]


def multiset(items):
    return collections.Counter(map(repr, items))


def is_fair(command, reply, pool):
    """Whether a random reply obeys the rules of membership and count. The pool is what there was to draw from."""
    name, words = command[0].lower(), command[1:]
    if name == b"randomkey" or len(words) == 1:
        return reply in pool if pool else is_nil(reply)
    pool = set(map(repr, pool))
    drawn, count = parts(reply), int(words[1])
    if drawn is None:
        return False
    if len(words) > 2:  # WITHVALUES, WITHSCORES
        drawn = pairs(drawn)
    drawn = list(map(repr, drawn))
    if not pool.issuperset(drawn):
        return False
    if count < 0:
        return len(drawn) == (-count if pool else 0)
    return len(drawn) == min(count, len(pool)) == len(set(drawn))


class Judge:
    """Knows the shape of each command's reply."""

    def __init__(self, table):
        self.table = table

    def alike(self, command, one, other, pools=None, queued=()):
        """pools: what a random reply of each side is drawn from. queued: the commands that EXEC ran."""
        if type(one) is type(other) and one == other and (pools is None or is_error(one)):
            return True
        name = self.table.name_of(command)
        facts = self.table.commands.get(name)
        if facts is None or is_error(one) or is_error(other) or not same_kind(one, other):
            return False
        if name == "exec" and type(one) is list:
            return len(one) == len(other) == len(queued) and all(map(self.alike, queued, one, other))
        return self._alike_in_shape(name, facts["reply"], command, one, other, pools)

    def _alike_in_shape(self, name, shape, command, one, other, pools):
        if shape == "random":
            return pools is not None and is_fair(command, one, pools[0]) and is_fair(command, other, pools[1])
        if shape == "set":
            return parts(one) is not None and multiset(parts(one)) == multiset(parts(other))
        if shape == "map" and name != "hello":
            return parts(one) is not None and multiset(pairs(parts(one))) == multiset(pairs(parts(other)))
        if shape in FLOAT_SHAPES or name in HOLDS_FLOATS:
            return near(one, other)
        if name in TIME_SLACK:
            return type(one) is int and one > 0 and other > 0 and abs(one - other) <= TIME_SLACK[name]
        if name == "client|id":
            return type(one) is int and type(other) is int and one > 0 and other > 0
        if name == "hello":  # all but the number of the connection
            return _without_id(one) == _without_id(other)
        if name == "object|encoding":
            return one in ENCODINGS and other in ENCODINGS
        if name == "object|idletime":
            return type(one) is int and type(other) is int and 0 <= one <= other + 2
        if name == "memory|usage":
            return type(one) is int and one > 0 and other > 0
        return False


def same_scan(command, one, other):
    """Two finished iterations; each element may have come more than once."""
    if command[0].lower() in (b"hscan", b"zscan"):
        one, other = pairs(one), pairs(other)
    one, other = sorted(set(one)), sorted(set(other))
    if command[0].lower() != b"zscan":
        return one == other
    return len(one) == len(other) and all(a[0] == b[0] and near(a[1], b[1]) for a, b in zip(one, other, strict=True))

