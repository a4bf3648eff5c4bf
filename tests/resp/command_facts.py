"""The command table of kvd (server/resp/command_table.h), as printed by build/bin/command_table_json, and which commands
and options the differential test has to cover.
"""

import json
import re
import subprocess

FAMILIES = ("strings", "keys", "ttl", "hash", "set", "zset", "transactions", "server")
_BY_GROUP = {"string": "strings", "generic": "keys", "hash": "hash", "set": "set", "sorted-set": "zset",
             "transactions": "transactions", "connection": "server", "server": "server", "pubsub": "server",
             "scripting": "server", "cluster": "server"}
_TTL = {"expire", "pexpire", "expireat", "pexpireat", "ttl", "pttl", "expiretime", "pexpiretime", "persist"}
_KEYS_OF_THE_SERVER = {"dbsize", "flushdb", "flushall", "memory|usage"}
# REFCOUNT is about sharing of small integers inside Redis.
_NOT_COMPARED = {
    "object|refcount",
    *("wait role".split()),  # about peers
    *("info time lastsave client|info client|list".split()),  # about the server itself
    *("memory|stats memory|doctor latency|doctor function|stats".split()),
    *("command command|count command|docs command|info command|list".split()),  # `wrong_facts` compares these
    *("swapdb eval evalsha eval_ro evalsha_ro fcall fcall_ro script|load script|debug function|load".split()),  # refused
    *("module|load module|unload replicaof slaveof".split()),
    "shutdown",  # followed by nothing
}
# Of those, what would be drawn by chance.
NEVER_COMPARED = {"swapdb", "object|refcount"}
# Redis answers these with an error: its memory policy is not LFU, it has no users, no functions, no running scripts and no
# cluster mode.
ALWAYS_AN_ERROR = {"object|freq", "auth", "readonly", "readwrite", "function|delete", "script|kill"} | {
    f"cluster|{name}" for name in ("info", "myid", "nodes", "shards", "slots", "keyslot", "countkeysinslot", "getkeysinslot")}


def _without_order(spec):
    """A flat list of names and values, as a dict all the way down."""
    if type(spec) is not list:
        return spec
    if spec and len(spec) % 2 == 0 and all(type(name) is bytes for name in spec[::2]):
        return {name: _without_order(value) for name, value in zip(spec[::2], spec[1::2], strict=True) if name != b"notes"}
    return sorted(map(repr, spec))


class CommandTable:
    def __init__(self, program):
        printed = subprocess.run([program], capture_output=True, check=True, timeout=60).stdout
        self.commands = {}  # "get", "object", "object|encoding" -> facts
        for facts in json.loads(printed):
            for item in [facts, *facts["subcommands"]]:
                self.commands[item["name"]] = item
        self.options = {name: self._options(facts) for name, facts in self.commands.items()}

    @staticmethod
    def _options(facts):
        """Words in capitals, and "…" for more words than the command needs."""
        syntax = facts["arguments"]
        options = {word.encode() for word in re.findall(r"\b[A-Z]{2,}\b", syntax)}
        if facts["arity"] < 0 and re.search(r"\[[a-z]", syntax):
            options.add("…".encode())
        return options

    def name_of(self, command):
        name = command[0].decode(errors="replace").lower()
        facts = self.commands.get(name)
        if facts and facts["subcommands"] and len(command) > 1:
            longer = f"{name}|{command[1].decode(errors='replace').lower()}"
            return longer if longer in self.commands else name
        return name

    def options_in(self, name, command):
        options = self.options.get(name)
        if not options:
            return ()
        found = {word for word in map(bytes.upper, command[1:]) if word in options}
        more = "…".encode()
        least = -self.commands[name]["arity"]
        if more in options and len(command) > least and command[least].upper() not in options:
            found.add(more)
        return found

    def family_of(self, name):
        facts = self.commands[name]
        if name in _NOT_COMPARED or name.endswith("|help") or facts["subcommands"]:  # HELP is words for people
            return None
        if name in _TTL:
            return "ttl"
        if name in _KEYS_OF_THE_SERVER:
            return "keys"
        return _BY_GROUP.get(facts["group"])

    def of_families(self, families):
        return [name for name in self.commands if self.family_of(name) in families]

    def wrong_facts(self, connection):
        """Lines on what a real Redis says otherwise about its commands."""
        lines = []
        for name, facts in self.commands.items():
            if facts["group"] == "starling" or "|" in name:
                continue
            theirs = connection.ask(b"COMMAND", b"INFO", name.encode())[0]
            docs = connection.ask(b"COMMAND", b"DOCS", name.encode())[1]
            lines += self._wrong(facts, theirs, docs)
            of_subcommands = dict(zip(docs[::2], docs[1::2], strict=True)).get(b"subcommands", [])
            of_subcommands = dict(zip(of_subcommands[::2], of_subcommands[1::2], strict=True))
            for inner in theirs[9]:
                if inner[0].decode() in self.commands:
                    lines += self._wrong(self.commands[inner[0].decode()], inner, of_subcommands[inner[0]])
            known = {inner[0].decode() for inner in theirs[9]}
            lines += [f"{s['name']}: Redis has no such subcommand" for s in facts["subcommands"] if s["name"] not in known]
        return lines

    def wrong_key_specs(self, connections):
        """Lines on what kvd and Redis say differently about where the keys are, and what becomes of them."""
        lines = []
        for name, facts in self.commands.items():
            if facts["group"] == "starling" or "|" in name:
                continue
            one, other = (side.ask(b"COMMAND", b"INFO", name.encode())[0] for side in connections)
            if self._specs(one) != self._specs(other):
                lines.append(f"{name}: key specifications are {self._specs(other)}, of Redis {self._specs(one)}")
        return lines

    def _specs(self, info):
        """Those of a command and of its subcommands that are there on both sides, without Redis's remarks on them."""
        specs = [] if info[0].decode() not in self.commands else [_without_order(spec) for spec in info[8]]
        return [(info[0], sorted(map(repr, specs))), *(self._specs(i) for i in sorted(info[9]) if i[0].decode() in self.commands)]

    @staticmethod
    def _wrong(facts, theirs, docs):
        docs = dict(zip(docs[::2], docs[1::2], strict=True))
        expected = {
            "arity": theirs[1],
            "flags": [flag[1].decode() for flag in theirs[2]] if theirs[2] and type(theirs[2][0]) is tuple
            else [flag.decode() for flag in theirs[2]],
            "first_key": theirs[3],
            "last_key": theirs[4],
            "key_step": theirs[5],
            "since": docs[b"since"].decode(),
            "group": docs[b"group"].decode(),
        }
        return [f"{facts['name']}: {what} is {facts[what]}, of Redis {value}" for what, value in expected.items()
                if facts[what] != value]
