#!/usr/bin/env python3
"""Turns the package lists that apt keeps on any Debian machine into NDJSON for `kvctl import`.

Per package one hash; sets of the packages of a section and of those that need a package; counters of
how many packages a section has and how many bytes they are. The same lists give the same bytes.
README.md beside this file shows the lines.
"""

import argparse
import collections
import glob
import gzip
import itertools
import json
import lzma
import re
import signal
import subprocess
import sys

BLOCK = 1000  # packages whose set members and counter increments share lines
FIELDS = {  # of a package's hash <- in apt's list
    "version": "Version",
    "architecture": "Architecture",
    "section": "Section",
    "priority": "Priority",
    "source": "Source",
    "maintainer": "Maintainer",
    "homepage": "Homepage",
    "description": "Description",
    "size": "Size",
    "installed_kib": "Installed-Size",
    "sha256": "SHA256",
}


def fail(message):
    sys.exit(f"debian_packages.py: {message}")


def command_lines(*command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        yield from process.stdout
    if process.returncode:
        fail(f"`{' '.join(command)}` failed with exit status {process.returncode}")


def file_lines(path):
    if path.endswith(".lz4"):  # the standard library has no LZ4, apt has
        yield from command_lines("/usr/lib/apt/apt-helper", "cat-file", path)
        return
    opener = gzip.open if path.endswith(".gz") else lzma.open if path.endswith(".xz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        yield from file


def lines_of_lists(directory):
    paths = sorted(glob.glob(f"{directory}/*_Packages*"))
    if paths:
        # An empty line between two lists: the last paragraph of one may not run into the next.
        return itertools.chain.from_iterable(itertools.chain(file_lines(p), ["\n"]) for p in paths)
    try:
        return command_lines("apt-cache", "dumpavail")
    except FileNotFoundError:
        fail(f"no package lists in {directory} and no apt-cache here: this is not Debian")


def paragraphs(lines):
    """Dictionaries of field -> value; of a folded field only the first line."""
    fields = {}
    for line in lines:
        if line == "\n":
            if fields:
                yield fields
            fields = {}
        elif not line[0].isspace():
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    if fields:
        yield fields


def packages(lines, limit):
    """The packages in the order of their names. Of several versions the first that is met counts: lists are read
    in the order of their file names, in which security updates come before the release they update."""
    found = {}
    for fields in paragraphs(lines):
        if "Package" in fields:
            found.setdefault(fields["Package"], fields)
    return [found[name] for name in sorted(found)[:limit]]


def needed_names(fields):
    """What a package depends on: every alternative, each once, without versions and architectures."""
    relations = ",".join(fields[name] for name in ("Pre-Depends", "Depends") if name in fields)
    names = (re.split(r"[\s:(\[]", alternative.strip(), maxsplit=1)[0] for alternative in re.split(r"[,|]", relations))
    return list(dict.fromkeys(name for name in names if name))


def line(key, type_, value):
    return json.dumps({"db": 0, "key": key, "type": type_, "value": value}, ensure_ascii=False, separators=(",", ":"))


def block_lines(block):
    sections, needed_by, counters = (collections.defaultdict(t) for t in (list, list, int))
    for fields in block:
        name = fields["Package"]
        section = fields.get("Section", "none")
        sections[section].append(name)
        for needed in needed_names(fields):
            needed_by[needed].append(name)
        counters[f"packages:{section}"] += 1
        counters[f"bytes:{section}"] += int(fields.get("Size", 0))
        counters["packages"] += 1
        yield line(f"package:{name}", "hash", {to: fields[of] for to, of in FIELDS.items() if fields.get(of)})
    for section, names in sections.items():
        yield line(f"section:{section}", "set", names)
    for needed, names in needed_by.items():
        yield line(f"needed-by:{needed}", "set", names)
    for key, number in counters.items():
        yield line(key, "counter", number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lists", default="/var/lib/apt/lists", metavar="DIR", help="default: %(default)s")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N packages by name")
    parser.add_argument("--at-least", type=int, default=0, metavar="N", help="fail if there are fewer packages")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it quietly

    found = packages(lines_of_lists(options.lists), options.limit)
    if len(found) < max(options.at_least, 1):
        fail(f"only {len(found)} packages found; `apt-get update` fetches the lists")
    with open(options.output or sys.stdout.fileno(), "w", encoding="utf-8") as output:
        for start in range(0, len(found), BLOCK):
            for text in block_lines(found[start : start + BLOCK]):
                output.write(text + "\n")
    print(f"{len(found)} packages", file=sys.stderr)


if __name__ == "__main__":
    main()
