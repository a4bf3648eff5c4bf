"""The ways to a node's data that semantics_table.py is played through: RESP on a raw socket, and kvctl on the native client.

A door speaks Redis's words and answers with plain values: None, numbers, texts, lists; sets and dictionaries where order says
nothing; an object that is == to the Refused that it means where the node refuses.
"""

import json
import shlex
import sys

import native
from harness import ROOT, Failed

sys.path.insert(0, str(ROOT / "tests" / "resp"))
from resp_client import NIL_ARRAY, Connection, is_error  # noqa: E402

UNORDERED = {"SMEMBERS", "SUNION", "SINTER", "SDIFF", "HKEYS", "KEYS"}


class Refusal:
    """Equal to the Refused of the table that it means, so that a failure prints what the node really said."""

    def __init__(self, said, means):
        self.said, self.means = said, means

    def __eq__(self, expected):
        return self.means(expected)

    def __repr__(self):
        return f"refused: {self.said}"


class Resp:
    """One connection to one node. WATCH and MULTI hold from one command to the next."""

    def __init__(self, node, db=0):
        self.connection = Connection(node.doors["resp"], 2)
        if db:
            self.connection.ask(b"SELECT", b"%d" % db)

    @staticmethod
    def speaks(words, db):
        return words[0].isupper()

    def ask(self, *words):
        reply = self.connection.ask(*(word.encode() for word in words))
        if is_error(reply):
            text = reply[1].decode()
            return Refusal(text, lambda refused: refused.redis in text)
        return self._shaped(words[0], self._plain(reply))

    def _plain(self, reply):
        if reply == NIL_ARRAY:
            return None
        if isinstance(reply, bytes):
            return reply.decode()
        if isinstance(reply, list):
            return [self._plain(part) for part in reply]
        if isinstance(reply, tuple):
            return reply[1].decode()
        return reply

    @staticmethod
    def _shaped(verb, reply):
        if verb in UNORDERED:
            return set(reply)
        if verb == "HGETALL":
            return dict(zip(reply[::2], reply[1::2]))
        return reply

    def why(self, key):
        """All sentences."""
        reply = self.ask("CRDT.WHY", key)
        return " ".join(reply[5]) if reply else ""

    def siblings(self, key):
        """Of the first cell that holds data."""
        cells = self.ask("CRDT.EXPLAIN", key)[5]
        cells = [dict(zip(cell[::2], cell[1::2])) for cell in cells]
        return len(next(cell["siblings"] for cell in cells if cell["kind"] != "header"))

    def close(self):
        self.connection.close()


class NativeWrites(Resp):
    """What the native protocol can write goes over it, everything else over RESP to the same node."""

    def __init__(self, node, db=0):
        super().__init__(node, db)
        self.native = native.Connection(node.doors["client"])
        self.within_multi = False

    @staticmethod
    def speaks(words, db):
        return db == 0 and Resp.speaks(words, db)

    def ask(self, *words):
        command = None if self.within_multi else self._native(words)
        self.within_multi = words[0] == "MULTI" or (self.within_multi and words[0] != "EXEC")
        if command is None:
            return super().ask(*words)
        try:
            result = self.native.ask(command).results[0]
        except native.NodeError as refused:
            code = refused.code
            return Refusal(str(refused), lambda expected: expected.code == code)
        return "OK" if result == "ok" else result

    @staticmethod
    def _native(words):
        """(verb, key, args, number), or None."""
        if len(words) == 1:
            return None  # MULTI
        verb, key, *args = words[0], *(word.encode() for word in words[1:])
        if verb in ("INCR", "DECR", "INCRBY", "DECRBY"):
            amount = int(args[0]) if args else 1
            return "incr", key, [], amount if verb.startswith("INCR") else -amount
        if verb == "HINCRBY":
            return "hincr", key, args[:1], int(args[1])
        if verb == "PEXPIRE" and len(args) == 1:
            return "expire", key, [], int(args[0])
        if verb == "ZADD" and not args[0].isalpha():
            return "zset-add", key, [word for score, member in zip(args[::2], args[1::2]) for word in (member, score)], 0
        same = {"HSET": "hset", "HDEL": "hdel", "SADD": "set-add", "SREM": "set-rem"}
        if verb in same:
            return same[verb], key, args, 0
        if (verb, len(args)) in (("SET", 1), ("DEL", 0)):
            return verb.lower(), key, args, 0
        return None

    def close(self):
        super().close()
        self.native.socket.close()


class Kvctl:
    """kvctl, one process for each command; MULTI to EXEC is a batch."""

    VERBS = {
        "GET": "get", "SET": "set", "DEL": "del", "TYPE": "type", "INCR": "incr", "INCRBY": "incr", "DECR": "decr",
        "DECRBY": "decr", "HSET": "hset", "HGET": "hget", "HDEL": "hdel", "HGETALL": "hgetall", "HINCRBY": "hincr",
        "HLEN": "hash-size", "SADD": "set-add", "SREM": "set-rem", "SISMEMBER": "set-has", "SMEMBERS": "set-members",
        "SCARD": "set-size", "flag": "flag", "mv": "mv",
    }  # fmt: skip

    def __init__(self, node, db=0):
        self.node, self.batch = node, None

    @classmethod
    def speaks(cls, words, db):
        if words[0] in ("MULTI", "EXEC"):
            return True
        return db == 0 and words[0] in cls.VERBS and (words[0] != "SET" or len(words) == 3)

    def ask(self, *words):
        if words[0] == "MULTI":
            self.batch = []
            return "OK"
        if words[0] == "EXEC":
            lines, self.batch = self.batch, None
            answers = self.node.ok("-o", "json", "batch", "-", stdin="\n".join(shlex.join(line) for line in lines))
            results = [json.loads(answer)["result"] for answer in answers.splitlines()]
            return [self._shaped(line[0], result) for line, result in zip(lines, results, strict=True)]
        command = (self.VERBS[words[0]], *words[1:])
        if self.batch is not None:
            self.batch.append(command)
            return "QUEUED"
        done = self.node.kvctl("-o", "json", *command)
        if done.returncode not in (0, 3):
            try:
                error = json.loads(done.stderr)["error"]
            except ValueError:
                raise Failed(f"kvctl {shlex.join(words)}: {done.stdout}{done.stderr}") from None
            return Refusal(error, lambda refused: refused.code == error["code"])
        return self._shaped(command[0], json.loads(done.stdout)["result"])

    @staticmethod
    def _shaped(verb, result):
        if verb == "flag" and isinstance(result, bool):
            return "on" if result else "off"
        return set(result) if verb == "set-members" else "OK" if result == "ok" else result

    def why(self, key):
        return self.node.kvctl("why", key).stdout

    def siblings(self, key):
        cells = json.loads(self.node.ok("explain", key, "-o", "json"))["cells"]
        return len(next(cell["siblings"] for cell in cells if cell["kind"] != "header"))

    def close(self):
        pass
