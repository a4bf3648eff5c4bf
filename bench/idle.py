#!/usr/bin/env python3
"""How long a kvd with an empty directory takes to start, and what memory it has a second later: the median of five.

  bench/idle.py [--kvd build/bin/kvd] [--rounds 5]
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def one(kvd):
    """(milliseconds until the ready line, resident MB, private MB)"""
    with tempfile.TemporaryDirectory(prefix="starling-idle-") as directory:
        doors = [word for door in ("client", "peer", "resp", "http") for word in (f"--{door}", "127.0.0.1:0")]
        begin = time.monotonic()
        node = subprocess.Popen([kvd, "--data", f"{directory}/data", "--name", "idle", *doors],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            node.stdout.readline()
            ready = time.monotonic() - begin
            time.sleep(1)
            pages = pathlib.Path(f"/proc/{node.pid}/smaps_rollup").read_text()
        finally:
            node.terminate()
            node.wait()
    kilobytes = {name: int(size) for name, size in re.findall(r"^(\w+):\s+(\d+) kB", pages, re.MULTILINE)}
    return ready * 1000, kilobytes["Rss"] / 1000, kilobytes["Private_Dirty"] / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvd", default=ROOT / "build" / "bin" / "kvd")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    start, resident, private = map(statistics.median, zip(*(one(options.kvd) for _ in range(options.rounds)), strict=True))
    print(f"ready after {start:.0f} ms, {resident:.1f} MB resident, {private:.1f} MB of its own")


if __name__ == "__main__":
    main()
