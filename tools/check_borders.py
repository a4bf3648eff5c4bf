#!/usr/bin/env python3
"""Checks every #include line against the borders in docs/architecture.md. CMake targets catch what links; this catches headers.

usage: check_borders.py [ROOT]       prints file:line and the broken rule, exits 1 if there is one
       check_borders.py --self-test  plants wrong includes and proves that each is found
"""

import pathlib
import re
import sys
import tempfile

# Which of our files a folder may include. The first prefix that fits a file decides; "" is every folder of ours.
BORDERS = [
    ("crdt/", ["crdt/"]),
    ("storage/rocksdb/", ["crdt/", "storage/"]),
    ("storage/", ["crdt/", "storage/"]),
    ("wire/messages", ["crdt/", "wire/messages"]),
    ("wire/", ["crdt/", "wire/"]),
    ("server/replica/", ["crdt/", "storage/store.h", "wire/messages.h", "server/json_writer.h", "server/replica/"]),
    ("server/resp/", ["crdt/", "server/replica/", "server/resp/"]),
    ("server/", ["crdt/", "storage/", "wire/", "server/"]),
    ("client/", ["crdt/", "wire/", "client/"]),
    ("bench/", ["crdt/", "storage/", "wire/", "client/", "server/replica/", "bench/"]),
    ("tests/sim/", ["crdt/", "storage/", "wire/", "server/replica/", "server/resp/", "tests/sim/", "tests/support/"]),
    ("tests/support/", ["crdt/", "storage/", "wire/", "server/replica/", "tests/support/"]),
    ("tests/", [""]),
]
# storage/rocksdb/ is reached by its own files, by the composition root and shell, by benchmarks and by tests outside sim.
ROCKSDB_STORE_USERS = ["storage/rocksdb/", "server/node", "server/driver", "server/main", "bench/", "tests/storage/",
                       "tests/server/", "tests/e2e/"]

# Libraries with one home: (what it is, what its includes look like, who may include it).
ASIO_HOMES = ["server/net/", "server/http/", "server/node", "server/driver", "server/main", "client/", "bench/",
              "tests/server/", "tests/client/", "tests/e2e/"]
HOMES = [
    ("RocksDB", r"rocksdb/", ["storage/rocksdb/", "tests/storage/"]),
    ("Cap'n Proto", r"capnp/|kj/|.*\.capnp\.h$", ["wire/", "tests/wire/"]),
    ("Asio", r"asio(/|\.hpp$)", ASIO_HOMES),
    ("libmicrohttpd", r"microhttpd\.h$", ["server/http/", "server/net/"]),
    ("doctest and rapidcheck", r"doctest|rapidcheck", ["tests/"]),
    ("Google Benchmark", r"benchmark/", ["bench/"]),
]
# The pure part owns no thread, socket, file or terminal.
PURE = ["crdt/", "wire/", "server/replica/", "server/resp/"]
IMPURE = (r"thread$|mutex$|shared_mutex$|atomic$|condition_variable$|future$|semaphore$|fstream$|filesystem$|iostream$|random$"
          r"|sys/|netinet/|arpa/|pthread\.h$|unistd\.h$|fcntl\.h$|poll\.h$|time\.h$")
# Third-party headers that crdt/ may see; headers without a slash or suffix are the standard library's.
CRDT_MAY_SEE = r"boost/container/|xxhash\.h$|[a-z0-9_]+$|std[a-z]+\.h$"

FOLDERS = ("crdt/", "storage/", "wire/", "server/", "client/", "bench/", "tests/")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def starts(path, prefixes):
    return any(path.startswith(prefix) for prefix in prefixes)


