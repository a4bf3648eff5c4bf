"""Strangers, liars and giants at the doors: one connection pays, the node and everybody else go on."""

import contextlib
import json
import os
import random
import socket
import struct
import subprocess
import threading
import time

import native
from harness import check, check_contains, check_equal, eventually, need_program

MIB = 1 << 20


def ends(connection, seconds=15):
    """Everything the node still says until it closes the connection."""
    connection.settimeout(seconds)
    said = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            said += part
    return said


def still_well(node, pid):
    check_equal(node.process.poll(), None, f"the process ended\n{node.log_tail()}")
    check_equal(node.process.pid, pid, "pid")
    start = time.monotonic()
    check_equal(node.ok("get", "canary"), "sings", "what others read")
    check(time.monotonic() - start < 5, "others wait")


def segment(*words):
    return struct.pack("<II", 0, len(words)) + struct.pack(f"<{len(words)}Q", *words)


def far_pointer(to_segment):
    return 2 | to_segment << 32


def hostile_bodies():
    """Well framed, with a right checksum, and not a message."""
    yield "no segments", struct.pack("<II", 0xFFFFFFFF, 0) + bytes(8)
    yield "many segments", struct.pack("<II", 99_999, 0) + bytes(4 * 99_998) + bytes(8)
    yield "segment longer than the frame", struct.pack("<II", 0, 1000) + bytes(8)
    yield "far pointer to nowhere", segment(far_pointer(7))
    yield "far pointer to itself", segment(far_pointer(0))
    yield "capability as root", segment(3)
    yield "struct beyond the end", segment(0 | 1000 << 2 | 1 << 32 | 1 << 48, 0, 0)
    yield "list of 2^29 - 1 words", segment(0 << 2 | 1 << 32 | 1 << 48, 2, 1 | 5 << 32 | (2**29 - 1) << 35)
    nested = [0 | 0 << 2 | 0 << 32 | 1 << 48] * 100_000
    yield "pointers 100,000 deep", segment(*nested)
    yield "a union member that does not exist", segment(0 | 0 << 2 | 1 << 32 | 1 << 48, 999, 0)
    hello = bytearray(native.client_hello())
    hello[-8:] = b"\xff" * 8
    yield "text that is not UTF-8", bytes(hello)


def hostile_streams():
    """Not framed as we frame."""
    yield "length 0", struct.pack("<II", 0, 0) + bytes(64)
    yield "length 0xFFFFFFFF", struct.pack("<II", 0xFFFFFFFF, 0) + bytes(64)
    yield "length that is not a multiple of 8", struct.pack("<II", 17, 0) + bytes(64)
    yield "length over the limit of a hello", struct.pack("<II", 64 * MIB, 0) + bytes(64)
    yield "wrong checksum", struct.pack("<II", 16, 12345) + bytes(16)
    yield "HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "RESP", b"*1\r\n$4\r\nPING\r\n"
    yield "TLS", bytes.fromhex("16030100c8010000c4") + bytes(200)
    rng = random.Random(3)
    for size in (1024, 65536):
        yield f"{size} random bytes", rng.randbytes(size)


def scenario_malformed_frames(lab):
    """malformed frames at both doors close that connection and nothing else"""
    node = lab.node("a")
    node.ok("set", "canary", "sings")
    pid, number = node.process.pid, 0
    for door in ("client", "peer"):
        attacks = [(name, native.frame(body)) for name, body in hostile_bodies()] + list(hostile_streams())
        for name, data in attacks:
            before = node.rejected(door)
            with node.connect(door) as connection, contextlib.suppress(ConnectionError):
                connection.sendall(data)
                ends(connection)
            eventually(lambda b=before, d=door: node.rejected(d) > b, f"{door} door counts: {name}", seconds=5)
            still_well(node, pid)
            number += 1
    check("starling_rejected_total" in node.http("/metrics")[1], "no counter for rejected connections")
    warnings = [line for line in node.log().splitlines() if "level=warning" in line]
    check(warnings, "nothing in the log about it")
    check(all("127.0.0.1" in line for line in warnings if "refused" in line), "a log line without the remote address")
    check(len(warnings) < 3 * number, f"{len(warnings)} log lines for {number} attacks")
    return f"{number} attacks"


def scenario_cut_messages(lab):
    """a request cut at any byte has no effect; one that arrives byte by byte has its effect"""
    node = lab.node("a")
    node.ok("set", "canary", "sings")
    pid = node.process.pid
    whole = native.frame(native.client_hello()) + native.frame(native.request(1, [("incr", b"cut", [], 1)]))
    for size in range(0, len(whole), 3):
        with node.connect() as connection:
            connection.sendall(whole[:size])
            connection.shutdown(socket.SHUT_WR)
            ends(connection)
    node.fails(3, "get", "cut")
    with native.Connection(node.doors["client"]) as client:
        for byte in native.frame(native.request(1, [("incr", b"cut", [], 1)])):
            client.socket.sendall(bytes([byte]))
        check_equal(native.Answer(client.receive()).results, [1], "a request sent byte by byte")
    still_well(node, pid)


