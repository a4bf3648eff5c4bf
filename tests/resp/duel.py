"""Sends the same commands to two servers and finds the first reply that differs.

Commands travel in batches. One that the servers answer at will stops the batch: iterations are followed to their end on
each side, and what SPOP took on one side is taken on the other too, so that both hold the same afterwards.
"""

import collections
import time

from compare import Judge, pairs, parts, same_scan
from resp_client import OK, QUEUED, Closed, Connection, Silence, is_error, is_nil

Step = collections.namedtuple("Step", "connection command")
# script: the steps since both sides were empty, the last is the one that differs.
# origin: the step that was being played, which is not always the last of the script.
Difference = collections.namedtuple("Difference", "script protocol one other what origin")

PAUSE = -1  # as a step's connection: nothing is sent for as many seconds as the command says
BATCH = 50
LONGEST_ITERATION = 5000
_ITERATIONS = {b"scan": 1, b"sscan": 2, b"hscan": 2, b"zscan": 2}  # where the cursor stands
_FLOAT_SUMS = {b"incrbyfloat", b"hincrbyfloat", b"zincrby", b"zadd"}


class Differs(Exception):
    def __init__(self, step, one, other, what="reply", origin=None):
        self.step, self.one, self.other, self.what, self.origin = step, one, other, what, origin or step


def witness_of(command):
    """What shows everything that a random reply may be drawn from; None if the reply is not random."""
    name = command[0].lower()
    if name == b"randomkey":
        return (b"KEYS", b"*")
    if len(command) < 2:
        return None
    return {
        b"spop": (b"SMEMBERS", command[1]),
        b"srandmember": (b"SMEMBERS", command[1]),
        b"hrandfield": (b"HGETALL", command[1]),
        b"zrandmember": (b"ZRANGE", command[1], b"0", b"-1", b"WITHSCORES"),
    }.get(name)


def pool_from(command, witnessed):
    drawn = parts(witnessed) or []
    if command[0].lower() in (b"hrandfield", b"zrandmember"):
        drawn = pairs(drawn)
        if len(command) < 4:
            drawn = [pair[0] for pair in drawn]
    return drawn


def _read(side, count):
    replies = [side.read() for _ in range(count)]
    return replies[0] if len(replies) == 1 else replies


class Wire:
    """The two connections behind one connection number, and what is known of their transaction."""

    def __init__(self, addresses, protocol, disturb):
        self.sides = [Connection(address, protocol) for address in addresses]
        if disturb:
            self.sides[1] = disturb(self.sides[1])
        self.silence = Silence()
        self.sent_multi = False  # what is sent now will be queued
        self.queued = None  # what the replies said was queued

    def exchange(self, commands):
        """Pairs of replies, in the order of the commands."""
        self.sides[0].send(commands)
        end = None
        try:
            self.sides[1].send(commands)
        except OSError as error:
            end = Closed(f"cannot send: {error}")
        counts = [self.silence.replies_to(command) for command in commands]
        ones = [_read(self.sides[0], count) for count in counts]
        return iter(list(zip(ones, self._others(counts, end), strict=True)))

    def ended(self):
        """What each side does next: the end of the connection, or a reply that nobody expects."""
        ends = []
        for side in self.sides:
            try:
                ends.append(side.read())
            except Closed:
                ends.append("the connection ended")
        return ends

    def _others(self, counts, end):
        """Once the other side is gone, that is its answer to everything."""
        for count in counts:
            if end is None:
                try:
                    yield _read(self.sides[1], count)
                    continue
                except Closed as error:
                    end = error
            yield end

    def close(self):
        for side in self.sides:
            side.close()