def broken_rule(file, quoted, included):
    """The sentence to print, or None where the include is fine."""
    if quoted and not starts(included, FOLDERS):
        return "our headers are included by their path from the root"
    for library, pattern, homes in HOMES:
        if re.match(pattern, included) and not starts(file, homes):
            return f"only {', '.join(homes)} may see {library}"
    if file.startswith("wire/messages") and re.match(r"capnp/|kj/|.*\.capnp\.h$", included):
        return "the plain message structs do not see Cap'n Proto"
    if not quoted and starts(file, PURE) and re.match(IMPURE, included):
        return "the pure part owns no threads, sockets, files or clocks"
    if not quoted and file.startswith("crdt/") and not re.match(CRDT_MAY_SEE, included):
        return "crdt/ sees the standard library, boost/container and xxhash only"
    if starts(included, FOLDERS):
        allowed = next(allowed for prefix, allowed in BORDERS if file.startswith(prefix))
        if not starts(included, allowed):
            return f"may include only {', '.join(allowed)}"
        if included.startswith("storage/rocksdb/") and not starts(file, ROCKSDB_STORE_USERS):
            return f"only {', '.join(ROCKSDB_STORE_USERS)} may include storage/rocksdb/"
    return None


def violations(root):
    files = (path for folder in FOLDERS for path in sorted((root / folder).rglob("*")))
    for path in files:
        if path.suffix not in (".h", ".cc", ".capnp") or not path.is_file():
            continue
        file = path.relative_to(root).as_posix()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            include = INCLUDE.match(line)
            rule = include and broken_rule(file, include[1] == '"', include[2])
            if rule:
                yield f"{file}:{number}: {line.strip()}: {rule}"


def self_test():
    wrong = [
        ("crdt/a.h", '#include "storage/store.h"'),
        ("crdt/a.h", "#include <fmt/format.h>"),
        ("crdt/a.h", "#include <mutex>"),
        ("crdt/a.h", '#include "cell.h"'),
        ("storage/store.h", "#include <rocksdb/db.h>"),
        ("storage/memory_store.cc", '#include "storage/rocksdb/rocksdb_store.h"'),
        ("storage/memory_store.cc", '#include "server/replica/replica.h"'),
        ("wire/messages.h", "#include <capnp/message.h>"),
        ("wire/messages.h", '#include "wire/codec.h"'),
        ("server/replica/replica.cc", '#include "wire/codec.h"'),
        ("server/replica/replica.cc", '#include "storage/memory_store.h"'),
        ("server/replica/replica.cc", "#include <asio.hpp>"),
        ("server/resp/parser.cc", "#include <asio/buffer.hpp>"),
        ("server/node.cc", '#include "wire/peer.capnp.h"'),
        ("server/node.cc", '#include "client/client.h"'),
        ("client/client.h", '#include "server/config.h"'),
        ("tests/sim/world.cc", "#include <asio.hpp>"),
        ("tests/sim/world.cc", "#include <rocksdb/db.h>"),
        ("tests/sim/world.cc", '#include "storage/rocksdb/rocksdb_store.h"'),
        ("bench/main.cc", '#include "server/node.h"'),
    ]
    right = [
        ("crdt/a.h", '#include "crdt/cell.h"'),
        ("crdt/a.h", "#include <boost/container/small_vector.hpp>"),
        ("crdt/a.h", "#include <xxhash.h>"),
        ("crdt/a.h", "#include <stdint.h>"),
        ("storage/rocksdb/rocksdb_store.cc", "#include <rocksdb/db.h>"),
        ("wire/codec.cc", "#include <capnp/serialize.h>"),
        ("wire/codec.cc", '#include "wire/peer.capnp.h"'),
        ("server/replica/replica.h", '#include "wire/messages.h"'),
        ("server/net/listener.cc", "#include <asio.hpp>"),
        ("server/node.cc", '#include "storage/rocksdb/rocksdb_store.h"'),
        ("tests/sim/world.cc", '#include "storage/memory_store.h"'),
    ]
    mistakes = 0
    for planted, expected in [(case, 1) for case in wrong] + [(case, 0) for case in right]:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, planted[0])
            file.parent.mkdir(parents=True)
            file.write_text(f"#pragma once\n{planted[1]}\n")
            found = list(violations(pathlib.Path(folder)))
            if len(found) != expected:
                mistakes += 1
                print(f"{planted[0]}: {planted[1]}: expected {expected} violations, found {found}")
    print(f"check_borders self-test: {len(wrong)} wrong and {len(right)} right includes, {mistakes} mistakes")
    return 1 if mistakes else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    found = list(violations(root))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
