"""What a Redis client may rely on: sessions across nodes, transactions, and what a flush of everything reaches."""

import native
from harness import check, check_contains, check_equal, count_up, cut_off, eventually
from semantics_doors import Resp
from semantics_scenarios import converge
from semantics_table import Refused

BEHIND = Refused("behind", "BEHIND")


def ask_all(door, *lines):
    return [door.ask(*line.split()) for line in lines]


def scenario_a_session_reads_its_writes_on_any_node(lab):
    """a session reads its own writes on any node, by SESSION or with a native token, or is told that the node is behind"""
    a, b = lab.cluster("a", "b")
    on_a, on_b = Resp(a), Resp(b)
    for i in range(200):
        on_a.ask("SET", "k", str(i))
        token = on_a.ask("SESSION")
        while on_b.ask("SESSION", token) == BEHIND:  # a busy machine may need more than its five seconds
            pass
        check_equal(on_b.ask("GET", "k"), str(i), "what b shows to the session")
    with cut_off(a):
        eventually(lambda: count_up(b) == 0, "b notices")
        on_a.ask("SET", "k", "by RESP")
        resp_token = on_a.ask("SESSION")
        with native.Connection(a.doors["client"]) as client:
            native_token = client.ask(("set", b"k2", [b"by native"], 0)).token.hex()
        check_equal(on_b.ask("SESSION", resp_token), BEHIND, "the session on a node that is cut off")
        with native.Connection(b.doors["client"]) as client:
            for token in (resp_token, native_token):
                try:
                    client.call("get", b"k", token=bytes.fromhex(token), deadline_ms=50)
                    check(False, "b answers a session that has seen more than b")
                except native.NodeError as refusal:
                    check_equal(refusal.code, "behind", "the native session on a node that is cut off")
        check_equal(on_b.ask("GET", "k"), "199", "without the token b answers what it has")
    converge(a, b)
    check_equal(on_b.ask("SESSION", resp_token), "OK", "a token of RESP")
    check_equal(on_b.ask("SESSION", native_token), "OK", "a token of the native client at the door for Redis clients")
    check_equal(ask_all(on_b, "GET k", "GET k2"), ["by RESP", "by native"], "what the sessions had written")
    with native.Connection(b.doors["client"]) as client:
        value = client.call("get", b"k", token=bytes.fromhex(resp_token), deadline_ms=50)
        check_equal(value, b"by RESP", "a token of RESP at the native door")


def scenario_transactions_are_visible_all_at_once(lab):
    """MULTI is visible all at once on the other node, and WATCH sees what arrives from there"""
    a, b = lab.cluster("a", "b")
    on_a, on_b = Resp(a), Resp(b)
    looks = {"MULTI": 0, "MGET": 0}
    for i in range(1, 201):
        replies = ask_all(on_a, "MULTI", f"SET left {i}", "INCR sum", f"HSET both left {i} right {i}", f"SET right {i}", "EXEC")
        check_equal(replies[-1][:2], ["OK", i], "EXEC on a")
        left, sum_, pair, right = ask_all(on_b, "MULTI", "GET left", "GET sum", "HGETALL both", "GET right", "EXEC")[-1]
        shown = {left, sum_, right, *pair[1::2]}
        check_equal(len(shown), 1, f"what a transaction on b shows of one on a: {shown}")
        looks["MULTI"] += left is not None
        left, right = on_b.ask("MGET", "left", "right")
        check_equal(left, right, "what MGET on b shows")
        looks["MGET"] += left is not None
    check(all(looks.values()), f"b never looked at anything: {looks}")
    a.wait_converged()

    check_equal(ask_all(on_b, "WATCH left", "GET left"), ["OK", "200"], "WATCH on b")
    on_a.ask("SET", "left", "written on a")
    other = Resp(b)
    eventually(lambda: other.ask("GET", "left") == "written on a", "the write reaches b")
    check_equal(ask_all(on_b, "MULTI", "SET left lost", "EXEC")[-1], None, "EXEC after a write that came from a")
    check_equal(on_b.ask("GET", "left"), "written on a", "what the transaction left alone")


def scenario_a_flush_kills_what_it_has_seen(lab):
    """FLUSHALL on one side of a cut kills in every database what that side had seen, and nothing else"""
    a, b = lab.cluster("a", "b")
    for db in (0, 5):
        ask_all(Resp(a, db), "SET text old", "INCRBY sum 5", "HSET hash f old", "SADD set x y", "SET timed v EX 1000")
    a.wait_converged()
    with cut_off(a):
        eventually(lambda: count_up(b) == 0, "b notices")
        check_equal(ask_all(Resp(a), "FLUSHALL", "DBSIZE"), ["OK", 0], "on a")
        for db in (0, 5):
            ask_all(Resp(b, db), "SET text new", "INCRBY sum 2", "HSET hash g new", "SADD set x")
    converge(a, b)
    for node in (a, b):
        for db in (0, 5):
            door = Resp(node, db)
            check_equal(ask_all(door, "MGET text sum timed", "HGETALL hash", "SMEMBERS set", "DBSIZE"),
                        [["new", "2", None], {"g": "new"}, {"x"}, 4], f"database {db} of {node.name}")  # fmt: skip
    check_contains(Resp(a).why("text"), "written by b", "why")
