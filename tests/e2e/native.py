"""A client of the native protocol that shares no code with ours: docs/client-protocol.md and wire/client.capnp, by hand.

It speaks what the scenarios need: requests with op ids and session tokens, and raw bytes for hostile ones.
"""

import ctypes
import socket
import struct

CODES = {
    "get": 1, "set": 2, "incr": 3, "del": 10, "exists": 11, "type": 12, "expire": 13, "set-add": 20, "set-rem": 21, "set-has": 22,
    "set-members": 23, "set-size": 24, "hset": 30, "hget": 31, "hdel": 32, "hgetall": 33, "hincr": 34,
    "hash-size": 35, "zset-add": 55, "scan": 60, "status": 80,
}
NAMES_OF_ERRORS = {
    1: "bad_request", 2: "wrong_type", 3: "not_a_number", 4: "overflow", 5: "too_large", 6: "behind", 7: "not_ready",
    8: "no_space", 9: "busy", 10: "refused", 11: "storage", 12: "timeout", 13: "unsupported",
}

_xxhash = ctypes.CDLL("libxxhash.so.0")
_xxhash.XXH3_64bits.restype = ctypes.c_uint64
_xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def frame(body):
    checksum = _xxhash.XXH3_64bits(body, len(body)) & 0xFFFFFFFF
    return struct.pack("<II", len(body), checksum) + body


# ---------------------------------------------------------------- Cap'n Proto, one segment


