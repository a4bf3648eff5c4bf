#!/usr/bin/env python3
"""Does a kvd keep its promise about memory where the kernel kills who does not?

  bench/small_memory.py capped    data ten times as large as a memory cgroup, read-heavy, zipfian
  bench/small_memory.py edge      a sensor workload in a cgroup of 64 MiB; does anything grow?

Starts one kvd on one core inside a memory cgroup of its own (version 1 or 2, as root) and asks from the other. The limit
counts everything: the process, the page cache of its files, what the kernel keeps for it. Every answer is checked. Exit
code 1 if the kernel killed the node, an answer was wrong, or (edge, from five minutes on) memory grew; 3 where no cgroup
can be made.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MIB = 1 << 20
POOL = random.Random(1).randbytes(MIB)  # bytes that do not compress; a value is a piece of it


class Unavailable(Exception):
    """No memory cgroup can be made here."""


class Broken(Exception):
    """The promise was not kept."""


# ---------------------------------------------------------------- the cgroup


class MemoryGroup:
    """A cgroup below our own with a limit; empty and gone at the end."""

    def __init__(self, limit):
        parent, self.version = self._parent()
        self.path = parent / f"starling-{os.getpid()}"
        try:
            self.path.mkdir()
            self._write("memory.max" if self.version == 2 else "memory.limit_in_bytes", limit)
            if self.version == 2:
                self._write("memory.swap.max", 0)
        except OSError as error:
            self.close()
            raise Unavailable(f"cannot make a memory cgroup at {self.path}: {error}") from None

    @staticmethod
    def _parent():
        mount = pathlib.Path("/sys/fs/cgroup")
        groups = [line.split(":", 2)[1:] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
        for controllers, path in groups:
            if "memory" in controllers.split(","):
                return mount / "memory" / path.lstrip("/"), 1
        for controllers, path in groups:
            if not controllers:
                own = mount / path.lstrip("/")
                # A group with processes cannot lend its controllers to groups below; the root can.
                for at in (own, *own.parents):
                    lent = at / "cgroup.subtree_control"
                    if lent.exists() and "memory" in lent.read_text().split():
                        return at, 2
        raise Unavailable("there is no memory cgroup")

    def _write(self, file, value):
        (self.path / file).write_text(str(value))

    def _number(self, file):
        return int((self.path / file).read_text())

    def _table(self, file):
        return {name: int(value) for name, value in (line.split() for line in (self.path / file).read_text().splitlines())}

    def add_self(self):
        """In the child, before it becomes kvd."""
        self._write("cgroup.procs", os.getpid())

    def peak(self):
        """The most that was ever charged, page cache included; what can be reclaimed may always fill the limit."""
        if self.version == 1:
            return self._number("memory.max_usage_in_bytes")
        return self._number("memory.peak") if (self.path / "memory.peak").exists() else 0

    def unreclaimable(self):
        """What the processes have of their own now: what the kernel cannot take back without killing."""
        return self._table("memory.stat")["rss" if self.version == 1 else "anon"]

    def kills(self):
        file = "memory.oom_control" if self.version == 1 else "memory.events"
        return self._table(file)["oom_kill"]

    def close(self):
        for _ in range(100):
            try:
                self.path.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.05)


# ---------------------------------------------------------------- the node


class Node:
    def __init__(self, options, limit, flags):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="starling-memory-", dir=options.dir))
        self.group = self.process = None
        self.core = options.core
        try:
            self.group = MemoryGroup(limit)
            doors = [word for door in ("client", "peer", "resp", "http") for word in (f"--{door}", "127.0.0.1:0")]
            with open(self.directory / "log", "w") as log:
                self.process = subprocess.Popen(
                    [options.kvd, "--data", self.directory / "data", "--name", "small", *doors, *flags, *options.kvd_flag],
                    stdout=subprocess.PIPE, stderr=log, preexec_fn=self._enter)  # fmt: skip
            ready = self.process.stdout.readline().decode()
            found = re.search(r"resp=\S+:(\d+)", ready)
            if not found:
                raise Broken("kvd did not start: " + self.last_words())
            self.port = int(found[1])
        except BaseException:
            self.close()
            raise

    def _enter(self):
        self.group.add_self()
        os.sched_setaffinity(0, {self.core})

    def last_words(self):
        return (self.directory / "log").read_text(errors="replace")[-500:]

    def alive(self):
        return self.process.poll() is None

    def connect(self):
        return Connection(self.port)

    def resident(self):
        """(now, most ever) of the process, its program file included"""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return tuple(int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) << 10 for name in ("VmRSS", "VmHWM"))

    def disk_bytes(self):
        size = 0
        for path in (self.directory / "data").rglob("*"):
            try:
                size += path.stat().st_size
            except FileNotFoundError:  # compaction
                pass
        return size

    def figures(self):
        now, most = self.resident()
        return {
            "resident_mib": round(now / MIB, 1), "resident_peak_mib": round(most / MIB, 1),
            "own_mib": round(self.group.unreclaimable() / MIB, 1), "group_peak_mib": round(self.group.peak() / MIB, 1),
            "disk_mib": round(self.disk_bytes() / MIB), "kills": self.group.kills(),
        }  # fmt: skip

    def verdict(self):
        if self.group.kills() or not self.alive():
            raise Broken(f"the node is gone, {self.group.kills()} kills by the kernel: {self.last_words()}")

    def close(self):
        if self.process:
            if self.alive():
                self.process.send_signal(signal.SIGTERM)
                try:
                    self.process.wait(60)
                except subprocess.TimeoutExpired:
                    self.process.kill()
            self.process.wait()
            self.process.stdout.close()
        if self.group:
            self.group.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def words(*args):
    parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", buffering=1 << 18)

    def send(self, bytes_):
        self.socket.sendall(bytes_)

    def read(self):
        head = self.file.readline()
        if not head.endswith(b"\n"):
            raise Broken("the node closed a connection")
        kind, rest = head[:1], head[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        if kind == b"-":
            raise Broken("the node refused: " + rest.decode())
        return int(rest) if kind == b":" else rest

    def ask(self, *args):
        self.send(words(*args))
        return self.read()


def percentile(values, p):
    values = sorted(values)
    return values[min(int(len(values) * p / 100), len(values) - 1)] if values else float("nan")


# ---------------------------------------------------------------- capped


class Zipfian:
    """Ranks 0 … n-1, the r-th as likely as 1 / (r + 1)^theta (Gray et al., SIGMOD 1994, as YCSB draws them), scattered
    over the keys: neighbours on disk are not equally hot."""

    def __init__(self, n, theta, dice):
        self.n, self.theta, self.dice = n, theta, dice
        zeta = sum(1 / i**theta for i in range(1, n + 1))
        self.zeta, self.alpha = zeta, 1 / (1 - theta)
        self.eta = (1 - (2 / n) ** (1 - theta)) / (1 - (1 + 0.5**theta) / zeta)

    def draw(self):
        u = self.dice.random()
        uz = u * self.zeta
        if uz < 1:
            rank = 0
        elif uz < 1 + 0.5**self.theta:
            rank = 1
        else:
            rank = int(self.n * (self.eta * u - self.eta + 1) ** self.alpha)
        return (rank * 0x9E3779B97F4A7C15 >> 11) % self.n


def value_of(i, size):
    start = (i * 7919) % (MIB - size)
    return b"%d:" % i + POOL[start : start + size - len(b"%d:" % i)]


def load(node, keys, size):
    begun = time.monotonic()
    connection = node.connect()
    batch, under_way = 200, collections.deque()
    for first in range(0, keys, batch):
        last = min(first + batch, keys)
        connection.send(b"".join(words(b"SET", b"key:%d" % i, value_of(i, size)) for i in range(first, last)))
        under_way.append(last - first)
        if len(under_way) > 4:
            for _ in range(under_way.popleft()):
                connection.read()
    for count in under_way:
        for _ in range(count):
            connection.read()
    return time.monotonic() - begun


def read_heavy(node, options, keys):
    """A closed loop: each connection has one command under way. (seconds, GET times, SET times), in seconds"""
    dice = random.Random(options.seed)
    zipf = Zipfian(keys, options.theta, dice)
    connections = {c.socket.fileno(): c for c in (node.connect() for _ in range(options.connections))}
    poll = select.epoll()
    asked, gets, sets = {}, [], []

    def ask(connection):
        i, is_set = zipf.draw(), dice.random() < options.writes
        asked[connection.socket.fileno()] = (i, is_set, time.monotonic())
        key = b"key:%d" % i
        connection.send(words(b"SET", key, value_of(i, options.value)) if is_set else words(b"GET", key))

    for fd, connection in connections.items():
        poll.register(fd, select.EPOLLIN)
        ask(connection)
    begun = time.monotonic()
    next_note = begun + 10
    while (now := time.monotonic()) < begun + options.seconds:
        if now > next_note:
            next_note += 10
            note(f"{now - begun:4.0f} s: {len(gets) + len(sets)} commands, {node.figures()}")
        for fd, _ in poll.poll(60):
            i, is_set, at = asked[fd]
            answer = connections[fd].read()
            (sets if is_set else gets).append(time.monotonic() - at)
            if answer != (b"OK" if is_set else value_of(i, options.value)):
                raise Broken(f"key:{i} is {answer and answer[:40]!r}")
            ask(connections[fd])
    return time.monotonic() - begun, gets, sets


def capped(options):
    keys = options.data // options.value
    node = Node(options, options.limit, [])
    try:
        took = load(node, keys, options.value)
        loaded = node.figures()
        note(f"{keys} keys of {options.value} B in {took:.0f} s: {loaded}")
        node.verdict()
        seconds, gets, sets = read_heavy(node, options, keys)
        node.verdict()
        return {
            "limit_mib": options.limit // MIB, "data_mib": round(keys * options.value / MIB), "keys": keys,
            "load_per_second": round(keys / took), "after_load": loaded,
            "per_second": round((len(gets) + len(sets)) / seconds),
            "get_us": {f"p{p}": round(1e6 * percentile(gets, p)) for p in (50, 99, 99.9)},
            "set_us": {f"p{p}": round(1e6 * percentile(sets, p)) for p in (50, 99, 99.9)},
            "at_the_end": node.figures(),
        }  # fmt: skip
    except (OSError, Broken) as error:
        node.verdict()
        raise Broken(str(error)) from error
    finally:
        node.close()


# ---------------------------------------------------------------- edge


EDGE_FLAGS = ["--memory", "32M", "--max-clients", "100", "--output-limit", "4M", "--conflict-lines", "1000",
              "--max-value", "1M", "--truncate-log"]  # fmt: skip
HISTORY_MS = 60_000  # that much of each sensor is kept, with a member for each reading


def reading(dice, sensor, at_ms):
    """What one reading writes, and what a display asks now and then."""
    value = f"{20 + dice.gauss(0, 5):.2f}"
    commands = [
        ("HSET", f"sensor:{sensor}", "value", value, "at", at_ms, "state", dice.choice(["ok", "ok", "warm"])),
        ("ZADD", f"history:{sensor}", at_ms, f"{at_ms}:{value}"),
        ("ZREMRANGEBYSCORE", f"history:{sensor}", "-inf", at_ms - HISTORY_MS),
        ("INCR", f"readings:{sensor}"),
        ("SET", f"alive:{sensor}", at_ms, "PX", 5000),
        ("SADD", "sensors", sensor),
    ]
    if dice.random() < 0.1:
        commands += [("HGETALL", f"sensor:{sensor}"), ("ZRANGE", f"history:{sensor}", 0, 9), ("SCARD", "sensors")]
    return commands


def edge(options):
    """Readings at a fixed rate; memory is sampled every second and compared between the parts of the run."""
    node = Node(options, options.limit, EDGE_FLAGS)
    samples, waits = [], []
    try:
        dice, connection = random.Random(options.seed), node.connect()
        begun, done, late = time.monotonic(), 0, 0
        next_sample, next_note = begun, begun + 30
        counts = collections.Counter()
        while (now := time.monotonic()) < begun + options.seconds:
            due = begun + done / options.rate
            if due > now:
                time.sleep(due - now)
            elif now - due > 1:
                late += 1
            sensor = dice.randrange(options.sensors)
            commands = reading(dice, sensor, int(time.time() * 1000))
            asked = time.monotonic()
            if options.one_by_one:
                answers = [connection.ask(*command) for command in commands]
            else:
                connection.send(b"".join(words(*command) for command in commands))
                answers = [connection.read() for _ in commands]
            waits.append(time.monotonic() - asked)
            counts[sensor] += 1
            if answers[3] != counts[sensor]:
                raise Broken(f"readings:{sensor} is {answers[3]} after {counts[sensor]}")
            done += 1
            if asked > next_sample:
                next_sample += 1
                samples.append((asked - begun, node.group.unreclaimable(), node.resident()[0], node.disk_bytes()))
                if asked > next_note:
                    next_note += 30
                    note(f"{asked - begun:4.0f} s: {done} readings, {node.figures()}")
        node.verdict()
        fifth = len(samples) // 5
        early, last = samples[fifth : 2 * fifth], samples[-fifth:]
        own = [statistics.median(s[1] for s in part) / MIB for part in (early, last)]
        disk = [statistics.median(s[3] for s in part) / MIB for part in (early, last)]
        result = {
            "limit_mib": options.limit // MIB, "flags": " ".join(EDGE_FLAGS), "seconds": options.seconds,
            "readings": done, "readings_per_second": round(done / options.seconds), "late": late,
            "reading_us": {f"p{p}": round(1e6 * percentile(waits, p)) for p in (50, 99, 99.9)},
            "own_mib_second_fifth": round(own[0], 1), "own_mib_last_fifth": round(own[1], 1),
            "own_mib_most": round(max(s[1] for s in samples) / MIB, 1),
            "disk_mib_second_fifth": round(disk[0], 1), "disk_mib_last_fifth": round(disk[1], 1),
            "at_the_end": node.figures(),
        }  # fmt: skip
        if options.seconds >= 300 and own[1] > own[0] * 1.05 + 1:
            raise Broken(f"memory grew: {result}")
        return result
    except OSError as error:
        node.verdict()
        raise Broken(str(error)) from error
    finally:
        node.close()


# ---------------------------------------------------------------- the command line


def size(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(float(text[:-1]) * units[text[-1]]) if text[-1] in units else int(text)


def note(line):
    print(line, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    for name, limit, seconds in (("capped", "256M", 120), ("edge", "64M", 600)):
        one = commands.add_parser(name)
        one.set_defaults(run=globals()[name])
        one.add_argument("--limit", type=size, default=limit, help="of the cgroup (default: %(default)s)")
        one.add_argument("--seconds", type=float, default=seconds, help="(default: %(default)s)")
        one.add_argument("--kvd", default=ROOT / "build" / "bin" / "kvd")
        one.add_argument("--kvd-flag", action="append", default=[], help="a flag for kvd, such as --kvd-flag=--memory=100M")
        one.add_argument("--dir", help="where the data lies for as long as this runs")
        one.add_argument("--seed", type=int, default=1)
    one = commands.choices["capped"]
    one.add_argument("--data", type=size, default="2560M", help="bytes of values (default: %(default)s)")
    one.add_argument("--value", type=int, default=1000, help="bytes of a value (default: %(default)s)")
    one.add_argument("--connections", type=int, default=16)
    one.add_argument("--writes", type=float, default=0.05, help="part of the commands that SET (default: %(default)s)")
    one.add_argument("--theta", type=float, default=0.99, help="of the zipfian distribution (default: %(default)s)")
    one = commands.choices["edge"]
    one.add_argument("--sensors", type=int, default=500)
    one.add_argument("--rate", type=float, default=400, help="readings a second, of 6 commands and more (default: %(default)s)")
    one.add_argument("--one-by-one", action="store_true", help="a sensor waits for each answer, instead of for all of a reading")
    options = parser.parse_args()
    try:
        options.core, *_, ours = 2 * sorted(os.sched_getaffinity(0))  # kvd has the first, we have the last
        os.sched_setaffinity(0, {ours})
        print(json.dumps(options.run(options), indent=1))
    except Unavailable as reason:
        print(f"cannot run here: {reason}", file=sys.stderr)
        return 3
    except Broken as why:
        print(f"FAIL: {why}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
