#!/usr/bin/env python3
"""Reads CTest's JUnit file; prints what the tests measured or skipped, then one line, 'N passed, N failed'.

A doctest executable counts as many tests as it has cases. Anything else, and an executable that died, counts as one.
Exits 1 unless something passed and nothing failed.
"""

import re
import sys
import xml.etree.ElementTree

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# What a test says beside its outcome: a doctest MESSAGE, the lines under a scenario, the differential test's totals.
MESSAGE = re.compile(r"MESSAGE: (.*)")
SCENARIO = re.compile(r"(ok  |SKIP) +[\d.]+ s  (.*)")
TOTALS = re.compile(r"\d+ commands, \d+ differences")
DOCTEST = re.compile(r"test cases:\s*\d+\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")


def output_of(case):
    return COLOURS.sub("", case.findtext("system-out") or "")


def figures(case):
    """What a CTest test measured, a line each."""
    scenario = None
    for line in output_of(case).splitlines():
        if found := SCENARIO.match(line):
            scenario = found[2]
            if found[1] == "SKIP":
                yield line
        elif scenario and line.startswith("  "):
            yield f"{scenario}: {line.strip()}"
        else:
            scenario = None
            if found := MESSAGE.search(line):
                yield found[1]
            elif TOTALS.match(line):
                yield line


def count(case):
    """(passed, failed) of one CTest test."""
    succeeded = case.get("status") == "run"
    summary = DOCTEST.search(output_of(case))
    if not summary:
        return (1, 0) if succeeded else (0, 1)
    passed, failed = int(summary[1]), int(summary[2])
    if not succeeded and failed == 0:  # the cases passed, the process did not: a leak, a crash at exit
        failed = 1
    return passed, failed


def main():
    try:
        cases = xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase")
        cases = [case for case in cases if case.get("status") != "disabled"]
        counts = [count(case) for case in cases]
        for case in cases:
            for line in figures(case):
                print(f"{case.get('name')}: {line}")
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        print(f"no test results: {error}")
        counts = [(0, 1)]
    passed, failed = sum(c[0] for c in counts), sum(c[1] for c in counts)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


sys.exit(main())
