"""The disk: full, damaged, and what a digest says about it."""

import json
import random
import subprocess
import threading

import native
from harness import check, check_contains, check_equal, eventually

MIB = 1 << 20


def scenario_full_disk(lab):
    """a disk that fills up: writes are refused before it is full, nothing is lost, it recovers"""
    data = lab.tmpfs("small", 96)
    a = lab.prepare("a", "--memory", "64MiB", data=data)
    a.start()
    b = lab.node("b", join=[a])
    stored, refusal = 0, None
    with native.Connection(a.doors["client"], timeout=60) as client:
        while refusal is None and stored < 4000:
            try:
                client.call("set", b"big %d" % stored, incompressible(stored))
                stored += 1
            except native.NodeError as error:
                refusal = error
        check(refusal and refusal.code == "no_space", f"after {stored} writes of 64 KiB: {refusal}")
        check_contains(str(refusal), "full", "what the node says")
        check_equal(client.call("get", b"big 0"), incompressible(0), "reads still work")
        check_equal(client.call("get", b"big %d" % (stored - 1)), incompressible(stored - 1), "the last write")
    check(b"no space" not in a.log().encode().lower(), "the disk was filled to the last byte")
    def small_writes_are_refused():  # large ones are refused first
        with native.Connection(a.doors["client"], timeout=60) as client:
            try:
                for i in range(4000):
                    client.call("set", b"small %d" % i, incompressible(i)[:4096])
            except native.NodeError:
                return a.http("/readyz")[0] == 503

    eventually(small_writes_are_refused, "a node with a full disk is not ready")
    check_contains(a.http("/readyz")[1], "disk", "why it is not ready")
    check_contains(a.fails(7, "set", "k", "v"), "full", "what kvctl says")
    b.ok("set", "from b", "arrives or waits")  # a peer's writes must not break it either
    check(a.alive(), "the node ended")

    filler = data / "filler"  # somebody else takes the rest
    with open(filler, "wb") as file:
        try:
            while True:
                file.write(bytes(MIB))
                file.flush()
        except OSError:
            pass
    # What is free is asked ten times a second, and compaction may have made room just before.
    eventually(lambda: a.kvctl("set", "k", "v").returncode == 7, "a write on a disk with no byte left is refused")
    for _ in range(20):
        check_equal(a.kvctl("set", "k", "v").returncode, 7, "a write on a disk with no byte left")
    check(a.alive(), f"the node ended on a full disk\n{a.log_tail()}")
    check_equal(a.http("/livez")[0], 200, "liveness")
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=256m", data], check=True)
    eventually(lambda: a.kvctl("set", "k", "v").returncode == 0, "writes are accepted again")
    eventually(a.is_ready, "ready again")
    a.kill()
    a.start()
    with native.Connection(a.doors["client"], timeout=60) as client:
        for i in range(stored):
            check_equal(client.call("get", b"big %d" % i), incompressible(i), f"big {i}")
    eventually(lambda: b.kvctl("get", "k").stdout == "v\n", "b has everything")
    b.wait_converged()
    check_equal(a.ok("get", "from b"), "arrives or waits", "what b wrote meanwhile")
    return f"{stored} writes of 64 KiB on a disk of 96 MiB"


def incompressible(number):
    return random.Random(number).randbytes(65536)


def scenario_flipped_byte(lab):
    """one flipped byte of a state file changes the digest or is reported: never served as if nothing were"""
    a, b = lab.cluster("a", "b")
    a.ok("batch", "-", stdin="".join(f"set key{i} value-{i:06}-{'x' * 50}\n" for i in range(2000)))
    a.wait_converged()
    digest, cells = a.digest()
    check_equal(b.digest(), (digest, cells), "digest of the other node")
    check_equal(cells, 2000 + headers(a), "cells")
    a.restart()
    check_equal(a.digest(), (digest, cells), "digest after a restart: it is recomputed from stored cells")
    a.stop()
    table = max((a.data / "state").rglob("*.sst"), key=lambda path: path.stat().st_size)
    good = table.read_bytes()
    for position in (100, len(good) // 3, len(good) // 2):
        bad = bytearray(good)
        bad[position] ^= 1
        table.write_bytes(bad)
        a.launch()
        try:
            a.await_ready_line()
        except AssertionError:
            check(a.process.wait(10) != 0, "exit code")
            check_contains(a.log(), str(a.data), "why the node did not start")
            continue
        status = json.loads(a.kvctl("status", "-o", "json").stdout)
        noticed = status.get("digest") != digest and not status["converged"]
        check(noticed, f"byte {position} of {table.name} was flipped and nobody noticed: {status}")
        check_equal(absent_keys(a), [], "keys that read as absent instead of as damaged")
        check(a.kvctl("export").returncode != 0, "an export of a damaged state ends as if it were whole")
        a.kill()
    table.write_bytes(good)
    a.start()
    check_equal(a.digest(), (digest, cells), "digest once the byte is back")


def absent_keys(node):
    absent = []
    with native.Connection(node.doors["client"]) as client:
        for i in range(2000):
            try:
                if client.call("get", b"key%d" % i) is None:
                    absent.append(i)
            except native.NodeError as refusal:
                check_equal(refusal.code, "storage", "what a read of damaged bytes says")
    return absent


def headers(node):
    """Cells that only say when a key was created."""
    return node.digest()[1] - 2000


def scenario_writes_during_checkpoints(lab):
    """kill -9 while checkpoints are written: every acknowledged write is there"""
    a = lab.prepare("a", "--checkpoint-bytes", "256K", "--memory", "64MiB")
    a.start()
    written, stop = {}, threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            try:
                with native.Connection(a.doors["client"]) as client:
                    while not stop.is_set():
                        key, value = b"k%d" % (number % 500), b"%d-" % number + b"x" * 3000
                        client.call("set", key, value)
                        written[key] = value
                        number += 1
            except (OSError, native.NodeError):
                written.pop(b"k%d" % (number % 500), None)  # not known whether it counted

    thread = threading.Thread(target=write)
    thread.start()
    for _ in range(6):
        eventually(lambda: a.metrics().get("starling_checkpoints_total", 0) >= 2, "two checkpoints")
        a.kill()
        a.start()
    stop.set()
    thread.join()
    a.kill()
    a.start()
    with native.Connection(a.doors["client"]) as client:
        for key, value in written.items():
            check_equal(client.call("get", key), value, f"value of {key}")
    check(len(written) > 100, "too few writes to say anything")
