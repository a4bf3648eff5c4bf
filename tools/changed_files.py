#!/usr/bin/env python3
"""Lists existing files that differ from origin/main (or from HEAD~20 on main itself), untracked ones included.

usage: changed_files.py [--all] GLOB...
"""

import fnmatch
import os
import subprocess
import sys


def git(*args):
    return subprocess.run(["git", *args], capture_output=True, text=True)


def base_commit():
    """The commit to compare with, or None where history is too short: then every file counts as changed."""
    head = git("rev-parse", "--verify", "-q", "HEAD").stdout.strip()
    merge_base = git("merge-base", "HEAD", "origin/main").stdout.strip()
    if merge_base and merge_base != head:
        return merge_base
    return git("rev-parse", "--verify", "-q", "HEAD~20").stdout.strip() or None


def main():
    globs = [arg for arg in sys.argv[1:] if arg != "--all"]
    base = None if "--all" in sys.argv else base_commit()
    files = git("ls-files", "--others", "--exclude-standard").stdout.split("\n")
    if base:
        files += git("diff", "--name-only", base).stdout.split("\n")
    else:
        files += git("ls-files").stdout.split("\n")
    for file in sorted(set(files)):
        if os.path.isfile(file) and any(fnmatch.fnmatch(file, glob) for glob in globs):
            print(file)


main()
