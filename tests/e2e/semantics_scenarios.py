"""docs/semantics.md, row by row, through kvctl on two real nodes that are cut off from each other."""

import json
import shlex
import time
from dataclasses import dataclass, field

from harness import check, check_contains, check_equal, cut_off, eventually

MAX = 2**63 - 1


@dataclass
class Row:
    """In every command K is a key of this row alone. Commands on b come after those on a, by wall clock too.
    A command is 'words' or ('words', expected answer); an answer that is a number alone is an exit code."""

    name: str
    a: list
    b: list
    then: list  # on both nodes, once healed
    before: list = field(default_factory=list)
    why: list = field(default_factory=list)  # parts of what `kvctl why K` says
    after: list = field(default_factory=list)  # on b, having seen both sides
    finally_: list = field(default_factory=list)  # on both again
    siblings: int | None = None  # of K's first cell, at the very end


ROWS = [
    Row(
        "set ‖ set: the later clock is read, why shows the other, the next set replaces both",
        a=["set K earlier"],
        b=["set K later"],
        then=[("get K", "later")],
        why=['is "later", written by b', 'At the same time, "earlier" was written by a', "the later clock is read"],
        after=["set K next"],
        finally_=[("get K", "next")],
        siblings=1,
    ),
    Row("set ‖ set, the later one on a", a=["set K x"], b=["set K y", "set K z"], then=[("get K", "z")]),
    Row("set ‖ del: the set survives", before=["set K old"], a=["set K new"], b=["del K"], then=[("get K", "new")]),
    Row("del ‖ set: also if the del is the older", before=["set K old"], a=["del K"], b=["set K new"],
        then=[("get K", "new")]),
    Row("del ‖ del", before=["set K old"], a=[("del K", "1")], b=[("del K", "1")], then=[("get K", 3)]),
    Row("incr ‖ incr: the sum of all", before=["incr K 5"], a=["incr K 10", "decr K"], b=["incr K 100"],
        then=[("get K", "114"), ("type K", "string")]),
    Row("incr beyond 64 bits is refused where it is made", before=[f"set K {MAX - 1}"],
        a=[("incr K", str(MAX)), ("incr K", 7)], b=[("decr K", str(MAX - 2))], then=[("get K", str(MAX - 1))]),
    Row("a merged sum beyond 64 bits saturates everywhere", before=[f"set K {MAX - 10}"],
        a=[("incr K 10", str(MAX))], b=[("incr K 10", str(MAX))], then=[("get K", str(MAX))]),
    Row("the reply of incr is what this node has seen", before=["incr K"], a=[("incr K", "2")], b=[("incr K", "2")],
        then=[("get K", "3")]),
    Row("set n, then incr: a counter with that base", before=["set K 40"], a=[("incr K", "41")], b=[("incr K", "41")],
        then=[("get K", "42")]),
    Row("incr of text is an error", before=["set K text"], a=[("incr K", 8)], b=[("incr K", 8)],
        then=[("get K", "text")]),
    Row("incr ‖ set: increments that the set had seen are gone, others add to it", before=["incr K 5"],
        a=["incr K 3"], b=["set K 100"], then=[("get K", "103")]),
    Row("incr ‖ del: the unseen increments are the value", before=["incr K 5"], a=["incr K 3"], b=["del K"],
        then=[("get K", "3")], why=["a added 3"]),
    Row("set and set ‖ incr: what one of the sets had seen is gone, whichever is read", before=["incr K 5"],
        a=["incr K 7", "set K 10"], b=["set K 20"], then=[("get K", "20")]),
    Row(
        "set text ‖ incr: the text is read, increments stay hidden, the next set resets them",
        before=["set K 1"],
        a=["incr K 5"],
        b=["set K text"],
        then=[("get K", "text"), ("incr K", 8)],
        after=["set K 7"],
        finally_=[("get K", "7")],
    ),
    Row("hset f ‖ hset g: both fields", a=["hset K f 1"], b=["hset K g 2"], then=[("hgetall K", "f\n1\ng\n2")]),
    Row("hset f ‖ hset f: the later", a=["hset K f earlier"], b=["hset K f later"], then=[("hget K f", "later")],
        why=['Field "f" is "later"', '"earlier"']),
    Row("hset f ‖ hdel f: the write survives", before=["hset K f old"], a=["hset K f new"], b=["hdel K f"],
        then=[("hget K f", "new")]),
    Row("hset f ‖ del: the write survives, the rest is gone", before=["hset K f old g old"], a=["hset K f new"],
        b=["del K"], then=[("hgetall K", "f\nnew")]),
    Row("hincr f ‖ hincr f: the sum", before=["hset K f 10"], a=["hincr K f 1"], b=["hincr K f 2"],
        then=[("hget K f", "13")]),
    Row("hincr f ‖ hdel f: the unseen increments survive", before=["hincr K f 10"], a=["hincr K f 3"],
        b=["hdel K f"], then=[("hget K f", "3")]),
    Row("hincr f ‖ hset f: the unseen increments add to it", before=["hincr K f 10"], a=["hincr K f 3"],
        b=["hset K f 100"], then=[("hget K f", "103")]),
    Row("set-add e ‖ set-rem e: e is in", before=["set-add K e other"], a=["set-add K e"], b=["set-rem K e"],
        then=[("set-has K e", "1"), ("set-members K", "e\nother")], why=['"e" is in: added by a']),
    Row("set-rem e takes back only adds it had seen", before=["set-add K e"], a=["set-rem K e"], b=["set-rem K e f"],
        then=[("set-has K e", 3)]),
    Row("a remove does not reach an add it had not seen", a=["set-add K e"], b=["set-rem K e"],
        then=[("set-has K e", "1")]),
    Row("set-rem, then set-add on one side ‖ set-rem on the other", before=["set-add K e"],
        a=["set-rem K e", "set-add K e"], b=["set-rem K e"], then=[("set-has K e", "1")]),
    Row("flag on ‖ flag off: on", before=["flag K on"], a=["flag K on"], b=["flag K off"], then=[("flag K", "on")],
        why=["enabled by a"]),
    Row("flag off ‖ flag off: off", before=["flag K on"], a=["flag K off"], b=["flag K off"], then=[("flag K", "off")]),
    Row("flag off ‖ nothing: off", before=["flag K on"], a=["flag K off"], b=[], then=[("flag K", "off")]),
    Row(
        "mv ‖ mv: reads show both until a write that saw both",
        before=["mv K zero"],
        a=["mv K one"],
        b=["mv K two"],
        then=[("mv K", "one\ntwo")],
        why=["None of these writes had seen another"],
        after=["mv K three"],
        finally_=[("mv K", "three")],
        siblings=1,
    ),
    Row("del of a set ‖ add inside: only what the del saw dies", before=["set-add K x y"], a=["set-add K z"],
        b=["del K"], then=[("set-members K", "z")]),
    Row("del of a set ‖ add of an element it saw", before=["set-add K x y"], a=["set-add K x"], b=["del K"],
        then=[("set-members K", "x")]),
    Row("del of a flag ‖ on", before=["flag K on"], a=["flag K on"], b=["del K"], then=[("flag K", "on")]),
    Row("del of a register ‖ mv", before=["mv K old"], a=["mv K new"], b=["del K"], then=[("mv K", "new")]),
    Row(
        "two types under one key: the one created later is visible, why names the other, del covers both",
        a=["set K text"],
        b=["set-add K e"],
        then=[("type K", "set"), ("set-members K", "e"), ("get K", 8)],
        why=["under several types", "hidden: string"],
        after=[("del K", "1")],
        finally_=[("type K", 3), ("get K", 3)],
    ),
    Row(
        "two types under one key: a set that saw both replaces both",
        a=["set-add K e"],
        b=["hset K f 1"],
        then=[("type K", "hash")],
        after=["set K text"],
        finally_=[("type K", "string"), ("get K", "text")],
    ),
    Row("a command for another type is refused", before=["set K text"], a=[("set-add K e", 8), ("hset K f 1", 8)],
        b=[("flag K on", 8), ("mv K x", 8)], then=[("get K", "text")]),
]


