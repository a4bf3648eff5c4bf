#!/usr/bin/env python3
"""Runs clang-tidy-19 on the given files, in parallel. A header is checked through the sources that include it directly.

Quiet unless there is something to say. Files outside the compilation database (build-tidy) are skipped.
"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys

DATABASE = "build-tidy/compile_commands.json"


def compiled_sources():
    with open(DATABASE) as file:
        return {os.path.relpath(entry["file"]) for entry in json.load(file)}


def includes(source):
    with open(source, errors="replace") as file:
        return set(re.findall(r'^\s*#include "([^"]+)"', file.read(), re.M))


def tidy(source):
    done = subprocess.run(["clang-tidy-19", "-p", "build-tidy", "--quiet", source], capture_output=True, text=True)
    return source, done.returncode, done.stdout, done.stderr


def main():
    known = compiled_sources()
    changed = set(sys.argv[1:])
    headers = {file for file in changed if file.endswith(".h")}
    sources = {file for file in known if file in changed or (os.path.exists(file) and includes(file) & headers)}
    sources = sorted(source for source in sources if not source.startswith("build"))
    failed = 0
    jobs = int(os.environ.get("JOBS", os.cpu_count() or 1))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for source, status, out, err in pool.map(tidy, sources):
            if status != 0:
                failed += 1
                print(f"clang-tidy: {source}\n{out}{err if not out else ''}")
    return 1 if failed else 0


sys.exit(main())