def scenario_message_after_hello(lab):
    """wrong messages after a good hello: refused with a sentence"""
    node = lab.node("a")
    node.ok("set", "canary", "sings")
    for name, body in hostile_bodies():
        with native.Connection(node.doors["client"]) as client, contextlib.suppress(ConnectionError):
            client.socket.sendall(native.frame(body))
            ends(client.socket)
    with node.connect() as connection:
        connection.sendall(native.frame(native.client_hello(protocol=99)))
        check_contains(ends(connection), b"protocol", "what a client of another version is told")
    with node.connect() as connection:
        connection.sendall(native.frame(native.request(1, [("get", b"k", [], 0)])))
        check_contains(ends(connection), b"ClientHello", "what a client without a hello is told")
    still_well(node, node.process.pid)


def scenario_oversized_keys_and_values(lab):
    """keys and values over the limit are refused by name; the connection stays and nothing is stored"""
    node = lab.node("a", "--max-value", "1MiB")
    with native.Connection(node.doors["client"]) as client:
        key, value = b"k" * 65536, b"v" * MIB
        client.call("set", key, value)
        check_equal(client.call("get", key), value, "the largest key with the largest value")
        for command in (
            ("set", key + b"k", b"v"),
            ("set", b"big", value + b"v"),
            ("set", b"big", b"v" * (30 * MIB)),
            ("hset", b"big", b"field", value + b"v"),
            ("set-add", b"big", b"e" * (2 * MIB)),
        ):
            check_equal(refusal(client, *command), "too_large", f"{command[0]} over the limit")
            check_equal(client.call("exists", b"big"), 0, "something of it was stored")
        client.call("set", b"small", b"v")
        check_equal(client.call("get", b"small"), b"v", "the same connection afterwards")
    (lab.path / "big").write_bytes(b"v" * (2 * MIB))
    check_contains(node.fails(7, "set", "big", "-f", str(lab.path / "big")), "limit", "what kvctl says")


def refusal(client, *command):
    """The error code of a command, None if it is not refused."""
    try:
        client.call(*command)
        return None
    except native.NodeError as error:
        return error.code


def scenario_odd_keys(lab):
    """keys and values are bytes: NUL, newlines and invalid UTF-8 come back as they were"""
    node = lab.node("a")
    rng = random.Random(5)
    odd = [b"", b"\0", b"a\0b", b"\r\n", b"\xff" * 300, "Grüße".encode(), b"'\"\\", rng.randbytes(64), b"\x1b[31mred"]
    with native.Connection(node.doors["client"]) as client:
        for key in odd:
            client.call("set", key, key + key)
            client.call("set-add", b"set of odd things", key)
            client.call("hset", b"hash of odd things", key, key)
        node.kill()
    node.start()
    with native.Connection(node.doors["client"]) as client:
        for key in odd:
            check_equal(client.call("get", key), key + key, "value")
        check_equal(client.call("set-members", b"set of odd things"), sorted(odd), "elements")
        fields = client.call("hgetall", b"hash of odd things")
        check_equal(fields, [part for key in sorted(odd) for part in (key, key)], "fields")


def scenario_silent_and_greedy_clients(lab):
    """connections that say nothing, or read nothing, are closed; memory stays bounded; others are served"""
    node = lab.node("a", "--hello-timeout-ms", "1000", "--output-limit", "4MiB", "--max-clients", "50")
    node.ok("set", "canary", "sings")
    pid = node.process.pid
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            silent = stack.enter_context(node.connect())
        check_equal(ends(silent)[8:16] != b"", True, "a silent client is told why")
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(node.connect()) for _ in range(80)]
        said = ends(connections[-1])
        check(said, "one connection too many is closed without a word")
        check_equal(node.http("/livez")[0], 200, "the admin door meanwhile")
    eventually(lambda: node.kvctl("get", "canary").returncode == 0, "others are served again")

    with native.Connection(node.doors["client"]) as client:
        client.call("set", b"big", b"x" * MIB)
    before = resident_mib(node)
    with native.Connection(node.doors["client"]) as greedy, contextlib.suppress(OSError):
        greedy.socket.settimeout(10)
        for i in range(400):  # would be 400 MiB of replies, none of them read
            greedy.socket.sendall(native.frame(native.request(i, [("get", b"big", [], 0)])))
        eventually(lambda: node.rejected("client") > 0 and slow_readers(node) > 0, "the greedy client is cut off")
    check(resident_mib(node) - before < 150, f"memory grew from {before} to {resident_mib(node)} MiB")
    still_well(node, pid)


