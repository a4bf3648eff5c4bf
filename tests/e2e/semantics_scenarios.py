"""docs/semantics.md on real nodes that are cut off from each other, row by row and through every door."""

import re
import shlex
import time

from harness import ROOT, check, check_contains, check_equal, cut_off, eventually
from semantics_doors import Kvctl, NativeWrites, Resp
from semantics_table import EXPIRY_ROWS, ROWS, T1, T2

PAIRS = {
    "RESP": (Resp, Resp),
    "kvctl": (Kvctl, Kvctl),
    "native": (NativeWrites, NativeWrites),
    "RESP on a, kvctl on b": (Resp, Kvctl),
    "kvctl on a, RESP on b": (Kvctl, Resp),
}
EXPIRY_PAIRS = {"RESP": (Resp, Resp), "native": (NativeWrites, NativeWrites)}


class Play:
    """One row through one pair of doors, under keys of its own."""

    def __init__(self, number, row, pair, doors):
        self.row, self.pair, self.doors, self.prefix = row, pair, doors, f"row{number}-{pair.partition(' ')[0]}"
        if " " in pair:
            self.prefix += "-mixed"

    def words_of(self, command):
        words = command[0] if isinstance(command, tuple) else command
        meanings = {"T1": str(T1), "T2": str(T2)}
        return [
            self.prefix + word[1:] if re.fullmatch(r"K\d?", word) else meanings.get(word, word)
            for word in shlex.split(words)
        ]

    def run(self, side, node, commands):
        door = self.doors[side]
        for command in commands:
            words = self.words_of(command)
            reply = door.ask(*words)
            if isinstance(command, tuple):
                check_equal(reply, command[1], f"{self} {' '.join(words)} on {node.name}")
            else:
                check("refused" not in repr(reply), f"{self} {' '.join(words)} on {node.name}: {reply!r}")

    def check_why(self, side, node):
        if self.row.why:
            said = self.doors[side].why(self.prefix)
            for part in self.row.why:
                check_contains(said, part, f"{self} why on {node.name}")

    def check_siblings(self, side, node):
        if self.row.siblings is not None:
            siblings = self.doors[side].siblings(self.prefix)
            check_equal(siblings, self.row.siblings, f"{self} siblings on {node.name}")

    def __str__(self):
        return f"'{self.row.of}: {self.row.name}' by {self.pair}:"


def plays(rows, nodes, pairs):
    """Each row by each pair of doors of which both know all its words. Rows share the connections of their database."""
    doors = {}

    def door(kind, node, db):
        if (kind, node.name, db) not in doors:
            doors[kind, node.name, db] = kind(node, db)
        return doors[kind, node.name, db]

    all_plays = []
    for number, row in enumerate(rows):
        commands = [c for part in (row.before, row.a, row.b, row.then, row.after, row.finally_) for c in part]
        for pair, kinds in pairs.items():
            play = Play(number, row, pair, None)
            if all(kind.speaks(play.words_of(command), row.db) for kind in kinds for command in commands):
                play.doors = [door(kind, node, row.db) for kind, node in zip(kinds, nodes)]
                all_plays.append(play)
    return all_plays


def apart_and_together(lab, rows, pairs, meanwhile=lambda a: None):
    """All rows at once: before, cut, writes on both sides, healed, and what both show."""
    a, b = lab.cluster("a", "b")
    playing = plays(rows, (a, b), pairs)
    check_equal({id(play.row) for play in playing}, {id(row) for row in rows}, "rows that some pair of doors can play")
    for play in playing:
        play.run(0, a, play.row.before)
    a.wait_converged()
    with cut_off(a):
        eventually(lambda: b.status()["members"][0]["state"] != "up", "b notices that a is cut off")
        for play in playing:
            play.run(0, a, play.row.a)
        meanwhile(a)
        time.sleep(0.01)  # clocks count milliseconds
        for play in playing:
            play.run(1, b, play.row.b)
    converge(a, b)
    for side, node in enumerate((a, b)):
        for play in playing:
            play.run(side, node, play.row.then)
            play.check_why(side, node)
    for play in playing:
        play.run(1, b, play.row.after)
    converge(a, b)
    for side, node in enumerate((a, b)):
        for play in playing:
            play.run(side, node, play.row.finally_)
            play.check_siblings(side, node)
    return f"{len(rows)} rows, played {len(playing)} times"


