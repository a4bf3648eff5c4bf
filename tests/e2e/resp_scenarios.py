"""Strangers, liars and giants at the RESP door; docs/bad-inputs.md has the rows that the names speak of."""

import contextlib
import pathlib
import random
import socket
import struct
import sys
import threading
import time

from door_scenarios import MIB, ends, resident_mib, still_well
from harness import ROOT, check, check_contains, check_equal, cut_off, eventually

sys.path.insert(0, str(pathlib.Path(ROOT) / "tests" / "resp"))

import resp_client  # noqa: E402


def speaks(node, protocol=2):
    return contextlib.closing(resp_client.Connection(node.doors["resp"], protocol))


def turned_away(node, reason):
    return node.metrics()[f'starling_rejected_total{{door="resp",reason="{reason}"}}']


def gives_back(node, what):
    """What connections held is free again."""
    eventually(lambda: node.metrics()["starling_resp_buffered_bytes"] < MIB, what)


def deaf(node):
    """A connection that reads little even if it could."""
    host, port = node.doors["resp"].rsplit(":", 1)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    connection.connect((host, int(port)))
    return connection


def scenario_resp_deaf_clients(lab):
    """rows 22, 73: a client that asks and never reads is cut off alone, before its replies take memory"""
    node = lab.node("a", "--output-limit", "1MiB")
    node.ok("set", "canary", "sings")
    pid = node.process.pid
    with speaks(node) as client:
        client.ask(b"SET", b"big", b"v" * (900 << 10))
    before, slowest = resident_mib(node), 0.0
    done = threading.Event()

    def pings():
        nonlocal slowest
        with speaks(node) as client:
            while not done.is_set():
                start = time.monotonic()
                check_equal(client.ask(b"PING"), (b"+", b"PONG"), "what others hear meanwhile")
                slowest = max(slowest, time.monotonic() - start)
                time.sleep(0.001)

    other = threading.Thread(target=pings)
    other.start()
    try:
        for number, request in enumerate((b"PING\r\n" * 1_000_000, b"GET big\r\n" * 100_000)):
            with deaf(node) as client:
                with contextlib.suppress(OSError):
                    client.sendall(request)
                eventually(lambda n=number: turned_away(node, "slow_reader") == n + 1, "the deaf client is cut off")
    finally:
        done.set()
        other.join()
    check(resident_mib(node) - before < 100, f"memory grew from {before} to {resident_mib(node)} MiB")
    check(slowest < 5, f"another client waited {slowest:.1f} s")
    gives_back(node, "the buffers of the deaf clients")
    still_well(node, pid)
    return f"slowest PING of another client {slowest * 1000:.0f} ms, memory +{resident_mib(node) - before} MiB"


def scenario_resp_endless_transaction(lab):
    """row 46: MULTI with a million commands reaches its limit, and nothing of it happens"""
    node = lab.node("a")
    node.ok("set", "canary", "sings")
    pid, before = node.process.pid, resident_mib(node)
    with speaks(node) as client:
        requests = b"MULTI\r\n" + b"INCR n\r\n" * 1_000_000 + b"EXEC\r\n"
        sender = threading.Thread(target=lambda: client.socket.sendall(requests))
        sender.start()
        check_equal(client.read(), (b"+", b"OK"), "MULTI")
        replies = [client.read() for _ in range(1_000_000)]
        queued = replies.count((b"+", b"QUEUED"))
        check(500_000 < queued < 1_000_000, f"{queued} commands were queued")
        check_contains(replies[-1][1], b"the transaction is too large", "the reply beyond the limit")
        check_contains(client.read()[1], b"EXECABORT", "EXEC")
        sender.join()
        check_equal(client.ask(b"EXISTS", b"n"), 0, "something of it happened")
    check(resident_mib(node) - before < 400, f"memory grew from {before} to {resident_mib(node)} MiB")
    gives_back(node, "the transaction's memory")
    still_well(node, pid)
    return f"{queued} queued, memory +{resident_mib(node) - before} MiB"


