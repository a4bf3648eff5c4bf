"""Mistakes planted in the second side, to prove that the differential test would find them: between it and the tester,
commands or replies are changed.
"""

import math

from resp_client import Closed, Silence, is_error


def _on_reply(names, change):
    return lambda command: command, lambda command, reply: change(reply) if command[0].upper() in names else reply


def _on_command(names, change):
    return lambda command: change(command) if command[0].upper() in names else command, lambda command, reply: reply


def _off_by_ulps(reply):
    text = reply[1] if type(reply) is tuple else reply
    if type(text) is not bytes or not text.strip(b"-").replace(b".", b"").isdigit() or b"." not in text:
        return reply
    value = float(text)
    text = repr(value + 3 * math.ulp(value)).encode()
    return (b",", text) if type(reply) is tuple else text


def _without_one(reply):
    """Of a list or set."""
    if type(reply) is list:
        return reply[1:]
    return (reply[0], reply[1][1:]) if type(reply) is tuple and reply[0] == b"~" else reply


def _scan_without_one(reply):
    return [reply[0], reply[1][2:]] if type(reply) is list else reply


def _end(_reply):
    raise Closed("the connection ended")


FAULTS = {
    # a reply of another type, value, order or wording
    "reply-type": _on_reply({b"SETNX", b"RENAMENX"}, lambda reply: (b"+", b"OK") if reply == 1 else reply),
    "reply-value": _on_reply({b"ZRANK"}, lambda reply: reply + 1 if type(reply) is int and reply > 2 else reply),
    "reply-order": _on_reply({b"ZREVRANGE"}, lambda reply: reply[::-1] if type(reply) is list else reply),
    "reply-nil": _on_reply({b"HGET"}, lambda reply: b"" if reply is None else reply),
    "error-text": _on_reply({b"APPEND"}, lambda reply: (b"-", b"ERR wrong type") if is_error(reply) else reply),
    # what may differ within limits, beyond them
    "float-ulps": _on_reply({b"ZSCORE", b"INCRBYFLOAT"}, _off_by_ulps),
    "float-notation": _on_reply({b"ZINCRBY"}, lambda reply: reply + b".0" if type(reply) is bytes and reply.isdigit() else
                                (b",", reply[1] + b".0") if type(reply) is tuple and reply[1].isdigit() else reply),
    "set-member": _on_reply({b"SMEMBERS", b"SUNION"}, _without_one),
    "random-stranger": _on_reply({b"SRANDMEMBER"}, lambda reply: b"stranger" if type(reply) is bytes else reply),
    "random-count": _on_reply({b"HRANDFIELD"}, _without_one),
    "scan-hole": _on_reply({b"HSCAN"}, _scan_without_one),
    "ttl-drift": _on_reply({b"PTTL"}, lambda reply: reply + 2000 if type(reply) is int and reply > 0 else reply),
    # another state, seen only later
    "state-offset": _on_command({b"SETRANGE"}, lambda c: (*c[:2], b"6", c[3]) if len(c) == 4 and c[2] == b"5" else c),
    "state-ttl": _on_command({b"SET"}, lambda c: tuple(word for word in c if word.upper() != b"KEEPTTL")),
    "state-lost-delete": _on_command({b"HDEL"}, lambda c: (*c[:2], b"no such field") if len(c) == 4 else c),
    "state-pop": _on_command({b"ZPOPMAX"}, lambda c: (b"ZPOPMIN", *c[1:])),
    "connection-ends": _on_reply({b"GETDEL"}, _end),
    "multi-watch": _on_command({b"WATCH"}, lambda c: (c[0], b"unwatched")),
}


class Disturbed:
    """A connection to the second side with a fault in between."""

    def __init__(self, connection, fault):
        self.connection, self.address = connection, connection.address
        self.change_command, self.change_reply = FAULTS[fault]
        self.silence, self.waiting = Silence(), []

    def send(self, commands):
        self.waiting += [command for command in commands for _ in range(self.silence.replies_to(command))]
        self.connection.send([self.change_command(command) for command in commands])

    def read(self):
        reply = self.connection.read()
        return self.change_reply(self.waiting.pop(0), reply) if self.waiting else reply  # else nobody asked

    def ask(self, *command):
        self.send([command])
        return self.read()

    def close(self):
        self.connection.close()
