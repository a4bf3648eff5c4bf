"""Every row of docs/bad-inputs.md through a socket of a real cluster, under the promises that all rows share.

What exactly is answered is the business of tests/resp/bad_inputs_test.cc. Here: the process lives, other clients are
answered in time, no file descriptor and no memory stays behind, what is stored does not change, peers still agree,
whoever is turned away is counted and logged without what it sent, and a thousand of them cost what a thousand
connections cost.
"""

import contextlib
import os
import socket
import statistics
import threading
import time

from door_scenarios import MIB, ends, resident_mib
from harness import check, check_contains, check_equal, eventually
from resp_scenarios import resp_client, speaks

SECRET = b"do-not-log-me"
PATIENT = 0.05  # seconds in which another client's PING is answered; one in 20 may have met other tests' load
KEY_LIMIT = 64 << 10


class Bystanders:
    """What nobody but the sender of bad input may notice; looked at before, during and after."""

    def __init__(self, node, peer):
        self.node, self.peer, self.waits = node, peer, []
        self.pid = node.process.pid

    def __enter__(self):
        eventually(lambda: self.node.metrics()["starling_resp_clients"] == 0, "nobody else is connected")
        self.digest, self.files, self.memory = self.node.digest(), self.open_files(), resident_mib(self.node)
        self.done = threading.Event()
        self.pinging = threading.Thread(target=self.ping)
        self.pinging.start()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            eventually(lambda: len(self.waits) >= 300, "another client is answered")
        self.done.set()
        self.pinging.join()
        if kind is None:
            self.inspect()

    def ping(self):
        with speaks(self.node) as client:
            while not self.done.is_set():
                start = time.monotonic()
                if client.ask(b"PING") != (b"+", b"PONG"):
                    return  # `inspect` misses the answers
                self.waits.append(time.monotonic() - start)
                time.sleep(0.001)

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def inspect(self):
        node = self.node
        check_equal((node.process.poll(), node.process.pid), (None, self.pid), f"the process\n{node.log_tail()}")
        check(self.waited(95) < PATIENT, f"p95 of another client's PING: {self.waited(95) * 1000:.1f} ms")
        check(max(self.waits) < 1, f"another client's PING took {max(self.waits):.1f} s")
        eventually(lambda: self.open_files() <= self.files, f"file descriptors are back at {self.files}")
        eventually(lambda: resident_mib(node) < self.memory + 64, f"memory is given back ({self.memory} MiB before)")
        check_equal(node.digest(), self.digest, "what is stored")
        node.wait_converged()
        check_equal(self.peer.digest(), self.digest, "what the other node has stored")

    def waited(self, percentile):
        return statistics.quantiles(self.waits, n=100)[percentile - 1]


def words(*parts):
    return resp_client.encoded([part if isinstance(part, bytes) else part.encode() for part in parts])


def line(text):
    return text.encode() + b"\r\n"


ERROR = b"-ERR "
COUNT = b"-ERR Protocol error: invalid multibulk length"
LENGTH = b"-ERR Protocol error: invalid bulk length"

# Row, what is sent, how the answer begins; these end the connection.
BREAKING = [
    *((2, claim + b"\r\n", COUNT) for claim in (b"*abc", b"* 1", b"*+1")),
    *((3, claim + b"\r\n", COUNT) for claim in (b"*2147483648", b"*9223372036854775808")),
    *((5, b"*1\r\n" + claim + b"\r\n", LENGTH) for claim in (b"$-1", b"$abc", b"$536870913", b"$18446744073709551616")),
    (7, b"*1\r\nx4\r\nPING\r\n", b"-ERR Protocol error: expected '$', got 'x'"),
    (7, b"*1\r\n" * 1000, b"-ERR Protocol error: expected '$', got '*'"),
    (11, b'ECHO "' + SECRET + b"\r\n", b"-ERR Protocol error: unbalanced quotes in request"),
    (13, b"*" + b"1" * 70_000, b"-ERR Protocol error: too big mbulk count string"),
    (15, b"GET / HTTP/1.1\r\nHost: x\r\n\r\nSET stored by-http\r\n", b""),
    (15, b"POST / HTTP/1.1\r\nCookie: " + SECRET + b"\r\n\r\n", b""),
    (15, b"Host: x\r\nSET stored by-http\r\n", b""),
]

