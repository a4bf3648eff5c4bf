"""What random commands are made of: small pools of keys, members and values, and ways to draw from them."""

import random

FAR_FUTURE = 4_102_444_800  # 2100-01-01, in seconds
OTHER_DB = 9

# At most 8 keys for each family, and 16 members or fields.
TEXT_KEYS = ["s:t1", "s:t2"]
INTEGER_KEYS = ["s:n1", "s:n2"]
FLOAT_KEYS = ["s:f1"]
NEW_STRING_KEYS = ["s:new1", "s:new2", "s:new3"]  # of MSETNX, and deleted now and then
STRING_KEYS = TEXT_KEYS + INTEGER_KEYS + FLOAT_KEYS
ANY_KEYS = [f"k:{i}" for i in range(1, 9)]
TTL_KEYS = [f"ttl:{i}" for i in range(1, 9)]
HASH_KEYS = [f"h:{i}" for i in range(1, 9)]
INTEGER_SETS = ["e:i1", "e:i2", "e:i3"]
WORD_SETS = ["e:w1", "e:w2", "e:w3", "e:w4", "e:w5"]
SET_KEYS = INTEGER_SETS + WORD_SETS
SCORED_KEYS = ["z:1", "z:2", "z:3", "z:4"]
LEX_KEYS = ["z:x1", "z:x2", "z:x3"]  # all scores are 0, without which ranges in byte order mean nothing
UNEVEN_KEY = "z:u"  # scores with many digits; never summed up, because the order of the summands would show
ZSET_KEYS = SCORED_KEYS + LEX_KEYS + [UNEVEN_KEY]
KEYS_OF = {"strings": STRING_KEYS, "keys": ANY_KEYS, "ttl": TTL_KEYS, "hash": HASH_KEYS, "set": SET_KEYS, "zset": ZSET_KEYS}

TEXTS = ["", "a", "hello", "hello world", "héllo", "ohmytext", "mynewtext", "x" * 45, "y" * 70, b"\x00\xff\r\n\x01", "12ab",
         "0", "  7", "100"]
LONG_TEXTS = ["v" * 200, "w" * 1000, b"\x80" * 300]
INTEGERS = [0, 1, -1, 2, 7, 10, 42, 100, 9999, 10000, -12345, 2**31, 2**53]
EXTREMES = [2**63 - 1, -(2**63), 2**63 - 2]
EXACT_FLOATS = ["0.5", "1.25", "-2.75", "3", "100", "-7", "1e3", "0.0625", "12345.5"]
FLOATS = ["0.1", "3.14", "-1.1", "1e-7", "2.7182818284590452", "33.33"]
INTEGER_FIELDS = ["n1", "n2", "n3"]
FLOAT_FIELDS = ["d1", "d2", "d3"]
TEXT_FIELDS = ["f1", "f2", "f3", "f4", "f5", "f6", "", "name", "käse", b"\x00\x80"]
FIELDS = INTEGER_FIELDS + FLOAT_FIELDS + TEXT_FIELDS
SET_INTEGERS = ["1", "2", "3", "10", "-5", "100", "70000", "5000000000"]
SET_WORDS = ["a", "b", "apple", "10", "", "née", b"\xfe\x00", "w" * 66, "m"]
LEX_MEMBERS = ["a", "aa", "b", "bb", "c", "cc", "d", "e", "f", "g", "", "zz", "B", "1"]
SCORED_MEMBERS = [*LEX_MEMBERS, b"\xfe\x00", "w" * 66]
SCORES = ["0", "1", "1", "2", "3", "-1", "0.5", "2.75", "10", "1000000", "inf", "-inf", "+5", "1e3", "-0"]
PATTERNS = ["*", "?*", "k:*", "h:[1-4]", "[^ks]*", "*1", "*:?", "s:[tn]?", "z\\:*", "nothing", "[a-f]*", "*e*",
            "*[0-9]", "a\\*"]


def as_word(word):
    return word if type(word) is bytes else str(word).encode()


def command(name, *words):
    return (name.encode(), *map(as_word, words))


class Draw(random.Random):
    def maybe(self, share):
        return self.random() < share

    def some(self, pool, most=4):
        return [self.choice(pool) for _ in range(self.randint(1, most))]

    def mostly(self, pool, others, share=0.93):
        return self.choice(pool if self.random() < share else others)

    def option(self, *options, share=0.5):
        """One of these lists of words, or none of them."""
        return self.choice(options) if self.random() < share else []

    def in_any_order(self, *options):
        """Those lists of words, one after the other in any order."""
        options = list(options)
        self.shuffle(options)
        return [word for option in options for word in option]

    def cased(self, word):
        """Names and options are the same in upper and lower case."""
        return word if self.random() < 0.8 else self.choice((word.lower(), word.capitalize()))

    def text(self):
        return self.mostly(TEXTS, LONG_TEXTS)

    def integer(self):
        return self.mostly(INTEGERS, EXTREMES, 0.97)

    def index(self):
        return self.choice([0, 0, 1, 2, 3, 5, -1, -1, -2, -4, 10, 100, -100])

    def count(self):
        return self.choice([0, 1, 2, 3, 5, 20])

    # Times. Relative ones come from so wide a range that no two are ever so close that it depends on the speed of a
    # server which is the later one.

    def seconds(self):
        return self.randrange(1000, 10**7) if self.maybe(0.96) else self.choice([0, -1, -1000])

    def milliseconds(self):
        return self.randrange(10**6, 10**10) if self.maybe(0.96) else self.choice([0, -1, -1000])

    def second_of_clock(self):
        return FAR_FUTURE + self.randrange(5) if self.maybe(0.95) else self.choice([1, 1_000_000_000])

    def millisecond_of_clock(self):
        return self.second_of_clock() * 1000

    def expiry_option(self):
        """Of SET and GETEX, which refuse zero and less."""
        unit = self.choice(["EX", "PX", "EXAT", "PXAT"])
        value = {"EX": self.randrange(1000, 10**7), "PX": self.randrange(10**6, 10**10), "EXAT": self.second_of_clock(),
                 "PXAT": self.millisecond_of_clock()}[unit]
        return [unit, value if self.maybe(0.97) else self.choice([0, -1, 2**63 - 1])]

    # Ranges of sorted sets.

    def score(self):
        return self.choice(SCORES)

    def score_range(self):
        ends = [self.choice(["", "", "("]) + self.choice(SCORES) for _ in range(2)]
        low, high = sorted(ends, key=lambda end: float(end.lstrip("("))) if self.maybe(0.9) else ends
        return (low if self.maybe(0.6) else "-inf"), (high if self.maybe(0.6) else "+inf")

    def lex_range(self):
        ends = sorted(self.sample(LEX_MEMBERS, 2), reverse=self.maybe(0.1))
        low, high = (self.choice("[(") + end for end in ends)
        return (low if self.maybe(0.7) else "-"), (high if self.maybe(0.7) else "+")

    def limit(self, share=0.4):
        return self.option(["LIMIT", self.choice([0, 0, 1, 2, 5]), self.choice([0, 1, 2, 3, 10, -1])], share=share)
