#!/usr/bin/env python3
"""Compares kvd with Redis: the same random commands to both, the same replies from both.

What may differ is listed in docs/redis-compatibility.md, "How we test". A difference is shrunk to a short script for
redis-cli and printed with both replies. The last line is 'N commands, M differences'; the exit status is 1 if there are
differences or if a command or an option was not covered often enough.

  tests/resp/differential.py                            a kvd of its own from build/bin, 200,000 commands
  tests/resp/differential.py --resp 127.0.0.1:6380      a door that is open already; its data is deleted!
  tests/resp/differential.py --self-test                Redis against Redis, then with planted mistakes that must be found
"""

import argparse
import collections
import contextlib
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from command_facts import ALWAYS_AN_ERROR, FAMILIES, NEVER_COMPARED, CommandTable  # noqa: E402
from command_mix import CommandMix  # noqa: E402
from directed import SCENARIOS  # noqa: E402
from duel import Duel  # noqa: E402
from faults import FAULTS, Disturbed  # noqa: E402
from resp_client import Closed, Connection, is_error, is_nil, kind_of  # noqa: E402
from servers import Given, Kvd, Redis, harness  # noqa: E402
from shrink import as_report, shrunk  # noqa: E402

ALL_COMMANDS = 200_000
LEAST_OF_COMMAND, LEAST_OF_OPTION = 200, 20  # in a whole run
LEAST_MALFORMED = 0.05  # share of the commands that were drawn
LEAST_TELLING = 0.60  # share of replies that are neither an error nor nil


class Coverage:
    """What ran and what it answered, as Redis answered it."""

    def __init__(self, table, families, without=()):
        self.table, self.families, self.without = table, families, without
        self.total = 0
        self.outcomes = collections.Counter()  # (name, "telling", "nil" or "error")
        self.options = collections.Counter()  # (name, option)

    def saw(self, command, reply):
        self.total += 1
        name = self.table.name_of(command)
        outcome = "error" if is_error(reply) else "nil" if is_nil(reply) else "telling"
        self.outcomes[name, outcome] += 1
        if outcome != "error" or name in ALWAYS_AN_ERROR:
            for option in self.table.options_in(name, command):
                self.options[name, option] += 1

    def count(self, name):
        """How often it did something."""
        answered = ["telling", "nil"] + (["error"] if name in ALWAYS_AN_ERROR else [])
        return sum(self.outcomes[name, outcome] for outcome in answered)

    def telling(self, names=None):
        counts = collections.Counter()
        for (name, outcome), count in self.outcomes.items():
            if names is None or name in names:
                counts[outcome] += count
        return counts["telling"] / max(1, counts.total())

    def missing(self):
        """Lines on what a whole run should have covered, and did not."""
        lines = []
        for name in self.table.of_families(self.families):
            if name in self.without:
                continue
            if self.count(name) < LEAST_OF_COMMAND:
                lines.append(f"{name} ran {self.count(name)} times, not {LEAST_OF_COMMAND}")
            for option in sorted(self.table.options[name]):
                count = self.options[name, option]
                if count < LEAST_OF_OPTION:
                    lines.append(f"{name} ran {count} times with {option.decode()}, not {LEAST_OF_OPTION}")
        if self.telling() < LEAST_TELLING:
            lines.append(f"only {self.telling():.0%} of the replies said something, not {LEAST_TELLING:.0%}")
        return lines

    def print(self):
        for family in self.families:
            names = self.table.of_families([family])
            share = self.telling(set(names))
            print(f"{family}: {len(names)} commands, {share:.0%} of the replies are neither errors nor nil")
            for name in names:
                options = [f"{option.decode()} {self.options[name, option]}" for option in sorted(self.table.options[name])]
                errors = self.outcomes[name, "error"]
                print(f"  {name:18} {self.count(name):6} and {errors:5} errors  {'  '.join(options)}")


class Run:
    """One series of episodes against one pair of servers."""

    def __init__(self, table, addresses, options, fault=None):
        self.table, self.options, self.addresses = table, options, addresses
        disturb = (lambda connection: Disturbed(connection, fault)) if fault else None
        self.duel = Duel(table, addresses, disturb)
        self.coverage = Coverage(table, options.families, options.without)
        self.mix = None
        self.directed = 0  # commands of the scenarios, which do not count as covered
        self.kinds = collections.Counter()  # command and kinds of replies -> how often
        self.reports = []

    def protocols(self):
        return {"2": [2], "3": [3], "both": [2, 3]}[self.options.resp_version]

    def random_part(self, commands):
        self.mix = mix = CommandMix(self.options.seed, self.options.families, self.options.without)
        turn = 0
        while self.coverage.total < commands and not self._had_enough():
            self._episode(self.protocols()[turn % len(self.protocols())], mix.episode(), self.coverage.saw)
            turn += 1

    def missing(self):
        lines = self.coverage.missing()
        malformed = self.mix.malformed / max(1, self.mix.made)
        if malformed < LEAST_MALFORMED:
            lines.append(f"only {malformed:.1%} of the commands were malformed, not {LEAST_MALFORMED:.0%}")
        return lines

    def directed_part(self):
        for protocol in self.protocols():
            for scenario in SCENARIOS:
                steps = [s for s in scenario(self.table) if self.table.name_of(s.command) not in self.options.without]
                self._episode(protocol, steps, self._saw_directed)

    def _saw_directed(self, *_):
        self.directed += 1

    def _had_enough(self):
        return self.options.stop_after and self.kinds.total() >= self.options.stop_after

    def _episode(self, protocol, steps, saw):
        """After a difference both sides are emptied, and the rest is played."""
        while steps and not self._had_enough():
            self.duel.reset(protocol)
            difference = self.duel.play(steps, saw)
            if difference is None:
                return
            self._note(protocol, difference)
            at = next(i for i, step in enumerate(steps) if step is difference.origin)
            steps = steps[at + 1 :]

    def _note(self, protocol, difference):
        name = self.table.name_of(difference.script[-1].command).upper()
        kind = f"{name}: redis {kind_of(difference.one)}, other {kind_of(difference.other)}"
        self.kinds[kind] += 1
        if self.kinds[kind] > 1:
            return
        best, note = shrunk(difference, lambda script: self._replay(protocol, script))
        self.reports.append(best)
        if not self.options.silent:
            print(f"\n{as_report(best, self.addresses[1], note)}", flush=True)

    def _replay(self, protocol, script):
        self.duel.reset(protocol)
        return self.duel.play(script)


