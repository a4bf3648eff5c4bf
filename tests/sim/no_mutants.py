#!/usr/bin/env python3
"""Planted mistakes exist in sim_mutants and nowhere else.

usage: no_mutants.py REPOSITORY PROGRAM...

Every mistake named in tests/sim/mutants.cc is planted somewhere in shipping code, every planted one is named there,
and no name is among the bytes of the programs, which are release builds.
"""
import pathlib
import re
import sys

SHIPPING = ("crdt", "storage", "wire", "server")


def planted(root):
    names = set()
    for folder in SHIPPING:
        for path in (root / folder).rglob("*"):
            if path.suffix in (".h", ".cc"):
                names.update(re.findall(r'\bmutant\("(\w+)"\)', path.read_text()))
    return names


def main():
    root = pathlib.Path(sys.argv[1])
    listed = set(re.findall(r'\bMutant\{\s*"(\w+)"', (root / "tests/sim/mutants.cc").read_text()))
    problems = [f"{name} is planted and not hunted: name it in tests/sim/mutants.cc" for name in planted(root) - listed]
    problems += [f"{name} is hunted and not planted" for name in listed - planted(root)]
    for program in sys.argv[2:]:
        content = pathlib.Path(program).read_bytes()
        problems += [f"{program} contains the mutant {name}" for name in sorted(listed) if name.encode() in content]
    for problem in problems:
        print(problem)
    print(f"{len(listed)} mutants, {len(problems)} problems")
    return 1 if problems or not listed or len(sys.argv) < 3 else 0


sys.exit(main())