# Row, what is sent, how each answer begins; these leave the connection as it was.
LASTING = [
    (1, b"*-1\r\n*-10\r\n*0\r\n*1\r\n$4\r\nPING\r\n", [b"+PONG"]),
    (10, b"PING\n\r\n\n  \r\nPING\r\n", [b"+PONG", b"+PONG"]),
    *((17, kind + b"\r\n", [b"-ERR unknown command '"]) for kind in (b"+OK", b"-ERR", b"%1", b"_", b",1.5", b"(123")),
    *((17, kind + b"\r\n", [b"-ERR unknown command '"]) for kind in (b"=", b"~", b">", b"|")),
    (25, line("HELLO 4"), [b"-NOPROTO unsupported protocol version"]),
    (25, line("HELLO abc"), [b"-ERR Protocol version is not an integer or out of range"]),
    (25, line('HELLO 3 SETNAME "a b"'), [b"-ERR Client names cannot contain"]),
    (26, line("GET none") + line("HELLO 3") + line("GET none") + line("HELLO 2"), [b"nil", b"%7", b"nil", b"*14"]),
    (27, words("", "x") + words(b"a\r\n+OK\r\n") + words("x" * 300), [b"-ERR unknown command '"] * 3),
    (29, b"".join(words("SET", k, k) + words("GET", k) + words("DEL", k)
                  for k in (b"", b"\0", b"\r\n$1", b"\xc3\x28\xff", b"\xff" * KEY_LIMIT)), [b"+OK", b"$", b":1"] * 5),
    (30, words("SET", b"k" * (KEY_LIMIT + 1), "v"), [b"-ERR the key has 65537 bytes; the limit is 65536"]),
    (30, words("SET", "stored", b"v" * (9 * MIB)), [b"-ERR an argument of 9437184 bytes is over the limit of 8388608"]),
    (31, line("INCR text"), [b"-ERR value is not an integer or out of range"]),
    (31, line("INCR most"), [b"-ERR increment or decrement would overflow"]),
    (31, line("INCRBY least 9223372036854775808"), [b"-ERR value is not an integer or out of range"]),
    (31, line("DECRBY least -9223372036854775808"), [b"-ERR decrement would overflow"]),
    (33, line("HGET text f") + line("SADD text e") + line("GET hash"), [b"-WRONGTYPE "] * 3),
    (35, line("SET text v EX 0") + line("SET text v EX -1"), [b"-ERR invalid expire time in 'set' command"] * 2),
    (35, line("EXPIRE text 9223372036854775807"), [b"-ERR invalid expire time in 'expire' command"]),
    (37, line("ZADD board nan m"), [b"-ERR value is not a valid float"]),
    (37, line("ZINCRBY board -inf m"), [b"-ERR resulting score is not a number (NaN)"]),
    (38, line("HINCRBY hash most 1"), [b"-ERR increment or decrement would overflow"]),
    (38, line("HINCRBYFLOAT hash real 1e400") + line("HINCRBYFLOAT hash real inf"), [b"-ERR "] * 2),
    (39, line("SETRANGE text 536870912 x"), [b"-ERR string exceeds maximum allowed size (proto-max-bulk-len)"]),
    (39, line("SETRANGE text -1 x"), [b"-ERR offset is out of range"]),
    (41, words("KEYS", b"[" * 100_000) + words("SCAN", "0", "MATCH", b"\\" * 100_000), [ERROR] * 2),
    (43, line("SRANDMEMBER set -9223372036854775808"), [b"-ERR value is out of range"]),
    (43, line("HRANDFIELD hash -4611686018427387904"), [b"-ERR value is out of range"]),
    (45, line("EXEC"), [b"-ERR EXEC without MULTI"]),
    (45, line("MULTI") + line("MULTI") + line("SET text x") + line("NOSUCH") + line("EXEC"),
     [b"+OK", b"-ERR MULTI calls can not be nested", b"+QUEUED", b"-ERR unknown", b"-EXECABORT"]),
    (47, line("SUBSCRIBE a") + line("GET text") + line("RESET"),
     [b"*3", b"-ERR Can't execute 'get': only (P|S)SUBSCRIBE", b"+RESET"]),
    (49, words("CLIENT", "SETNAME", "a b"), [b"-ERR Client names cannot contain"]),
    (49, line("CONFIG SET no-such-option 1"), [b"-ERR Unknown option"]),
    (49, line("SELECT 99"), [b"-ERR DB index is out of range"]),
    *((51, line(command), [ERROR]) for command in ("EVAL x 0", "XADD s * f v", "DEBUG SEGFAULT", "MODULE LOAD x")),
    *((51, line(command), [ERROR]) for command in ("SLAVEOF a 1", "MIGRATE a 1 k 0 1", "SAVE")),
]  # fmt: skip


