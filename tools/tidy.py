#!/usr/bin/env python3
"""Runs clang-tidy-19 on the given files, in parallel. A header is checked through the sources that include it directly.

With --newest N at most N sources are checked: the files' order decides, and a header is content with one source that
includes it. The last line then says how many sources are left out.
Otherwise quiet unless there is something to say. Files outside the compilation database (build-tidy) are skipped.

usage: tidy.py [--newest N] FILE...
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys

DATABASE = "build-tidy/compile_commands.json"


def compiled_sources():
    with open(DATABASE) as file:
        sources = {os.path.relpath(entry["file"]) for entry in json.load(file)}
    return sorted(source for source in sources if not source.startswith("build") and os.path.exists(source))


def includes(source):
    with open(source, errors="replace") as file:
        return set(re.findall(r'^\s*#include "([^"]+)"', file.read(), re.M))


def sources_to_check(files):
    """For each file in turn, the sources that show its findings: itself, or those that include it, a header's own first."""
    known = {source: includes(source) for source in compiled_sources()}
    choices = []
    for file in files:
        sources = [source for source, included in known.items() if file == source or file in included]
        own = os.path.splitext(file)[0] + ".cc"
        choices.append(sorted(sources, key=lambda source, own=own: source != own))
    return choices


def newest(choices, most):
    """At most so many sources, one for each file in turn as long as there is room."""
    chosen = set()
    for sources in choices:
        if sources and len(chosen) < most and chosen.isdisjoint(sources):
            chosen.add(sources[0])
    return chosen


def tidy(source):
    done = subprocess.run(["clang-tidy-19", "-p", "build-tidy", "--quiet", source], capture_output=True, text=True)
    return source, done.returncode, done.stdout, done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--newest", type=int)
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    choices = sources_to_check(args.files)
    every = {source for sources in choices for source in sources}
    sources = every if args.newest is None else newest(choices, args.newest)
    failed = 0
    jobs = int(os.environ.get("JOBS", os.cpu_count() or 1))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for source, status, out, err in pool.map(tidy, sorted(sources)):
            if status != 0:
                failed += 1
                print(f"clang-tidy: {source}\n{out}{err if not out else ''}")
    if args.newest is not None:
        print(f"clang-tidy: checked {len(sources)} sources, {len(every - sources)} left to `./dev lint --all`")
    return 1 if failed else 0


sys.exit(main())