def scenario_resp_announced_and_cut(lab):
    """rows 6, 19, 21, 30: what was announced and never came takes no memory; what was cut off never happened"""
    node = lab.node("a")
    node.ok("set", "canary", "sings")
    pid = node.process.pid
    half = resp_client.encoded([b"SET", b"cut", b"v" * (7 * MIB)])[: 6 * MIB]
    with contextlib.ExitStack() as stack:
        before = resident_mib(node)
        for _ in range(50):
            silent = stack.enter_context(node.connect("resp"))
            silent.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\ncut\r\n$536870912\r\n")
        with speaks(node) as client:
            client.ask(b"PING")
        check(resident_mib(node) - before < 50, "memory for what was only announced")
    with node.connect("resp") as leaves:
        leaves.sendall(half)
        leaves.shutdown(socket.SHUT_WR)
        check_equal(ends(leaves), b"", "what a half request is answered")
    for size in (10, 30_000, len(half)):
        with node.connect("resp") as breaks:
            breaks.sendall(half[:size])
            breaks.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() sends RST
    with speaks(node) as client:
        before = resident_mib(node)
        client.send([[b"SET", b"large", b"v" * (64 * MIB)]])
        check_contains(client.read()[1], b"over the limit", "a value over the limit")
        check(resident_mib(node) - before < 30, "memory for what is thrown away as it arrives")
        check_equal(client.ask(b"EXISTS", b"cut", b"large"), 0, "something of it was stored")
    gives_back(node, "the buffers of those who left")
    still_well(node, pid)