class Builder:
    """Words of one segment. Objects are appended; the pointer to each is filled in where it belongs."""

    def __init__(self):
        self.words = bytearray(8)  # the root pointer

    def allocate(self, words):
        at = len(self.words) // 8
        self.words += bytes(8 * words)
        return at

    def put(self, form, byte, value):
        struct.pack_into("<" + form, self.words, byte, value)

    def struct(self, pointer_at, data_words, pointers):
        """Returns (byte offset of its data, word index of its first pointer)."""
        at = self.allocate(data_words + pointers)
        offset = at - pointer_at - 1
        self.put("Q", 8 * pointer_at, (offset & 0x3FFFFFFF) << 2 | data_words << 32 | pointers << 48)
        return 8 * at, at + data_words

    def data(self, pointer_at, content):
        at = self.allocate((len(content) + 7) // 8)
        self.words[8 * at : 8 * at + len(content)] = content
        self.put("Q", 8 * pointer_at, ((at - pointer_at - 1) & 0x3FFFFFFF) << 2 | 1 | 2 << 32 | len(content) << 35)

    def text(self, pointer_at, text):
        self.data(pointer_at, text.encode() + b"\0")

    def datas(self, pointer_at, items):
        at = self.allocate(len(items))
        self.put("Q", 8 * pointer_at, ((at - pointer_at - 1) & 0x3FFFFFFF) << 2 | 1 | 6 << 32 | len(items) << 35)
        for i, item in enumerate(items):
            self.data(at + i, item)

    def structs(self, pointer_at, count, data_words, pointers):
        """A composite list; returns the word index of its first element."""
        size = data_words + pointers
        at = self.allocate(1 + count * size)
        self.put("Q", 8 * pointer_at, ((at - pointer_at - 1) & 0x3FFFFFFF) << 2 | 1 | 7 << 32 | count * size << 35)
        self.put("Q", 8 * at, count << 2 | data_words << 32 | pointers << 48)
        return at + 1

    def body(self):
        return struct.pack("<II", 0, len(self.words) // 8) + bytes(self.words)


class Reader:
    def __init__(self, body):
        self.words = body[8:]

    def get(self, form, byte):
        return struct.unpack_from("<" + form, self.words, byte)[0]

    def struct(self, pointer_at):
        """(byte offset of data, word index of pointers), or None for a null pointer."""
        pointer = self.get("Q", 8 * pointer_at)
        if pointer == 0:
            return None
        at = pointer_at + 1 + self.offset(pointer)
        return 8 * at, at + (pointer >> 32 & 0xFFFF)

    @staticmethod
    def offset(pointer):
        offset = pointer >> 2 & 0x3FFFFFFF
        return offset - (1 << 30) if offset & 1 << 29 else offset

    def list(self, pointer_at):
        """(first word, count of elements, words of one element or None for bytes and pointers)"""
        pointer = self.get("Q", 8 * pointer_at)
        if pointer == 0:
            return 0, 0, None
        at = pointer_at + 1 + self.offset(pointer)
        if pointer >> 32 & 7 == 7:
            tag = self.get("Q", 8 * at)
            return at + 1, tag >> 2 & 0x3FFFFFFF, (tag >> 32 & 0xFFFF, tag >> 48)
        return at, pointer >> 35, None

    def data(self, pointer_at):
        at, size, _ = self.list(pointer_at)
        return bytes(self.words[8 * at : 8 * at + size])

    def datas(self, pointer_at):
        at, count, _ = self.list(pointer_at)
        return [self.data(at + i) for i in range(count)]


# ---------------------------------------------------------------- messages


def client_hello(protocol=0, name="e2e"):
    builder = Builder()
    data, pointers = builder.struct(0, 1, 1)
    builder.put("H", data, 0)
    hello, texts = builder.struct(pointers, 1, 1)
    builder.put("I", hello, protocol)
    builder.text(texts, name)
    return builder.body()


def request(request_id, commands, op_id=None, token=b"", deadline_ms=0):
    """commands: (verb, key, args, number)"""
    builder = Builder()
    data, pointers = builder.struct(0, 1, 1)
    builder.put("H", data, 2)
    fields, parts = builder.struct(pointers, 2, 3)
    builder.put("Q", fields, request_id)
    builder.put("I", fields + 8, deadline_ms)
    if token:
        builder.data(parts, token)
    if op_id:
        ids, _ = builder.struct(parts + 1, 2, 0)
        builder.put("Q", ids, op_id[0])
        builder.put("Q", ids + 8, op_id[1])
    first = builder.structs(parts + 2, len(commands), 2, 2)
    for i, (verb, key, args, number) in enumerate(commands):
        at = first + 4 * i
        builder.put("H", 8 * at, CODES[verb])
        builder.put("q", 8 * at + 8, number)
        builder.data(at + 2, key)
        if args:
            builder.datas(at + 3, args)
    return builder.body()


class NodeError(Exception):
    """A refusal: `code` is the name of the error code."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Answer:
    def __init__(self, reader):
        fields, parts = reader.struct(reader.struct(0)[1])
        self.id = reader.get("Q", fields)
        self.repeated = bool(reader.get("B", fields + 8) & 1)
        self.token = reader.data(parts)
        self.results = []
        first, count, size = reader.list(parts + 1)
        for i in range(count):
            at = first + i * sum(size)
            self.results.append(self._result(reader, 8 * at, at + size[0]))

    @staticmethod
    def _result(reader, data, pointers):
        kind = reader.get("H", data)
        if kind == 5:
            error, texts = reader.struct(pointers)
            message = reader.data(texts).rstrip(b"\0").decode()
            return NodeError(NAMES_OF_ERRORS.get(reader.get("H", error), "?"), message)
        return {
            0: lambda: None,
            1: lambda: "ok",
            2: lambda: reader.get("q", data + 8),
            3: lambda: reader.data(pointers),
            4: lambda: reader.datas(pointers),
        }[kind]()


class Connection:
    """One client connection, one request at a time. OSError when it breaks, NodeError for a refusal."""

    def __init__(self, address, timeout=10):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.socket.sendall(frame(client_hello()))
        self.last_id = 0
        self.receive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def exactly(self, size):
        parts = bytearray()
        while len(parts) < size:
            part = self.socket.recv(min(size - len(parts), 1 << 20))
            if not part:
                raise ConnectionResetError("closed by the node")
            parts += part
        return bytes(parts)

    def receive(self):
        size, checksum = struct.unpack("<II", self.exactly(8))
        body = self.exactly(size)
        assert frame(body)[4:8] == struct.pack("<I", checksum), "the node sent a frame with a wrong checksum"
        return Reader(body)

    def ask(self, *commands, **options):
        """The whole Answer; raises the first refusal in it."""
        self.last_id += 1
        self.socket.sendall(frame(request(self.last_id, commands, **options)))
        answer = Answer(self.receive())
        assert answer.id == self.last_id, f"answer {answer.id} for request {self.last_id}"
        for result in answer.results:
            if isinstance(result, NodeError):
                raise result
        return answer

    def call(self, verb, key, *args, number=0, **options):
        """The result of one command."""
        return self.ask((verb, key, list(args), number), **options).results[0]
