#!/usr/bin/env python3
"""Lists existing files that differ from origin/main (or from HEAD~20 on main itself), the most recently changed first.

What is not committed yet, untracked files included, comes before everything else.

usage: changed_files.py [--all] GLOB...
"""

import fnmatch
import os
import subprocess
import sys


def git(*args):
    return subprocess.run(["git", *args], capture_output=True, text=True).stdout.strip()


def base_commit():
    """The commit to compare with, or None where history is too short: then every file counts as changed."""
    head = git("rev-parse", "--verify", "-q", "HEAD")
    merge_base = git("merge-base", "HEAD", "origin/main")
    if merge_base and merge_base != head:
        return merge_base
    return git("rev-parse", "--verify", "-q", "HEAD~20") or None


def newest_first(base):
    """Every file that differs from base, or every file, by the latest commit that changed it."""
    uncommitted = git("ls-files", "--others", "--exclude-standard") + "\n" + git("diff", "--name-only", "HEAD")
    committed = git("log", "--name-only", "--format=", f"{base}..HEAD" if base else "HEAD")
    # A merge's own changes and what a shallow clone does not tell are not in the log; they come last.
    differing = git("diff", "--name-only", base) if base else git("ls-files")
    relevant = {*uncommitted.split("\n"), *differing.split("\n")}
    in_order = dict.fromkeys(f"{uncommitted}\n{committed}\n{differing}".split("\n"))
    return [file for file in in_order if file in relevant]


def main():
    globs = [arg for arg in sys.argv[1:] if arg != "--all"]
    base = None if "--all" in sys.argv else base_commit()
    for file in newest_first(base):
        if os.path.isfile(file) and any(fnmatch.fnmatch(file, glob) for glob in globs):
            print(file)


main()
