"""A small client of Redis's protocol, version 2 or 3: pipelines of commands, replies as Python values.

A reply keeps its type, so that `==` tells apart what a client could tell apart:

    bulk string  bytes            nil           None
    integer      int              anything else a tuple that begins with its type byte:
    array        list             (b"+", text), (b"-", text), (b",", text), (b"#", text), (b"*", None) for the array that
                                  is nil, (b"%", flat list), (b"~", list), (b">", list), (b"=", bytes), (b"(", text)
"""

import socket

PATIENCE = 30  # seconds
NIL_ARRAY = (b"*", None)
QUEUED = (b"+", b"QUEUED")
OK = (b"+", b"OK")


class Closed(Exception):
    """The server ended the connection, or says nothing, or not the protocol."""


def encoded(command):
    parts = [b"*%d\r\n" % len(command)]
    for word in command:
        parts.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(parts)


def replies_to(command):
    """How many there are: SUBSCRIBE and its like are answered once for each channel."""
    return max(1, len(command) - 1) if command[0].lower().endswith(b"subscribe") else 1


class Silence:
    """Of one connection, by CLIENT REPLY: how many replies there are to what is sent next."""

    def __init__(self):
        self.silent = None  # or "OFF", or "SKIP": the next one

    def replies_to(self, command):
        words = [word.upper() for word in command]
        before = self.silent
        if words[:2] == [b"CLIENT", b"REPLY"] and len(words) == 3 and words[2] in (b"ON", b"OFF", b"SKIP"):
            self.silent = {b"ON": None, b"OFF": "OFF", b"SKIP": before or "SKIP"}[words[2]]
            return 1 if words[2] == b"ON" else 0
        if before == "SKIP":
            self.silent = None
        return 0 if before else replies_to(command)


def is_error(reply):
    return type(reply) is tuple and reply[0] == b"-"


def is_nil(reply):
    return reply is None or reply == NIL_ARRAY


_KINDS = {b"%": "map", b"~": "set", b">": "push", b"=": "verbatim", b",": "double", b"(": "big number", b"#": "boolean"}


def kind_of(reply):
    """In a few words, for counting."""
    if is_nil(reply):
        return "nil"
    if type(reply) is tuple and reply[0] in b"+-":
        return shown(reply).split("'")[0][:60].strip()
    if type(reply) is tuple:
        return _KINDS[reply[0]]
    return {int: "integer", bytes: "bulk", list: "array"}.get(type(reply), str(reply))


class Connection:
    def __init__(self, address, protocol):
        self.address, self.protocol = address, protocol
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes, self.at = b"", 0
        if protocol == 3:
            greeting = self.ask(b"HELLO", b"3")
            if is_error(greeting):
                raise Closed(f"{address} refused HELLO 3: {greeting[1].decode(errors='replace')}")

    def close(self):
        self.socket.close()

    def send(self, commands):
        self.socket.sendall(b"".join(map(encoded, commands)))

    def ask(self, *command):
        self.send([command])
        return self.read()

    def read(self):
        """One reply."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._blob(size)
        if kind == b":":
            return int(rest)
        if kind in b"+-,#(":
            return (kind, rest)
        if kind == b"*":
            count = int(rest)
            return NIL_ARRAY if count < 0 else [self.read() for _ in range(count)]
        if kind == b"_":
            return None
        if kind == b"%":
            return (kind, [self.read() for _ in range(2 * int(rest))])
        if kind in b"~>":
            return (kind, [self.read() for _ in range(int(rest))])
        if kind == b"=":
            return (kind, self._blob(int(rest)))
        raise Closed(f"{self.address} sent a line that is no reply: {line[:100]!r}")

    def _line(self):
        while True:
            end = self.bytes.find(b"\r\n", self.at)
            if end >= 0:
                line = self.bytes[self.at : end]
                self.at = end + 2
                if not line:
                    raise Closed(f"{self.address} sent an empty line")
                return line
            self._receive()

    def _blob(self, size):
        end = self.at + size
        while len(self.bytes) < end + 2:
            self._receive()
            end = self.at + size
        blob = self.bytes[self.at : end]
        if self.bytes[end : end + 2] != b"\r\n":
            raise Closed(f"{self.address} sent a string of another length than it said: {blob[:100]!r}")
        self.at = end + 2
        return blob

    def _receive(self):
        try:
            more = self.socket.recv(1 << 18)
        except OSError as error:
            raise Closed(f"{self.address}: {error}") from None
        if not more:
            raise Closed(f"{self.address} closed the connection")
        self.bytes, self.at = self.bytes[self.at :] + more, 0


def shown(reply, indent=""):
    """A reply for people, with types."""
    if reply is None:
        return "(nil)"
    if type(reply) is int:
        return f"(integer) {reply}"
    if type(reply) is bytes:
        return quoted(reply)
    if isinstance(reply, Exception):
        return f"({reply})"
    if type(reply) is list:
        return _parts("array", reply, indent)
    kind, value = reply
    if reply == NIL_ARRAY:
        return "(nil array)"
    if kind in b"+-":
        return ("(error) " if kind == b"-" else "(status) ") + value.decode(errors="backslashreplace")
    if kind == b"=":
        return "(verbatim) " + quoted(value)
    if kind in b",(#":
        return {b",": "(double) ", b"(": "(big number) ", b"#": "(boolean) "}[kind] + value.decode(errors="backslashreplace")
    return _parts({b"%": "map", b"~": "set", b">": "push"}[kind], value, indent)


def _parts(kind, parts, indent):
    if not parts:
        return f"(empty {kind})"
    deeper = indent + "   "
    return f"({kind} of {len(parts)})" + "".join(f"\n{deeper}{shown(part, deeper)}" for part in parts)


_ESCAPES = {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", ord('"'): '\\"', ord("\\"): "\\\\"}


def quoted(word):
    """As redis-cli reads it."""
    return '"' + "".join(_ESCAPES.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in word) + '"'


def as_cli(command):
    plain = lambda word: word and all(chr(b).isalnum() and b < 128 or b in b"-+._:(|" for b in word)  # noqa: E731
    return " ".join(word.decode() if plain(word) else quoted(word) for word in command)
