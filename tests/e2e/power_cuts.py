#!/usr/bin/env python3
"""Cuts the power of a kvd that is being written to at full rate, again and again, and looks what the disk has kept.

  tests/e2e/power_cuts.py [--cuts 20] [--seed N]        `./dev cuts` builds kvd first

Four connections SET keys of their own, INCR a counter and SADD to a set, and note when each answer came. At a random
moment the disk is shut down by force (loop_disk.py), kvd is killed, the disk is mounted again, kvd starts. What was
answered more than 1.1 s before the cut must be there: a second is the promise of `--sync everysec`, the rest is for a
sync that is under way. What survives of a connection must be a prefix of what it sent, without a hole, and whatever
earlier rounds kept must still be there.

With a peer, whatever that had received must come back to the node that lost it.
"""

import argparse
import random
import select
import statistics
import sys
import time

import harness
from harness import check, check_equal, eventually
from loop_disk import LoopDisk

PROMISED_SECONDS = 1.1
CONNECTIONS = 4
WINDOW = 400  # commands that a connection has under way
BATCH = 100
OLDER_SAMPLES = 500
FLAGS = ("--sync", "everysec", "--checkpoint-bytes", "8M")


def words(*parts):
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


class Resp:
    """A connection that sends and reads whole pipelines."""

    def __init__(self, node):
        self.socket = node.connect("resp")
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, *parts):
        return self.ask_all([parts])[0]

    def ask_all(self, commands):
        self.socket.sendall(b"".join(words(*command) for command in commands))
        return [self.read() for _ in commands]

    def read(self):
        head = self._take_line()
        kind, rest = head[:1], head[1:]
        if kind == b"$":
            return None if rest == b"-1" else self._take(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        check(kind != b"-", f"the node refused: {rest.decode()}")
        return int(rest) if kind == b":" else rest

    def _take_line(self):
        while b"\r\n" not in self.rest:
            self._more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def _take(self, size):
        while len(self.rest) < size:
            self._more()
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def _more(self):
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionResetError("closed by the node")
        self.rest += part


class Writer:
    """One connection that always has a window of commands under way, and knows when how many were answered.

    The i-th triple of commands sets key i, makes the counter i + 1 and adds element i to the set.
    """

    def __init__(self, node, name):
        self.name = name
        self.socket = node.connect("resp")
        self.socket.setblocking(False)
        self.sent = self.answered = 0  # commands
        self.unsent = b""
        self.log = []  # (monotonic time, commands answered by then)

    def key(self, i):
        return b"%s:%d" % (self.name, i)

    def fill(self):
        while self.sent - self.answered + BATCH <= WINDOW and not self.unsent:
            first, self.sent = self.sent, self.sent + BATCH
            self.unsent = b"".join(self.command(n) for n in range(first, self.sent))
            self.push()

    def command(self, n):
        i, which = divmod(n, 3)
        if which == 0:
            return words(b"SET", self.key(i), b"%d" % i)
        if which == 1:
            return words(b"INCR", b"counter:" + self.name)
        return words(b"SADD", b"set:" + self.name, b"%d" % i)

    def push(self):
        try:
            self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent = b""  # the node is gone; reading tells

    def take(self):
        """False once the node is gone. Each answer is one line."""
        try:
            part = self.socket.recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError:
            return False
        now = time.monotonic()
        check(b"-" not in part, f"a write was refused: {part[:200]}")
        self.answered += part.count(b"\n")
        self.log.append((now, self.answered))
        return bool(part)

    def answered_before(self, moment):
        return max((count for at, count in self.log if at <= moment), default=0)

    def answered_at(self, command):
        """When the answer to the command with this number came."""
        return next(at for at, count in self.log if count > command)


def write_for(writers, seconds):
    """False if the node went away meanwhile."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for writer in writers:
            writer.fill()
        readable, writable, _ = select.select(
            [w.socket for w in writers], [w.socket for w in writers if w.unsent], [], min(left, 0.05)
        )
        for writer in writers:
            if writer.socket in writable:
                writer.push()
            if writer.socket in readable and not writer.take():
                return False
    return True


def drain(writers):
    """What was answered before the cut and not yet read."""
    open_ = list(writers)
    while open_:
        readable, _, _ = select.select([w.socket for w in open_], [], [], harness.PATIENCE)
        check(readable, "a connection of a node that was killed is still open")
        open_ = [w for w in open_ if w.socket not in readable or w.take()]
    for writer in writers:
        writer.socket.close()


def survived(node, writer):
    """How many of the commands of a writer the node has; what it has must be the first so many, without a hole."""
    most = (writer.sent + 2) // 3
    with Resp(node) as client:
        counter = int(client.ask(b"GET", b"counter:" + writer.name) or 0)
        elements = client.ask(b"SCARD", b"set:" + writer.name)
        keys = 0
        for first in range(0, most, 1000):
            names = [writer.key(i) for i in range(first, min(first + 1000, most))]
            for i, value in enumerate(client.ask(b"MGET", *names), first):
                if value is None:
                    continue
                check_equal(value, b"%d" % i, f"value of {writer.key(i)}")
                check_equal(i, keys, f"first missing key of {writer.name}, although a later one is there")
                keys += 1
        check(keys >= counter >= elements >= keys - 1, f"{writer.name}: {keys} keys, counter {counter}, {elements} elements")
        if elements:
            check_equal(client.ask(b"SISMEMBER", b"set:" + writer.name, b"%d" % (elements - 1)), 1, "the last element")
    return keys + counter + elements


def check_older(node, kept, dice):
    """What earlier rounds kept."""
    everything = [(writer, count) for writer, count in kept if count]
    if everything:
        with Resp(node) as client:
            for writer, count in dice.sample(everything, min(len(everything), 20)):
                numbers = [dice.randrange((count + 2) // 3) for _ in range(OLDER_SAMPLES // 20)]
                values = client.ask(b"MGET", *[writer.key(i) for i in numbers])
                check_equal(values, [b"%d" % i for i in numbers], f"what {writer.name} had kept in an earlier round")


class Loss:
    """Of one cut: commands that were answered and are gone, and how long before the cut the first of them was answered."""

    def __init__(self, writers, counts, cut, waited):
        self.waited = waited  # seconds, before the first write
        self.answered = sum(w.answered for w in writers)
        check(self.answered > 0, "nothing was answered: the cut shows nothing")
        self.lost = sum(max(w.answered - count, 0) for w, count in zip(writers, counts, strict=True))
        first = [w.answered_at(n) for w, n in zip(writers, counts, strict=True) if w.answered > n]
        self.window = max(cut - min(first), 0.0) if first else 0.0


def first_write(node):
    """Seconds until a write is answered: a node that has much to save waits for a checkpoint first."""
    begun = time.monotonic()
    with Resp(node) as client:
        client.socket.settimeout(4 * harness.PATIENCE)
        client.ask(b"SET", b"ready", b"yes")
    return time.monotonic() - begun


def one_cut(disk, node, peer, round_, dice, kept, within):
    """Writes, cuts, starts again; the Loss."""
    waited = first_write(node)
    writers = [Writer(node, b"%d-%d" % (round_, i)) for i in range(CONNECTIONS)]
    check(write_for(writers, within + dice.uniform(1, 3)), f"the node ended before its power was cut\n{node.log_tail()}")
    cut = disk.cut()
    write_for(writers, 0.05)  # it goes on until the disk says no
    node.kill()
    drain(writers)
    peer_has = []
    if peer:
        eventually(lambda: harness.count_up(peer) == 0, "the peer misses the node")
        peer_has = [survived(peer, writer) for writer in writers]
    disk.power_on()
    node.start()
    if peer:
        eventually(lambda: harness.count_up(node) == 1, "the node has its peer again")
        node.wait_converged()
    counts = [survived(node, writer) for writer in writers]
    for writer, count in zip(writers, counts, strict=True):
        promised = writer.answered_before(cut - within)
        check(count >= promised, f"{writer.name}: {promised} commands were answered {within} s before the cut, "
                                 f"{count} survived, of {writer.answered}")  # fmt: skip
    for writer, count, there in zip(writers, counts, peer_has, strict=bool(peer)):
        check(count >= there, f"{writer.name}: the peer had {there} commands, {count} came back")
    check_older(node, kept, dice)
    kept += zip(writers, counts, strict=True)
    if peer:
        check_equal(node.digest(), peer.digest(), "digests of the node that lost its power and of its peer")
    return Loss(writers, counts, cut, waited)


def cut_power(lab, cuts, seed, with_peer=False, within=PROMISED_SECONDS, say=lambda line: None):
    """A sentence about what was lost."""
    dice = random.Random(seed)
    disk = LoopDisk(lab, "disk", 4096)
    node = lab.prepare("a", *FLAGS, data=disk.path / "data")
    node.start()
    peer = lab.node("b", *FLAGS, join=[node]) if with_peer else None
    losses, kept = [], []
    for round_ in range(cuts):
        loss = one_cut(disk, node, peer, round_, dice, kept, within)
        losses.append(loss)
        say(f"cut {round_ + 1}: {loss.answered} answered, {loss.lost} lost, of the last {loss.window * 1000:.0f} ms; "
            f"the first write took {loss.waited * 1000:.0f} ms")
    windows = sorted(loss.window * 1000 for loss in losses)
    return (
        f"{cuts} cuts{' with a peer' if with_peer else ''} (seed {seed}): "
        f"{sum(loss.answered for loss in losses)} commands answered, {sum(loss.lost for loss in losses)} lost; "
        f"loss window {windows[0]:.0f} / {statistics.median(windows):.0f} / {windows[-1]:.0f} ms (least, median, most)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=20, help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    options = parser.parse_args()
    failed = 0
    for with_peer in (False, True):
        try:
            with harness.Lab() as lab:
                print(cut_power(lab, options.cuts, options.seed, with_peer, say=lambda line: print("  " + line, flush=True)))
        except harness.Skip as reason:
            sys.exit(f"cannot run here: {reason}")
        except Exception as error:  # noqa: BLE001: the other kind still runs
            print(f"FAIL (seed {options.seed}): {error}\n" + "\n".join(getattr(error, "__notes__", [])))
            failed += 1
    print(f"{2 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