def scenario_resp_other_protocols(lab):
    """rows 14, 15: HTTP, TLS and noise at the RESP door: refused, counted, and told in the log by name only"""
    node = lab.node("a")
    node.ok("set", "canary", "sings")
    pid = node.process.pid
    strangers = [
        (b"POST /secret HTTP/1.1\r\nHost: x\r\n\r\nSET k v\r\n", "wrong_protocol"),
        (b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\nSET k v\r\n", "wrong_protocol"),
        (bytes.fromhex("16030100c8010000c403") + bytes(200), "wrong_protocol"),
        (b"*1\r\n$secret\r\nSET k v\r\n", "bad_frame"),
    ]
    for data, reason in strangers:
        before = turned_away(node, reason)
        with node.connect("resp") as stranger:
            stranger.sendall(data)
            said = ends(stranger)
            check(b"+OK" not in said, f"{data[:20]} was answered with {said}")
        eventually(lambda r=reason, b=before: turned_away(node, r) == b + 1, f"counts {data[:20]}")
    lines = [line for line in node.log().splitlines() if "turned away" in line]
    check(lines and all("127.0.0.1" in line for line in lines), "no line in the log, or one without an address")
    check("secret" not in node.log(), "the log shows what a stranger sent")
    rng = random.Random(14)
    for _ in range(20):
        with node.connect("resp") as noise, contextlib.suppress(OSError):
            noise.sendall(rng.randbytes(MIB))
            noise.shutdown(socket.SHUT_WR)
            ends(noise)
    with speaks(node) as client:
        check_equal(client.ask(b"EXISTS", b"k"), 0, "a line behind a stranger's ran")
    still_well(node, pid)


def scenario_resp_oversized_keys(lab):
    """rows 29, 30: a key over the limit never reaches the log or a peer; the longest key and odd bytes do"""
    a, b = lab.cluster("a", "b")
    odd = [b"", b"\0", b"a\r\nb", b"\xff" * 300, b"k" * 65536]
    with speaks(a) as client:
        for key in odd:
            check_equal(client.ask(b"SET", key, key), (b"+", b"OK"), f"SET {key[:10]}")
        for command in (b"SET", b"SADD", b"APPEND", b"SETNX"):
            said = client.ask(command, b"k" * 65537, b"v")
            check(resp_client.is_error(said), f"{command} with a key over the limit: {said}")
            check_contains(said[1], b"65536", "the limit")
        check_equal(client.ask(b"DBSIZE"), len(odd), "keys")
    a.wait_converged()
    for node in (a, b):
        node.kill()
        node.start()
        with speaks(node) as client:
            for key in odd:
                check_equal(client.ask(b"GET", key), key, f"a value on {node.name}")
    check_equal(a.digest(), b.digest(), "digests")


def scenario_resp_type_clash(lab):
    """row 34: two cut-off nodes give one key two types: all show the one created later; DEL takes both"""
    a, b = lab.cluster("a", "b")
    a.ok("partition")
    with speaks(a) as on_a, speaks(b) as on_b:
        on_a.ask(b"SADD", b"clash", b"e")
        time.sleep(0.01)  # another millisecond for the later one
        on_b.ask(b"SET", b"clash", b"v")
        a.ok("heal")
        a.wait_converged()
        for client in (on_a, on_b):
            check_equal(client.ask(b"TYPE", b"clash"), (b"+", b"string"), "the type")
            check_equal(client.ask(b"GET", b"clash"), b"v", "the value")
            check(resp_client.is_error(client.ask(b"SADD", b"clash", b"f")), "a command for the other type")
        check_equal(on_a.ask(b"DEL", b"clash"), 1, "DEL")
        a.wait_converged()
        for client in (on_a, on_b):
            check_equal(client.ask(b"EXISTS", b"clash"), 0, "what a DEL that saw both leaves")


def scenario_resp_info_memory(lab):
    """INFO: the peak of memory is never below what is used, and does not fall"""
    node = lab.node("a")
    last = 0
    with speaks(node) as client:
        for _ in range(30):
            client.ask(b"SET", b"k%d" % random.randrange(1000), bytes(1 << 20))
            lines = client.ask(b"INFO", b"memory").decode().splitlines()
            told = dict(line.split(":", 1) for line in lines if ":" in line)
            used, peak = int(told["used_memory"]), int(told["used_memory_peak"])
            check(peak >= used and peak >= last, f"used {used}, peak {peak}, peak before {last}")
            last = peak


def scenario_resp_large_answers(lab):
    """row 42: KEYS and SMEMBERS of 200,000 entries are answered whole, and others are served again soon"""
    node = lab.node("a")
    node.ok("set", "canary", "sings")
    with speaks(node) as client, speaks(node) as other:
        for begin in range(0, 200_000, 5000):
            names = [b"member:%09d" % i for i in range(begin, begin + 5000)]
            client.send([[b"SADD", b"s", *names], [b"MSET", *[w for n in names for w in (n, b"")]]])
            check_equal(client.read(), 5000, "SADD")
            check_equal(client.read(), (b"+", b"OK"), "MSET")
        client.send([[b"SMEMBERS", b"s"], [b"KEYS", b"*"]])
        answers = []
        reading = threading.Thread(target=lambda: answers.extend([client.read(), client.read()]))
        reading.start()
        slowest, pings = 0.0, 0
        while reading.is_alive() or pings == 0:
            start = time.monotonic()
            check_equal(other.ask(b"PING"), (b"+", b"PONG"), "another client")
            slowest, pings = max(slowest, time.monotonic() - start), pings + 1
        reading.join()
        check_equal(len(set(answers[0])), 200_000, "SMEMBERS")
        check_equal(len(set(answers[1])), 200_002, "KEYS")
        # How long exactly is measured by bench/large_collections.py, not on a machine that runs tests side by side.
        check(slowest < 1, f"another client waited {slowest:.1f} s for a PING")
    still_well(node, node.process.pid)
    return f"another client waited {slowest * 1000:.0f} ms at most for {pings} PINGs"


def scenario_resp_wait(lab):
    """WAIT counts the nodes that have applied what this one had when it was asked; one that is cut off does not count"""
    a, b, c = lab.cluster("a", "b", "c")
    with speaks(a) as client:
        client.ask(b"SET", b"k", b"v")
        check_equal(client.ask(b"WAIT", b"2", b"20000"), 2, "both others have it")
        for node in (b, c):
            with speaks(node) as other:
                check_equal(other.ask(b"GET", b"k"), b"v", f"k on {node.name}")
        with cut_off(c):
            client.ask(b"SET", b"k", b"w")
            check_equal(client.ask(b"WAIT", b"1", b"20000"), 1, "one other has it")
            start = time.monotonic()
            check_equal(client.ask(b"WAIT", b"2", b"500"), 1, "the other has not")
            check(0.4 < time.monotonic() - start < 15, "WAIT waits for as long as it is told")


def scenario_resp_addresses(lab):
    """CLIENT INFO has both ends of the connection, and CLIENT KILL LADDR finds them"""
    node = lab.node("a")
    with speaks(node) as client, speaks(node) as other:
        said = dict(field.split("=", 1) for field in other.ask(b"CLIENT", b"INFO").decode().split())
        check_equal(said["laddr"], node.doors["resp"], "laddr")
        check_contains(said["addr"], "127.0.0.1:", "addr")
        check_equal(client.ask(b"CLIENT", b"KILL", b"LADDR", b"127.0.0.1:1"), 0, "nobody is there")
        check_equal(client.ask(b"CLIENT", b"KILL", b"LADDR", said["laddr"].encode()), 1, "all but the one that asks")