def main():
    options = parse_options()
    program = harness.BIN / "command_table_json"
    if not program.exists():
        sys.exit(f"no {program}; `./dev build command_table_json` makes it, or set STARLING_BIN")
    table = CommandTable(program)
    with Redis() as redis:
        wrong = table.wrong_facts(Connection(redis.address, 2))
        if wrong:
            sys.exit("the command table is wrong:\n" + "\n".join(wrong))
        return self_test(table, redis, options) if options.self_test else compare(table, redis, options)


def compare(table, redis, options):
    print(f"seed {options.seed}, families {','.join(options.families)}, RESP {options.resp_version}", flush=True)
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(other_side(options))
        run = Run(table, (redis.address, other.address), options, options.fault)
        wrong = table.wrong_key_specs([Connection(address, 2) for address in run.addresses])
        if wrong:
            sys.exit("COMMAND INFO is wrong:\n" + "\n".join(wrong))
        try:
            run.directed_part()
            run.random_part(options.commands)
        except (Closed, OSError) as end:
            print(f"a server went away: {end}\n{other.last_words()}")
            run.kinds["a server went away"] += 1
        run.duel.close()
    # Few commands of a kind may miss each other by chance, so a short run is not judged by them.
    missing = run.missing() if options.commands >= ALL_COMMANDS else []
    if options.counts:
        run.coverage.print()
    for line in missing:
        print(f"not covered: {line}")
    for kind, count in run.kinds.most_common():
        print(f"{count:5} times {kind}")
    seconds = time.monotonic() - start
    print(f"{run.coverage.telling():.0%} of the replies are neither errors nor nil; {seconds:.1f} s")
    print(f"{run.coverage.total + run.directed} commands, {run.kinds.total()} differences")
    return 1 if run.kinds or missing else 0


def other_side(options):
    if options.door:
        return Given(options.door)
    if options.against_redis or options.fault:
        return Redis()
    return Kvd("--long-cells", "2", "--turn-us", "0") if options.in_turns else Kvd()


def self_test(table, redis, options):
    """Redis equals Redis, and each planted mistake is found and shrunk to a few lines."""
    options.silent, options.stop_after = True, 1
    failures = 0
    with Redis() as other:
        for fault in [None, *FAULTS]:
            run = Run(table, (redis.address, other.address), options, fault)
            run.random_part(30_000 if fault else 60_000)
            run.duel.close()
            lengths = [len(found.script) for found in run.reports]
            is_right = lengths != [] and max(lengths) <= 12 if fault else not lengths
            failures += not is_right
            said = f"found, {lengths[0]} commands are left" if lengths else "no difference"
            verdict, what = "ok" if is_right else "FAIL", fault or "Redis against Redis"
            print(f"{verdict:4} {what}: {said} ({run.coverage.total} ran)", flush=True)
            if not is_right:
                for report in run.reports:
                    print(as_report(report, other.address, ""))
    print(f"{len(FAULTS) + 1 - failures} passed, {failures} failed")
    return 1 if failures else 0


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=ALL_COMMANDS, metavar="N", help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="20,000 commands")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), metavar="S", help="default: any")
    parser.add_argument("--families", default=",".join(FAMILIES), metavar="A,B", help="default: %(default)s")
    parser.add_argument("--resp", action="append", default=[], metavar="2|3|both|ADDR:PORT",
                        help="version (default: both); or an open door, the data behind which is deleted")
    parser.add_argument("--counts", action="store_true", help="print what each family covered")
    parser.add_argument("--without", default="", metavar="A,B", help="commands to leave out, such as zmpop,object|freq")
    parser.add_argument("--stop-after", type=int, default=1000, metavar="M",
                        help="differences; 0: never (default: %(default)s)")
    parser.add_argument("--in-turns", action="store_true", help="what looks at more than two cells takes long in kvd")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--against-redis", action="store_true", help="a second Redis instead of kvd")
    other.add_argument("--fault", choices=list(FAULTS), help="a second Redis with a planted mistake")
    parser.add_argument("--self-test", action="store_true", help="test the tester")
    options = parser.parse_args()
    options.silent, options.resp_version, options.door = False, "both", None
    for given in options.resp:
        if given in ("2", "3", "both"):
            options.resp_version = given
        elif ":" in given:
            options.door = given
        else:
            parser.error(f"--resp {given}: neither 2, 3, both nor ADDR:PORT")
    if options.quick:
        options.commands = 20_000
    options.families = options.families.split(",")
    options.without = (set(options.without.lower().split(",")) - {""}) | NEVER_COMPARED
    unknown = set(options.families) - set(FAMILIES)
    if unknown:
        parser.error(f"no family {', '.join(sorted(unknown))}; there are {', '.join(FAMILIES)}")
    return options


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers end with us
    try:
        sys.exit(main())
    except harness.Skip as missing:
        sys.exit(str(missing))
