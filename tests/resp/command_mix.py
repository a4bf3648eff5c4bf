"""The endless stream of random steps that one seed gives, in episodes that begin with both sides empty."""

from draw import KEYS_OF, OTHER_DB, Draw, command
from duel import Step
from families import GENERATORS, fill
from malformed import malformed
import server_family
import transactions

STEPS_OF_EPISODE = 2000
# Of what is drawn by itself; blocks and what goes with a command included, it is one in twenty.
SHARE_OF_MALFORMED = 0.175
SHARE_OF_FILL = 0.12
WEIGHT_OF_FAMILY = {"server": 1.7}  # it has the most commands
# How often a command comes, where that is not 1: those that take much away come less often.
WEIGHTS = {"FLUSHALL": 0.6, "FLUSHDB": 0.5, "DEL": 0.6, "UNLINK": 0.6, "GETDEL": 0.5, "MOVE": 0.4, None: 3,
           "OBJECT|FREQ": 0.5, "SETEX": 0.8, "PSETEX": 0.8, "MSETNX": 0.8, "SPOP": 0.8, "ZREMRANGEBYRANK": 0.6,
           "ZREMRANGEBYSCORE": 0.5, "ZREMRANGEBYLEX": 0.6, "ZPOPMIN": 0.7, "ZPOPMAX": 0.7, "ZMPOP": 0.7, "MSET": 0.8,
           "CLIENT|KILL": 2.4, "CLIENT|PAUSE": 2.2, "CLIENT|NO-EVICT": 1.8, "HELLO": 2.4, "SLOWLOG|GET": 1.7}
# Answered at will, or followed up: these have no place within MULTI.
_NOT_WITHIN_MULTI = {"SPOP", "SRANDMEMBER", "HRANDFIELD", "HRANDFIELD WITHVALUES", "ZRANDMEMBER", "ZRANDMEMBER WITHSCORES",
                     "SSCAN", "HSCAN", "ZSCAN", "INCRBYFLOAT", "HINCRBYFLOAT", "ZINCRBY", "ZADD INCR"}
_FAMILIES_WITHIN_MULTI = ("strings", "ttl", "hash", "set", "zset")


class CommandMix:
    def __init__(self, seed, families, without=()):
        self.draw = Draw(seed)
        self.families = families
        self.generators = {family: make(self.draw) for family, make in GENERATORS.items()}
        self.without = without
        self.names = {family: [name for name in makers if name is None or name.split()[0].lower() not in without]
                      for family, makers in self.generators.items()}
        self.made = self.malformed = 0
        self.family_weights = [WEIGHT_OF_FAMILY.get(family, 1) for family in families]
        self.weights = {family: [WEIGHTS.get(name, 1) for name in names] for family, names in self.names.items()}

    def episode(self, steps=STEPS_OF_EPISODE):
        made = self._fill_all()
        while len(made) < steps:
            made += self._next()
        self.made += len(made)
        return made

    def _fill_all(self):
        # Every type is there for the families that take any, and as what is of the wrong type.
        return [Step(0, one) for family, keys in KEYS_OF.items() for key in keys for one in fill(self.draw, family, key)]

    def _next(self):
        draw = self.draw
        family = draw.choices(self.families, self.family_weights)[0]
        if family == "transactions":
            return self._fill_one(draw.choice(_FAMILIES_WITHIN_MULTI)) + transactions.block(draw, self._simple_command)
        if family != "server" and draw.maybe(SHARE_OF_FILL):
            return self._fill_one(family)
        name = draw.choices(self.names[family], self.weights[family])[0]
        words = self._make(family, name)
        # Whoever listens in RESP2 must stop before it can ask for anything else.
        listens = name is not None and name.endswith("SUBSCRIBE")
        if not listens and draw.maybe(SHARE_OF_MALFORMED):
            self.malformed += 1
            return server_family.malformed(name, malformed(draw, words))
        if family == "server":
            return server_family.with_surroundings(draw, name, words)
        return [Step(0, one) for one in self._with_surroundings(name, words)]

    def _fill_one(self, family):
        return [Step(0, one) for one in fill(self.draw, family, self.draw.choice(KEYS_OF[family]))]

    def _make(self, family, name):
        words = self.generators[family][name]()
        if name is None:
            return words
        parts = name.split()[0].split("|")
        return command(*map(self.draw.cased, parts), *words)

    def _simple_command(self):
        while True:
            family = self.draw.choice(_FAMILIES_WITHIN_MULTI)
            name = self.draw.choices(self.names[family], self.weights[family])[0]
            if name not in _NOT_WITHIN_MULTI:
                return self._make(family, name)

    def _with_surroundings(self, name, words):
        """Commands that would leave nothing to look at bring something along."""
        select, back = command("SELECT", OTHER_DB), command("SELECT", 0)
        key = self.draw.choice(KEYS_OF["keys"])
        if name == "FLUSHALL":
            return [words, command("DBSIZE"), *(step.command for step in self._fill_all())]
        if name == "FLUSHDB":
            return [select, *fill(self.draw, "keys", key), words, command("DBSIZE"), command("TYPE", key), back]
        if name == "DBSIZE" and len(words) == 1:
            # So that Redis has met, and taken away, what was born expired: KEYS would only hide it.
            return [command("SCAN", 0, "COUNT", 1000), words]
        if name == "MOVE" and len(words) == 3:
            there = words[1]
            return [words, select, command("TYPE", there), command("TTL", there), self.draw.choice([
                command("MOVE", there, 0), command("DEL", there)]), back]
        return [words]