def two_nodes(lab):
    node, peer = lab.cluster("a", "b")
    with speaks(node) as client:
        for command in ("SET text abc", "SET most 9223372036854775807", "SET least 5", "SADD set e",
                        "HSET hash f v most 9223372036854775807 real 1e308", "ZADD board inf m"):  # fmt: skip
            check(not resp_client.is_error(client.ask(*command.encode().split())), command)
    node.wait_converged()
    return node, peer


def scenario_rows_that_break(lab):
    """rows 2 … 15: broken framing costs its sender the connection, and nobody else anything"""
    node, peer = two_nodes(lab)
    with Bystanders(node, peer) as bystanders:
        for row, data, beginning in BREAKING:
            before = node.rejected("resp")
            with node.connect("resp") as connection:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(data)
                said = ends(connection)
            check(said.startswith(beginning), f"row {row} is answered {said[:100]!r} instead of {beginning!r}")
            check(b"+OK" not in said, f"row {row}: a later line ran")
            eventually(lambda b=before: node.rejected("resp") == b + 1, f"row {row} is counted")
    check(SECRET.decode() not in node.log(), "the log holds what strangers sent")
    check_contains(node.log(), "127.0.0.1", "the log says who they were")
    return f"{len(BREAKING)} rows; {said_of(bystanders)}"


def scenario_rows_that_last(lab):
    """rows 1, 10, 17, 25 … 51: what is refused is refused in its place, and the connection goes on"""
    node, peer = two_nodes(lab)
    with Bystanders(node, peer) as bystanders:
        for row, data, beginnings in LASTING:
            with speaks(node) as client:
                client.socket.sendall(data + words("PING", "next"))
                for beginning in beginnings:
                    reply = first_line(client.read())
                    check(reply.startswith(beginning), f"row {row} is answered {reply[:100]!r}, not {beginning!r}")
                check_equal(client.read(), b"next", f"what comes behind row {row}")
    return f"{len(LASTING)} rows; {said_of(bystanders)}"


def scenario_rows_a_thousand_times(lab):
    """a thousand times the same broken bytes cost no more than a thousand connections"""
    node, peer = two_nodes(lab)

    def seconds(data):
        start = time.monotonic()
        for _ in range(1000):
            with node.connect("resp") as connection:
                connection.sendall(data)
                connection.recv(1)
        return time.monotonic() - start

    ratios = []
    with Bystanders(node, peer) as bystanders:
        for row, data, _ in (BREAKING[0], BREAKING[5], BREAKING[9], BREAKING[11]):
            good = seconds(b"PING\r\n")
            bad = seconds(data)
            ratios.append(f"row {row} {bad / good:.1f}")
            check(bad < 5 * good + 3, f"row {row}: {bad:.2f} s for 1000, where good ones take {good:.2f} s")
    warnings = sum("turned away" in entry for entry in node.log().splitlines())
    check(warnings < 100, f"{warnings} log lines about 4000 connections")
    return f"times of good ones: {', '.join(ratios)}; {said_of(bystanders)}"


