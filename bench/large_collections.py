#!/usr/bin/env python3
"""How long others wait while one client works on a collection of a million elements.

Starts a kvd on one core, and asks from the other: an open loop of 1,000 requests a second on one connection (GET and
SET in turn, each counted from the moment at which it was due, so that a late answer delays no later question), while
another connection sends SMEMBERS, DEL, SUNIONSTORE, ZRANGE and KEYS of a million elements back to back.

Before each command the same open loop runs for a while beside nothing: its p99 is what the machine itself costs, and a
command is judged against it. The time that the hypervisor gave to others (steal) stands beside it.

  bench/large_collections.py [--kvd build/bin/kvd | --redis] [--elements 1000000] [--rounds 20]
"""

import argparse
import multiprocessing
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

RATE = 1000  # requests a second
IDLE_SECONDS = 5


def words(*args):
    parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", buffering=1 << 20)

    def ask(self, *args):
        self.socket.sendall(words(*args))
        return self.read()

    def read(self):
        """The value, or for an aggregate how many parts it had: a million of them are not kept."""
        head = self.file.readline()
        kind, rest = head[:1], head[1:-2]
        if kind == b"$":
            length = int(rest)
            return None if length < 0 else self.file.read(length + 2)[:-2]
        if kind in b"*~":
            for _ in range(max(int(rest), 0)):
                self.read()
            return int(rest)
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return rest


class OpenLoop:
    """Sends at a fixed rate whatever comes back, on a connection and in a process of its own: a thread would wait for
    the interpreter while another reads a million elements, and count that as the server's."""

    def __init__(self, port):
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.run, args=(port, theirs), daemon=True)
        self.process.start()

    def stop(self):
        """[(when it was due, how long it took)], in seconds"""
        self.ours.send("enough")
        waits = self.ours.recv()
        self.process.join()
        return waits

    @staticmethod
    def run(port, parent):
        client = Client(port)
        client.socket.setblocking(False)
        due, waits, rest = [], [], b""
        begin = time.monotonic()
        while True:
            at = begin + len(due) / RATE
            ready, _, _ = select.select([client.socket, parent], [], [], max(at - time.monotonic(), 0))
            if client.socket in ready:
                *replies, rest = (rest + client.socket.recv(1 << 16)).split(b"\r\n")
                now = time.monotonic()
                for reply in replies:
                    if not reply.startswith(b"$") or reply == b"$-1":  # else its bytes follow
                        waits.append((due[len(waits)], now - due[len(waits)]))
            if parent in ready:
                parent.send(waits)
                return
            if time.monotonic() >= at:
                n = len(due)
                key = "small%d" % (n % 1000)
                due.append(at)
                client.socket.sendall(words("SET", key, n) if n % 2 else words("GET", key))


def percentile(values, p):
    values = sorted(values)
    return values[min(int(len(values) * p / 100), len(values) - 1)] if values else float("nan")


def stolen():
    """Seconds that other guests had of our cores, as far as the hypervisor says"""
    with open("/proc/stat") as stat:
        return int(stat.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(options, directory):
    port = free_port()
    if options.redis:
        command = ["redis-server", "--port", str(port), "--dir", directory, "--appendonly", "yes", "--save", ""]
    else:
        command = [options.kvd, "--data", directory + "/data", "--name", "bench", "--resp", f"127.0.0.1:{port}",
                   "--client", f"127.0.0.1:{free_port()}", "--peer", f"127.0.0.1:{free_port()}",
                   "--http", f"127.0.0.1:{free_port()}", "--memory", options.memory]
    process = subprocess.Popen(["taskset", "-c", "0"] + command, stdout=open(directory + "/out", "w"), stderr=subprocess.STDOUT)
    for _ in range(300):
        try:
            if Client(port).ask("PING") == b"PONG":
                return process, port
        except OSError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit("the server did not start: " + open(directory + "/out").read()[-500:])


def fill(client, elements):
    begun = time.monotonic()
    step = 500
    for first in range(0, elements, step):
        names = ["element:%07d" % i for i in range(first, min(first + step, elements))]
        pipe = words("SADD", "set", *names)
        pipe += words("ZADD", "sorted", *[w for i, name in enumerate(names) for w in (first + i, name)])
        pipe += words("MSET", *[w for name in names for w in ("k:" + name, "v")])
        client.socket.sendall(pipe)
        for _ in range(3):
            client.read()
    print(f"filled in {time.monotonic() - begun:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kvd", default=os.path.join(os.path.dirname(__file__), "../build/bin/kvd"))
    parser.add_argument("--redis", action="store_true", help="the same against Debian's redis-server")
    parser.add_argument("--memory", default="1GiB")
    parser.add_argument("--elements", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="", help="commands, separated by commas")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="starling-large-")
    process, port = start(options, directory)
    os.sched_setaffinity(0, {1})
    try:
        client = Client(port)
        fill(client, options.elements)
        loads = {
            "SMEMBERS": [("SMEMBERS", "set")],
            "ZRANGE": [("ZRANGE", "sorted", 0, -1)],
            "KEYS": [("KEYS", "*")],
            "SUNIONSTORE": [("SUNIONSTORE", "copy", "set", "none")],
            "DEL": [("SUNIONSTORE", "copy", "set", "none"), ("DEL", "copy")],
        }
        print(f"{'':12} {'rounds':>6} {'median s':>9} {'p50 ms':>8} {'p99 ms':>8} {'p99.9 ms':>8} {'max ms':>8} "
              f"{'idle p99':>8} {'stolen s':>8}")
        for name, commands in loads.items():
            if options.only and name not in options.only.split(","):
                continue
            loop = OpenLoop(port)
            time.sleep(IDLE_SECONDS)
            stolen_before = stolen()
            times, spans = [], []
            for _ in range(options.rounds):
                for command in commands:
                    begun = time.monotonic()
                    client.ask(*command)
                    ended = time.monotonic()
                times.append(ended - begun)
                spans.append((begun, ended))
            all_waits = loop.stop()
            first, last = spans[0][0], spans[-1][1]
            idle = [1000 * wait for due, wait in all_waits if due < first]
            waits = [1000 * wait for due, wait in all_waits if first <= due <= last]
            print(f"{name:12} {options.rounds:6} {percentile(times, 50):9.3f} {percentile(waits, 50):8.2f} "
                  f"{percentile(waits, 99):8.2f} {percentile(waits, 99.9):8.2f} {max(waits):8.2f} "
                  f"{percentile(idle, 99):8.2f} {stolen() - stolen_before:8.2f}", flush=True)
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
