"""The generators of what is asked of the server and of the connection, where Redis's answer is not about itself."""

from draw import ANY_KEYS, PATTERNS, TEXT_KEYS, command
from duel import Step

CHANNELS = ["news", "news:eu", "n\x00x", ""]
NAMES = ["app", "worker-1", "", "with space", "ünï"]
# Settings that both have, at the same value.
SETTINGS = ["databases", "maxmemory-policy", "slowlog-log-slower-than", "slowlog-max-len", "proto-max-bulk-len"]
# What Redis does not take for an amount of it. No plain number: of that malformed.py makes another, which Redis takes.
NO_MEMORY = ["abc", "-1k", "1.5gb", "5tb", "1 mb"]
# Nothing is slow enough to be noted, so both logs stay empty.
SLOW = [-1, 10**12]
NOBODY = "192.0.2.1:1"  # an address for documentation (RFC 5737)
ELSEWHERE = 7  # the connection of what would leave this one in another state
SILENT = 8  # of CLIENT REPLY
LEAVING = 9  # of QUIT
_COMMANDS_WITH_KEYS = [
    ["GET", "a"], ["SET", "a", "v"], ["MSET", "a", "1", "b", "2"], ["MGET", "a", "b", "c"], ["DEL", "a"], ["PING"],
    ["ZUNIONSTORE", "d", "2", "a", "b", "WEIGHTS", "1", "2"], ["ZUNION", "1", "a"], ["SINTERCARD", "2", "a", "b"],
    ["OBJECT", "ENCODING", "a"], ["MEMORY", "USAGE", "a"], ["RENAME", "a", "b"], ["COPY", "a", "b"], ["ZMPOP", "1", "a", "MIN"],
    ["GETEX", "a", "PERSIST"], ["LCS", "a", "b"], ["NOSUCH", "a"], ["GET"], ["SMOVE", "a", "b", "m"], ["HGETALL", "h"],
]


def server(draw):
    channel, pattern = lambda: draw.choice(CHANNELS), lambda: draw.choice(["news*", "*", "n?ws", "[mn]*"])
    pairs = lambda: ["slowlog-log-slower-than", draw.choice(SLOW),
                     *draw.option(["slowlog-max-len", draw.choice([0, 1, 128, 1000])]),
                     *draw.option(["maxmemory-policy", draw.choice(["noeviction", "NoEviction"])]),
                     *draw.option(["maxmemory", draw.choice(NO_MEMORY)])]

    def kill_nobody():
        return draw.choice([
            [NOBODY], [channel()],
            ["ADDR", NOBODY, *draw.in_any_order(draw.option(["USER", "default"]), draw.option(["SKIPME", draw.choice(["yes", "no"])]),
                                                draw.option(["LADDR", NOBODY]), draw.option(["TYPE", "normal"]))],
            ["ID", draw.choice([10**9, 10**9, 10**9, 0, -1, "x"])], ["TYPE", draw.choice(["replica", "master", "pubsub", "none"])]])

    return {
        "PING": lambda: draw.option([draw.text()]),
        "ECHO": lambda: [draw.text()],
        "SELECT": lambda: [draw.choice([0, 1, 9, 15, 16, -1, "x"])],
        "RESET": lambda: [],
        "AUTH": lambda: [*draw.option(["default"]), "password"],
        "CLIENT|SETNAME": lambda: [draw.choice(NAMES)],
        "CLIENT|GETNAME": lambda: [],
        "CLIENT|ID": lambda: [],
        "CLIENT|REPLY": lambda: [draw.choice(["ON", "OFF", "SKIP", "maybe"])],
        "HELLO": lambda: draw.option([draw.choice([2, 3, 3, 3, 4, "x"]), *draw.in_any_order(
            draw.option(["AUTH", "default", "any"]), draw.option(["SETNAME", draw.choice(NAMES)]))], share=0.9),
        "QUIT": lambda: draw.option(["at once"], share=0.1),
        "CLIENT|NO-EVICT": lambda: [draw.choice(["ON", "OFF", "OFF", "maybe"])],
        "CLIENT|PAUSE": lambda: [draw.choice([0, 1, 1, -1, "x"]), *draw.option([draw.choice(["WRITE", "ALL"])])],
        "CLIENT|UNPAUSE": lambda: [],
        "CLIENT|KILL": kill_nobody,
        "CONFIG|GET": lambda: draw.some([*SETTINGS, "no-such-setting"], 3),
        "CONFIG|SET": pairs,
        "CONFIG|RESETSTAT": lambda: [],
        "COMMAND|GETKEYS": lambda: draw.choice(_COMMANDS_WITH_KEYS),
        "COMMAND|GETKEYSANDFLAGS": lambda: draw.choice(_COMMANDS_WITH_KEYS),
        "SLOWLOG|GET": lambda: draw.option([draw.choice([0, 1, 10, -1, -2, "x"])]),
        "SLOWLOG|LEN": lambda: [],
        "SLOWLOG|RESET": lambda: [],
        "LATENCY|LATEST": lambda: [],
        "LATENCY|HISTORY": lambda: [draw.choice(["command", "fork", "nothing"])],
        "LATENCY|RESET": lambda: draw.option(draw.some(["command", "fork", "nothing"], 2)),
        "FUNCTION|LIST": lambda: draw.in_any_order(draw.option(["LIBRARYNAME", draw.choice(PATTERNS)]), draw.option(["WITHCODE"])),
        "FUNCTION|FLUSH": lambda: draw.option([draw.choice(["ASYNC", "SYNC"])]),
        "FUNCTION|DELETE": lambda: ["nothing"],
        "SCRIPT|EXISTS": lambda: draw.some(["0" * 40, "nothing", ""], 3),
        "SCRIPT|FLUSH": lambda: draw.option([draw.choice(["ASYNC", "SYNC"])]),
        "SCRIPT|KILL": lambda: [],
        "MODULE|LIST": lambda: [],
        "CLUSTER|INFO": lambda: [],
        "CLUSTER|MYID": lambda: [],
        "CLUSTER|NODES": lambda: [],
        "CLUSTER|SHARDS": lambda: [],
        "CLUSTER|SLOTS": lambda: [],
        "CLUSTER|KEYSLOT": lambda: [draw.choice(ANY_KEYS)],
        "CLUSTER|COUNTKEYSINSLOT": lambda: [draw.choice([0, 16383])],
        "CLUSTER|GETKEYSINSLOT": lambda: [draw.choice([0, 16383]), 10],
        "READONLY": lambda: [],
        "READWRITE": lambda: [],
        "PUBLISH": lambda: [channel(), draw.text()],
        "PUBSUB|CHANNELS": lambda: draw.option([pattern()]),
        "PUBSUB|NUMSUB": lambda: draw.option(draw.some(CHANNELS, 3)),
        "PUBSUB|NUMPAT": lambda: [],
        "SUBSCRIBE": lambda: draw.some(CHANNELS, 3),
        "PSUBSCRIBE": lambda: draw.some(["news*", "*", "n?ws", "[mn]*"], 3),
        "UNSUBSCRIBE": lambda: draw.some(CHANNELS, 3),
        "PUNSUBSCRIBE": lambda: draw.some(["news*", "*", "n?ws", "[mn]*"], 3),
    }