def scenario_rows_slow_and_long(lab):
    """rows 9, 18, 19, 23: a byte at a time, without an end, and a hundred thousand commands at once"""
    node, peer = two_nodes(lab)
    with Bystanders(node, peer) as bystanders:
        with node.connect("resp") as incomplete:
            incomplete.sendall(b"*1\n$4\nPING\n")
            incomplete.settimeout(0.3)
            check(is_silent(incomplete), "row 9: an answer to what is not whole")
        with node.connect("resp") as half:
            half.sendall(words("SET", "text", "half")[:-4])
            half.shutdown(socket.SHUT_WR)
            check_equal(ends(half), b"", "row 19: half a command")
        script = words("ECHO", "a\r\nb") + line("PING") + words("GET", "text") + words("NOSUCH") + words("SCARD", "set")
        with node.connect("resp") as one:
            for byte in script:
                one.sendall(bytes([byte]))
                time.sleep(0.01)
            one.shutdown(socket.SHUT_WR)
            slow = ends(one)
        with node.connect("resp") as whole:
            whole.sendall(script)
            whole.shutdown(socket.SHUT_WR)
            check_equal(slow, ends(whole), "row 18: a byte every 10 ms")
        requests, replies = [], []
        for i in range(20_000):
            number = b"%d" % i
            requests += [words("ECHO", number), words("NOSUCH"), words("GET"), line("INCR text"), line(f"ECHO {i}")]
            echo = b"$%d\r\n%b\r\n" % (len(number), number)
            replies += [echo, b"-ERR unknown command 'NOSUCH', with args beginning with: \r\n",
                        b"-ERR wrong number of arguments for 'get' command\r\n",
                        b"-ERR value is not an integer or out of range\r\n", echo]  # fmt: skip
        requests, replies = b"".join(requests), b"".join(replies)
        with node.connect("resp") as pipeline:
            sender = threading.Thread(target=lambda: (pipeline.sendall(requests), pipeline.shutdown(socket.SHUT_WR)))
            sender.start()
            said = ends(pipeline)
            sender.join()
        check(said == replies, f"row 23: {len(said)} bytes of replies instead of {len(replies)}, or in another order")
    return said_of(bystanders)


def scenario_rows_of_patterns(lab):
    """row 41: no pattern takes longer than its length allows"""
    node, peer = two_nodes(lab)
    with speaks(node) as client:
        client.send([[b"SET", b"a" * 1000 + b"%d" % i, b"v"] for i in range(100)])
        check_equal({client.read() for _ in range(100)}, {(b"+", b"OK")}, "SET")
    node.wait_converged()
    slowest = 0.0
    with Bystanders(node, peer) as bystanders, speaks(node) as client:
        for pattern in (b"a*" * 500 + b"b", b"*a" * 500 + b"b", b"?*" * 500, b"[a-z]*" * 170 + b"!", b"[" * 1000):
            for command in ([b"KEYS", pattern], [b"SCAN", b"0", b"COUNT", b"200", b"MATCH", pattern]):
                start = time.monotonic()
                reply = client.ask(*command)
                slowest = max(slowest, time.monotonic() - start)
                check(not resp_client.is_error(reply), f"{command[0].decode()}: {resp_client.shown(reply)[:100]}")
    check(slowest < PATIENT, f"a pattern over 100 keys of 1000 bytes took {slowest * 1000:.0f} ms")
    return f"slowest {slowest * 1000:.1f} ms for 100 keys of 1000 bytes; {said_of(bystanders)}"


def first_line(reply):
    """How a reply begins on the wire, nil as b'nil'."""
    if resp_client.is_nil(reply):
        return b"nil"
    if type(reply) is int:
        return b":%d" % reply
    if type(reply) is bytes:
        return b"$%d" % len(reply)
    if type(reply) is list:
        return b"*%d" % len(reply)
    kind, content = reply
    if type(content) is list:
        return b"%b%d" % (kind, len(content) // (2 if kind == b"%" else 1))
    return kind + content


def is_silent(connection):
    try:
        return not connection.recv(1)
    except TimeoutError:
        return True


def said_of(bystanders):
    return f"p99 of another client's PING {bystanders.waited(99) * 1000:.1f} ms of {len(bystanders.waits)}"