def scenario_every_row_of_the_semantics(lab):
    """every row of the semantics, on two cut-off nodes, by RESP, by kvctl, by the native protocol, and by two of them"""
    return apart_and_together(lab, ROWS, PAIRS)


def scenario_expiry_while_cut_off(lab):
    """a key that expires on one side of a cut takes with it what that side had seen"""
    keys = sum("PEXPIRE" in command for row in EXPIRY_ROWS for command in row.a if command.startswith("PEXPIRE "))
    keys *= len(EXPIRY_PAIRS)

    def all_taken_away(a):
        eventually(lambda: a.metrics()["starling_expired_keys_total"] >= keys, f"a takes {keys} expired keys away")

    return apart_and_together(lab, EXPIRY_ROWS, EXPIRY_PAIRS, all_taken_away)


def scenario_the_semantics_are_all_tested(lab):
    """every line of docs/semantics.md has its rows in the test, and every row its line"""
    text = (ROOT / "docs" / "semantics.md").read_text()
    table = text.split("| Operations | Result on every node |\n|---|---|\n")[1].split("\n\n")[0]
    lines = [line.split(" | ")[0].removeprefix("| ").replace("`", "") for line in table.splitlines()]
    check_equal(sorted(set(lines)), sorted(lines), "lines of docs/semantics.md")
    check_equal({row.of for row in ROWS + EXPIRY_ROWS}, set(lines), "lines that have rows")


def converge(*nodes):
    for node in nodes:
        eventually(
            lambda n=node: all(member["state"] == "up" for member in n.status()["members"]), f"{node.name} sees all"
        )
    for node in nodes:
        node.wait_converged()


def scenario_batches_are_visible_all_at_once(lab):
    """a batch is all or nothing, and visible all at once on the other node"""
    a, b = lab.cluster("a", "b")
    for i in range(1, 31):
        a.ok("batch", "-", stdin=f"set left {i}\nincr sum\nset-add even-more {i}\nset right {i}\n")
        answers = b.ok("batch", "-", stdin="get left\nget right\nget sum\n").splitlines()
        check(len(set(answers)) <= 1, f"b shows a part of a batch: {answers}")
    a.ok("set", "text", "abc")
    a.fails(8, "batch", "-", stdin="set left refused\nincr text\nset right refused\n")
    check_equal(a.ok("get", "left"), "30", "a batch of which one command is refused")
    a.wait_converged()
    check_equal([b.ok("get", k) for k in ("left", "right", "sum")], ["30"] * 3, "what b shows in the end")


def scenario_three_sides_of_a_partition(lab):
    """three nodes, each alone: what all of them wrote is there afterwards"""
    nodes = lab.cluster("a", "b", "c")
    for node in nodes:
        node.ok("partition")
    for node in nodes:
        eventually(lambda n=node: all(m["state"] != "up" for m in n.status()["members"]), f"{node.name} is alone")
    for i, node in enumerate(nodes):
        node.ok("set-add", "names", node.name, "all")
        node.ok("incr", "visits", str(10**i))
        node.ok("hset", "by", node.name, "here")
        node.ok("mv", "draft", node.name)
    for node in nodes:
        node.ok("heal")
    converge(*nodes)
    for node in nodes:
        check_equal(node.ok("set-members", "names"), "a\nall\nb\nc", "names")
        check_equal(node.ok("get", "visits"), "111", "visits")
        check_equal(node.ok("hgetall", "by"), "a\nhere\nb\nhere\nc\nhere", "by")
        check_equal(node.ok("mv", "draft"), "a\nb\nc", "draft")
