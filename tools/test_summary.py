#!/usr/bin/env python3
"""Reads CTest's JUnit file and prints one line, 'N passed, N failed'; exits 1 unless something passed and nothing failed.

A doctest executable counts as many tests as it has cases. Anything else, and an executable that died, counts as one.
"""

import re
import sys
import xml.etree.ElementTree

DOCTEST = re.compile(r"test cases:\s*\d+\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")


def count(case):
    """(passed, failed) of one CTest test."""
    succeeded = case.get("status") == "run"
    summary = DOCTEST.search(re.sub(r"\x1b\[[0-9;]*m", "", case.findtext("system-out") or ""))
    if not summary:
        return (1, 0) if succeeded else (0, 1)
    passed, failed = int(summary[1]), int(summary[2])
    if not succeeded and failed == 0:  # the cases passed, the process did not: a leak, a crash at exit
        failed = 1
    return passed, failed


def main():
    try:
        cases = xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase")
        counts = [count(case) for case in cases if case.get("status") != "disabled"]
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        print(f"no test results: {error}")
        counts = [(0, 1)]
    passed, failed = sum(c[0] for c in counts), sum(c[1] for c in counts)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


sys.exit(main())
