"""Who expires a key, and when: the row "who expires" of docs/semantics.md, on real nodes with real and with wrong clocks."""

import pathlib
import time

from harness import Skip, check, check_equal, cut_off, eventually
from resp_scenarios import speaks

HOUR = 3600


def clock_off(by):
    """The environment of a process that believes it is as many seconds later, and measures intervals as ever."""
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        raise Skip("a wrong clock needs Debian package faketime")
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{by:+d}", "DONT_FAKE_MONOTONIC": "1"}


def three_nodes(lab, off_by):
    a, b = lab.cluster("a", "b")
    wrong = lab.prepare("c", join=[a])
    wrong.environment = clock_off(off_by)
    wrong.start()
    for node in (a, b, wrong):
        eventually(lambda n=node: len(n.status()["members"]) == 2, f"{node.name} sees the others")
    eventually(lambda: abs(abs(skew(wrong, "a")) - abs(off_by)) < 5, "the clock of c is off")
    return a, b, wrong


def skew(node, other):
    return node.metrics()[f'starling_peer_clock_skew_seconds{{peer="{other}"}}']


def is_past(deadline):
    """Returns in the millisecond behind it."""
    while time.time() * 1000 <= deadline:
        time.sleep(0.001)


def killed_by(*nodes):
    return sum(node.metrics()["starling_expired_keys_total"] for node in nodes)


def scenario_fast_clock_kills_nothing_early(lab):
    """a node whose clock is an hour ahead hides no key early, kills none, and gives deadlines that others keep"""
    a, b, fast = three_nodes(lab, HOUR)
    with speaks(a) as on_a, speaks(b) as on_b, speaks(fast) as on_fast:
        on_a.ask(b"SET", b"from:a", b"v", b"EX", b"100")
        on_a.ask(b"HSET", b"hash:a", b"f", b"v")
        on_a.ask(b"EXPIRE", b"hash:a", b"100")
        on_fast.ask(b"SET", b"from:c", b"v", b"EX", b"100")
        eventually(lambda: on_b.ask(b"EXISTS", b"from:a", b"hash:a", b"from:c") == 3, "b has all of it")
        eventually(lambda: on_fast.ask(b"EXISTS", b"from:a", b"hash:a", b"from:c") == 3, "c has all of it")
        time.sleep(2)  # several heartbeats and sweeps
        for name, client in (("a", on_a), ("b", on_b), ("c", on_fast)):
            for key in (b"from:a", b"hash:a", b"from:c"):
                left = client.ask(b"TTL", key)
                check(90 <= left <= 100, f"TTL of {key.decode()} on {name} is {left}")
            check_equal(client.ask(b"GET", b"from:a"), b"v", f"what {name} reads")
    check_equal(killed_by(a, b, fast), 0, "keys that somebody took away")


def scenario_slow_clock_holds_up_its_own_only(lab):
    """a node whose clock is an hour behind still sees others' keys go when they kill them"""
    a, b, slow = three_nodes(lab, -HOUR)
    with speaks(a) as on_a, speaks(slow) as on_slow:
        on_a.ask(b"SET", b"k", b"v", b"PX", b"300")
        on_a.ask(b"SET", b"end", b"v")
        eventually(lambda: on_slow.ask(b"EXISTS", b"end") == 1, "c has all of it")
        eventually(lambda: on_slow.ask(b"EXISTS", b"k") == 0, "c is told that the key has gone")
        eventually(lambda: killed_by(a, b, slow) == 1, "one node kills it, once")
    for node in (a, b, slow):
        node.wait_converged()
        check_equal(node.export(), {(0, "end"): ("string", "v")}, f"what {node.name} holds")


def scenario_hidden_at_once_killed_once(lab):
    """an expired key is hidden on every node at its deadline, before anybody kills it, and is killed once"""
    a, b = lab.cluster("a", "b")
    keys = [b"k%d" % i for i in range(50)]
    with speaks(a) as on_a, speaks(b) as on_b, cut_off(b):
        on_b.send([[b"SET", key, b"v"] for key in keys])
        deadline = int((time.time() + 1.5) * 1000)
        on_b.send([[b"PEXPIREAT", key, b"%d" % deadline] for key in keys])
        check_equal([on_b.read() for _ in range(2 * len(keys))], [(b"+", b"OK")] * 50 + [1] * 50, "what b says")
        check_equal(on_b.ask(b"EXISTS", *keys), 50, "before the deadline")
        is_past(deadline)
        check_equal(on_b.ask(b"EXISTS", *keys), 0, "right behind the deadline, on the node that is cut off")
        check_equal(on_b.ask(b"KEYS", b"*"), [], "what KEYS shows there")
        check_equal(on_a.ask(b"EXISTS", *keys), 0, "on the other side")
    for node in (a, b):
        node.wait_converged()
    eventually(lambda: killed_by(a, b) == 50, "each is killed, once")
    time.sleep(1)
    check_equal(killed_by(a, b), 50, "kills")
    check_equal((a.export(), b.export()), ({}, {}), "what is left")


def scenario_write_to_a_hidden_key(lab):
    """who writes to an expired key that nobody has killed yet begins a new one, without a deadline"""
    a, b = lab.cluster("a", "b")
    with speaks(b) as on_b:
        for make in (["HSET", "h", "old", "1"], ["SADD", "s", "old"], ["ZADD", "z", "1", "old"], ["INCRBY", "n", "41"]):
            on_b.ask(*(word.encode() for word in make))
        b.wait_converged()
        with cut_off(b):
            deadline = int((time.time() + 0.5) * 1000)
            for key in (b"h", b"s", b"z", b"n"):
                check_equal(on_b.ask(b"PEXPIREAT", key, b"%d" % deadline), 1, "PEXPIREAT")
            is_past(deadline)
            on_b.send([[b"HSET", b"h", b"new", b"1"], [b"SADD", b"s", b"new"], [b"ZADD", b"z", b"2", b"new"], [b"INCR", b"n"]])
            check_equal([on_b.read() for _ in range(4)], [1, 1, 1, 1], "each is new")
    for node in (a, b):
        node.wait_converged()
        with speaks(node) as client:
            check_equal(client.ask(b"HGETALL", b"h"), [b"new", b"1"], f"the hash on {node.name}")
            check_equal(client.ask(b"SMEMBERS", b"s"), [b"new"], f"the set on {node.name}")
            check_equal(client.ask(b"ZRANGE", b"z", b"0", b"-1"), [b"new"], f"the sorted set on {node.name}")
            check_equal(client.ask(b"GET", b"n"), b"1", f"the counter on {node.name}")
            check_equal([client.ask(b"TTL", key) for key in (b"h", b"s", b"z", b"n")], [-1] * 4, f"TTLs on {node.name}")