def malformed(name, words):
    """Where it harms nobody: Redis keeps what a HELLO said before the word that was wrong, kvd nothing of it."""
    if name == "HELLO":
        return [Step(ELSEWHERE, words), Step(ELSEWHERE, command("RESET"))]
    return [Step(0, words)]


def with_surroundings(draw, name, words):
    """What goes with a command, so that the next one finds the connection as this one did."""
    here = lambda *commands: [Step(0, one) for one in commands]
    if name == "SELECT":
        return here(words, command("TYPE", draw.choice(TEXT_KEYS)), command("SELECT", 0))
    if name == "RESET":  # back to RESP2
        setting = draw.choice([command("CLIENT", "SETNAME", "app"), command("SELECT", 3), command("WATCH", "k:1"), command("MULTI")])
        after = [words, command("CLIENT", "GETNAME"), command("TYPE", draw.choice(TEXT_KEYS))]
        return [Step(ELSEWHERE, one) for one in [setting, *after]]
    if name == "HELLO":  # what follows shows the version that was chosen; and back to RESP2
        after = [words, command("CONFIG", "GET", "databases"), command("CLIENT", "GETNAME"), command("RESET")]
        return [Step(ELSEWHERE, one) for one in after]
    if name == "CLIENT|REPLY":
        unheard = [command("SET", "k:1", "unheard"), command("NOSUCH"), command("ECHO", "x"), command("CLIENT", "REPLY", "SKIP")]
        after = [*(draw.choice(unheard) for _ in range(draw.randrange(3))), command("CLIENT", "REPLY", "ON"), command("PING")]
        return [Step(SILENT, one) for one in [words, *after]]
    if name == "QUIT":
        return [Step(LEAVING, one) for one in [command("CLIENT", "SETNAME", "app"), words, command("CLIENT", "GETNAME")]]
    if name in ("SLOWLOG|LEN", "SLOWLOG|GET"):
        return here(command("CONFIG", "SET", "slowlog-log-slower-than", -1), command("SLOWLOG", "RESET"), words)
    if name == "CLIENT|SETNAME":
        return here(words, command("CLIENT", "GETNAME"))
    if name == "CLIENT|PAUSE":
        return here(words, command("PING"), command("CLIENT", "UNPAUSE"))
    if name == "CONFIG|SET":
        return here(words, command("CONFIG", "GET", "slowlog-*"))
    if name in ("SUBSCRIBE", "PSUBSCRIBE"):
        # In RESP2 little else is answered until it listens to nothing again.
        listed = dict.fromkeys(words[1:])
        meanwhile = draw.choice([command("PING"), command("PING", "x"), command("GET", "k:1"), command("UNSUBSCRIBE", "nothing")])
        return here(words, meanwhile, (b"P" * (name[0] == "P") + b"UNSUBSCRIBE", *listed), command("PING"))
    return here(words)