def run_commands(node, commands, key, row):
    for command in commands:
        words, expected = command if isinstance(command, tuple) else (command, None)
        words = [key if word == "K" else word for word in shlex.split(words)]
        done = node.kvctl(*words)
        where = f"row '{row.name}', {' '.join(words)} on {node.name}"
        if isinstance(expected, int):
            check_equal(done.returncode, expected, f"{where}: exit code ({done.stdout}{done.stderr})")
        else:
            check_equal(done.returncode, 0, f"{where}: exit code ({done.stdout}{done.stderr})")
            if expected is not None:
                check_equal(done.stdout.removesuffix("\n"), expected, where)


def scenario_every_row_of_the_semantics(lab):
    """every row of the semantics, on two cut-off nodes"""
    a, b = lab.cluster("a", "b")
    rows = [(f"row {i}", row) for i, row in enumerate(ROWS)]
    for key, row in rows:
        run_commands(a, row.before, key, row)
    a.wait_converged()
    with cut_off(a):
        eventually(lambda: b.status()["members"][0]["state"] != "up", "b notices that a is cut off")
        for key, row in rows:
            run_commands(a, row.a, key, row)
        time.sleep(0.01)  # clocks count milliseconds
        for key, row in rows:
            run_commands(b, row.b, key, row)
    converge(a, b)
    for node in (a, b):
        for key, row in rows:
            run_commands(node, row.then, key, row)
            said = node.kvctl("why", key).stdout
            for part in row.why:
                check_contains(said, part, f"row '{row.name}', why on {node.name}")
    for key, row in rows:
        run_commands(b, row.after, key, row)
    converge(a, b)
    for node in (a, b):
        for key, row in rows:
            run_commands(node, row.finally_, key, row)
            if row.siblings is not None:
                cells = json.loads(node.ok("explain", key, "-o", "json"))["cells"]
                siblings = next(cell["siblings"] for cell in cells if cell["kind"] != "header")
                check_equal(len(siblings), row.siblings, f"row '{row.name}': siblings on {node.name}")
    check_equal(a.export(), b.export(), "what a and b export")
    return f"{len(rows)} rows"


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
