"""Commands as they should not be: of the wrong arity, type or form."""

from draw import KEYS_OF, as_word

JUNK = [b"abc", b"1.5", b"", b"9223372036854775808", b"-9223372036854775809", b"-", b" 1", b"1 ", b"nan", b"1e5000", b"0x10",
        b"+1", b"007"]
EXTRA = [b"extra", b"NX", b"XX", b"GT", b"LT", b"CH", b"KEEPTTL", b"PERSIST", b"BYLEX", b"REV", b"WITHVALUES", b"REPLACE",
         b"LEN", b"IDX", b"WITHSCORES", b"COUNT", b"LIMIT", b"1", b"GET", b""]
_KEYS = {as_word(key): family for family, keys in KEYS_OF.items() for key in keys}


def _drop(draw, words):
    at = draw.randrange(1, len(words)) if draw.maybe(0.5) else len(words) - 1
    return words[:at] + words[at + 1 :]


def _add(draw, words):
    return [*words, *draw.some(EXTRA, 2)]


def _junk_for_a_number(draw, words):
    numbers = [i for i in range(1, len(words)) if words[i].lstrip(b"-(").replace(b".", b"").isdigit()]
    if not numbers:
        return _add(draw, words)
    at = draw.choice(numbers)
    # Another cursor than the first may mean anything.
    is_cursor = words[0].upper().endswith(b"SCAN") and at <= 2
    return _replaced(words, at, b"abc" if is_cursor else draw.choice(JUNK))


def _key_of_another_type(draw, words):
    at = [i for i in range(1, len(words)) if words[i] in _KEYS]
    # Any key may have become a sorted set by such a mistake, and over different scores a range in byte order means nothing.
    in_byte_order = any(b"LEX" in word.upper() for word in words)
    if not at or in_byte_order:
        return _add(draw, words)
    at = draw.choice(at)
    other = draw.choice([keys for family, keys in KEYS_OF.items() if family not in (_KEYS[words[at]], "keys", "ttl")])
    return _replaced(words, at, as_word(draw.choice(other)))


def _unknown_name(draw, words):
    return [words[0] + draw.choice([b"X", b"|", b" ", b"\xff"]), *words[1:]]


def _replaced(words, at, word):
    return [*words[:at], word, *words[at + 1 :]]


# Not among them: nothing, which would be no command, and numbers that make a server allocate gigabytes.
_WAYS = [_drop, _drop, _add, _junk_for_a_number, _junk_for_a_number, _key_of_another_type, _key_of_another_type,
         _key_of_another_type, _unknown_name]


def malformed(draw, words):
    words = list(words)
    way = draw.choice(_WAYS if len(words) > 1 else [_add, _unknown_name])
    return tuple(way(draw, words))