def slow_readers(node):
    return sum(v for name, v in node.metrics().items() if "starling_rejected_total" in name and "slow_reader" in name)


def resident_mib(node):
    with open(f"/proc/{node.process.pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS"))


def scenario_connect_storm(lab):
    """thousands of short connections leak nothing"""
    node = lab.node("a")
    node.ok("set", "canary", "sings")
    pid = node.process.pid
    files = f"/proc/{pid}/fd"

    def storm():
        for _ in range(500):
            with contextlib.suppress(OSError), node.connect() as connection:
                connection.sendall(b"\xff" * 16)

    before = len(os.listdir(files))
    threads = [threading.Thread(target=storm) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(os.listdir(files)) <= before + 2, "all descriptors are given back")
    still_well(node, pid)
    lines = [line for line in node.log().splitlines() if "bad_frame" in line]
    check(0 < len(lines) < 100, f"{len(lines)} log lines for 2,000 strangers")


def scenario_admin_door(lab):
    """/livez, /readyz, /health and /metrics say how the node is"""
    a, b = lab.cluster("a", "b")
    check_equal(a.http("/livez")[0], 200, "/livez")
    check_equal(a.http("/readyz")[0], 200, "/readyz")
    status, body = a.http("/health")
    check_equal(status, 200, f"/health: {body}")
    b.stop()
    eventually(lambda: "away" in a.http("/health")[1], "/health says that b is away")
    check_equal(a.http("/readyz")[0], 200, "/readyz without b")
    check_equal(a.http("/no-such-path")[0], 404, "an unknown path")
    check(a.http("/../../etc/passwd")[0] in (400, 404), "a path upwards")
    for raw in (
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):
        with a.connect("http") as connection, contextlib.suppress(ConnectionError):
            with contextlib.suppress(OSError):  # it may have been answered and closed already
                connection.sendall(raw)
                connection.shutdown(socket.SHUT_WR)
            said = ends(connection)
            check(said == b"" or b" 4" in said[:12] or b" 5" in said[:12], f"{raw[:60]} was answered with {said[:60]}")
    check_equal(a.http("/livez")[0], 200, "/livez after all that")


def scenario_load_of_both_doors(lab):
    """/health tells of the load of both doors: clients, requests a second, requests that wait, CPU"""
    a, b = lab.cluster("a", "b")
    a.ok("set", "k", "v")

    def load():
        return json.loads(a.http("/health")[1])["load"]

    with native.Connection(a.doors["client"]), a.connect("resp") as redis, a.connect("resp") as patient:
        eventually(lambda: (load()["clients"], load()["resp_clients"]) == (3, 2), "one native and two Redis clients")
        check_equal(load()["requests_in_flight"], 0, "requests that wait, when nobody asks")
        a.ok("partition", "b")
        patient.sendall(b"SET k w\r\nWAIT 1 0\r\n")  # 0: for ever
        eventually(lambda: load()["requests_in_flight"] == 1, "the WAIT is a request that is not answered")
        a.ok("heal", "b")
        eventually(lambda: load()["requests_in_flight"] == 0, "it is answered once b has the write")

        def busy():
            redis.sendall(b"GET k\r\n" * 2000)
            redis.recv(1 << 16)
            shown = load()
            return shown["requests_per_second"] > 100 and shown["cpu_cores"] > 0.001

        eventually(busy, "requests and CPU of the last second")


def scenario_slow_admin_clients(lab):
    """slow HTTP clients do not keep health checks waiting"""
    node = lab.node("a")
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            slow = stack.enter_context(node.connect("http"))
            slow.sendall(b"GET /livez HTTP/1.1\r\nHost:")
        start = time.monotonic()
        check_equal(node.http("/livez")[0], 200, "/livez")
        check(time.monotonic() - start < 2, "health checks wait for slow clients")


def scenario_metrics_are_well_formed(lab):
    """promtool accepts /metrics"""
    need_program("promtool", "prometheus")
    a, b = lab.cluster("a", "b")
    a.ok("set", "k", "v")
    b.ok("get", "k") if b.kvctl("get", "k").returncode == 0 else None
    body = a.http("/metrics")[1]
    judged = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, text=True)
    check_equal((judged.returncode, judged.stdout + judged.stderr), (0, ""), "promtool check metrics")
    check(all(n.startswith("starling_") or n.startswith("process_") for n in a.metrics()), "a metric of another name")