class Duel:
    def __init__(self, table, addresses, disturb=None):
        self.table, self.addresses, self.disturb = table, addresses, disturb
        self.judge = Judge(table)
        self.wires = {}
        self.protocol = 2

    def close(self):
        for wire in self.wires.values():
            wire.close()
        self.wires = {}

    def reset(self, protocol):
        """Both sides are empty, and all connections are new."""
        self.close()
        self.protocol = protocol
        for number, reply in enumerate(next(self._wire(0).exchange([(b"FLUSHALL",)]))):
            if reply != OK:
                raise Closed(f"{self.addresses[number]} answers FLUSHALL with {reply!r}")

    def _wire(self, number):
        if number not in self.wires:
            self.wires[number] = Wire(self.addresses, self.protocol, self.disturb)
        return self.wires[number]

    def play(self, steps, seen=lambda command, reply: None):
        """The first difference, or None. seen: is told each command that ran and how Redis answered."""
        self._script, self._seen = [], seen
        try:
            self._play(steps)
        except Differs as found:
            script = [*self._script, found.step]
            return Difference(script, self.protocol, found.one, found.other, found.what, found.origin)
        return None

    def _play(self, steps):
        batch, current = [], 0  # of (step, its witness or None)
        for step in steps:
            if step.connection == PAUSE:
                if batch:
                    self._exchange(current, batch)
                batch = []
                time.sleep(float(step.command[0]))
                self._script.append(step)
                continue
            wire = self._wire(step.connection)
            alone = not wire.sent_multi and self._needs_to_be_alone(step.command)
            if batch and (alone or step.connection != current or len(batch) >= BATCH):
                self._exchange(current, batch)
                batch = []
            current = step.connection
            if alone:
                alone(step)
                continue
            batch.append((step, None if wire.sent_multi else witness_of(step.command)))
            self._follow(wire, step.command)
        if batch:
            self._exchange(current, batch)

    @staticmethod
    def _follow(wire, command):
        name = command[0].upper()
        if len(command) == 1 and name == b"MULTI":
            wire.sent_multi = True
        elif len(command) == 1 and name in (b"EXEC", b"DISCARD"):
            wire.sent_multi = False

    def _needs_to_be_alone(self, command):
        name = command[0].lower()
        if name == b"quit":
            return self._quit
        if name == b"spop" and len(command) > 1:
            return self._pop
        if name in _ITERATIONS and len(command) > _ITERATIONS[name] and command[_ITERATIONS[name]] == b"0":
            return self._iterate
        if name in _FLOAT_SUMS and (name != b"zadd" or b"INCR" in map(bytes.upper, command)):
            return self._add_float
        return None

    def _exchange(self, number, batch):
        wire = self._wire(number)
        commands = []
        for step, witness in batch:
            if witness:
                commands.append(witness)
            commands.append(step.command)
        replies = wire.exchange(commands)
        for step, witness in batch:
            pools = None
            if witness:
                one, other = next(replies)
                self._compare(wire, Step(number, witness), one, other, origin=step)
                pools = pool_from(step.command, one), pool_from(step.command, other)
            one, other = next(replies)
            self._compare(wire, step, one, other, pools)
            self._script.append(step)

    def _compare(self, wire, step, one, other, pools=None, origin=None):
        command = step.command
        queued = wire.queued or ()
        if not self.judge.alike(command, one, other, pools, queued):
            raise Differs(step, one, other, origin=origin)
        if one == QUEUED:
            wire.queued.append(command)
            return
        self._seen(command, one)
        name = command[0].upper()
        if name == b"MULTI" and one == OK:
            wire.queued = []
        elif name in (b"EXEC", b"DISCARD") and len(command) == 1:
            if type(one) is list:
                for inner in zip(queued, one, strict=True):
                    self._seen(*inner)
            wire.queued = None

    # -- what is answered at will --

    def _iterate(self, step):
        wire, at = self._wire(step.connection), _ITERATIONS[step.command[0].lower()]
        found, errors = [], []
        for side in wire.sides:
            elements, cursor = [], b"0"
            for _ in range(LONGEST_ITERATION):
                try:
                    reply = side.ask(*step.command[:at], cursor, *step.command[at + 1 :])
                except (Closed, OSError) as end:
                    reply = end
                well_formed = type(reply) is list and len(reply) == 2 and type(reply[0]) is bytes and type(reply[1]) is list
                if not well_formed:
                    errors.append(reply)
                    break
                elements += reply[1]
                cursor = reply[0]
                if cursor == b"0":
                    break
            else:
                raise Differs(step, LONGEST_ITERATION, elements[:100], f"{side.address}: the iteration does not end")
            found.append(elements)
        if errors:
            if len(errors) != 2 or errors[0] != errors[1] or not is_error(errors[0]):
                raise Differs(step, *(errors if len(errors) == 2 else [*found, errors[0]][-2:]))
        elif not same_scan(step.command, *found):
            raise Differs(step, *map(sorted, found), what="what the whole iteration found")
        self._seen(step.command, errors[0] if errors else found[0])
        self._script.append(step)

    def _quit(self, step):
        """Both answer, and both end the connection; whoever comes next under its number has a new one."""
        wire = self.wires[step.connection]
        ((one, other),) = wire.exchange([step.command])
        self._compare(wire, step, one, other)
        one, other = wire.ended()
        if one != other:
            raise Differs(step, one, other, what="what comes after the reply")
        wire.close()
        del self.wires[step.connection]
        self._script.append(step)

    def _pop(self, step):
        wire, key = self._wire(step.connection), step.command[1]
        witness = (b"SMEMBERS", key)
        (before_one, before_other), (one, other) = wire.exchange([witness, step.command])
        self._compare(wire, Step(step.connection, witness), before_one, before_other, origin=step)
        pools = pool_from(step.command, before_one), pool_from(step.command, before_other)
        self._compare(wire, step, one, other, pools)
        popped_one, popped_other = self._popped(one), self._popped(other)
        back, away = popped_other - popped_one, popped_one - popped_other
        if back:  # first, so that the set is never empty and stays the same one
            wire.sides[1].ask(b"SADD", key, *sorted(back))
            wire.sides[1].ask(b"SREM", key, *sorted(away))
        # Once more it would take others, so a replay takes these.
        if popped_one:
            self._script.append(Step(step.connection, (b"SREM", key, *sorted(popped_one))))

    @staticmethod
    def _popped(reply):
        if is_nil(reply) or is_error(reply):
            return set()
        return {reply} if type(reply) is bytes else set(parts(reply))

    def _add_float(self, step):
        """Where the last digits of the sum differ, the other side gets ours: the reply may be 2 ulp off, the state not."""
        wire, command = self._wire(step.connection), step.command
        ((one, other),) = wire.exchange([command])
        self._compare(wire, step, one, other)
        if one != other:
            text = one if type(one) is bytes else one[1]
            name, key = command[0].lower(), command[1]
            side = wire.sides[1]
            if name == b"incrbyfloat":
                side.ask(b"SET", key, text, b"KEEPTTL")
            elif name == b"hincrbyfloat":
                side.ask(b"HSET", key, command[2], text)
            else:
                side.ask(b"ZADD", key, text, command[-1])
        self._script.append(step)
