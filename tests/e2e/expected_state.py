#!/usr/bin/env python3
"""What every node must hold after an import and concurrent edits, derived without any of our code, and compared.

The input is NDJSON as `kvctl import` takes it. Its first lines (--base) were loaded and had reached all nodes. The rest
went through one node, and the journal of the importer says which lines were acknowledged. Meanwhile another node,
cut off, took edits; their journal has one JSON line for each batch that was acknowledged:

    {"when": "before" | "during" | "after" the rest of the import, "commands": [["set-add", "KEY", "ELEMENT"], …]}

What remains is docs/semantics.md for two sides that had not seen each other. Of two concurrent writes of one field the
later clock is read; where the clocks cannot be known from outside (an edit made during the import), either value is
right, but all nodes must show the same one.
"""

import argparse
import collections
import json
import sys

from harness import read_ndjson


class EitherOf:
    """A value that depends on clocks."""

    def __init__(self, *values):
        self.values = values

    def __repr__(self):
        return f"one of {self.values!r}"


class Register:
    """A string, counter or hash field, written by both sides since they last agreed."""

    def __init__(self):
        self.base = None  # the value both sides had seen, unless the edits replaced or deleted it
        self.base_sum = None  # increments that both sides had seen
        self.imported = None
        self.imported_sum = None
        self.edited = None
        self.edited_when = None
        self.edited_sum = None

    def edit(self, verb, argument, when):
        if verb == "incr":
            self.edited_sum = (self.edited_sum or 0) + int(argument)
            return
        # A write or a delete takes away all that its side had seen, increments included.
        self.base = self.base_sum = self.edited_sum = None
        self.edited, self.edited_when = (argument, when) if verb == "set" else (None, None)

    def value(self):
        """None if there is nothing."""
        sums = [s for s in (self.base_sum, self.imported_sum, self.edited_sum) if s is not None]
        values = [v for v in (self.base, self.imported, self.edited) if v is not None]
        if self.imported is not None and self.edited is not None:
            values = {
                "before": [self.imported],
                "during": [self.imported, self.edited],
                "after": [self.edited],
            }[self.edited_when]
        elif self.imported is not None:
            values = [self.imported]  # it had seen the base
        assert len(values) <= 2, "a base beside an edit"
        shown = [str(int(v or 0) + sum(sums)) if sums else v for v in values or [None]]
        return EitherOf(*shown) if len(set(shown)) > 1 else shown[0]


class Elements:
    """A set."""

    def __init__(self):
        self.base, self.imported, self.edited = set(), set(), set()

    def edit(self, verb, element):
        if verb == "add":
            self.edited.add(element)
        else:
            self.base.discard(element)
            self.edited.discard(element)

    def clear(self):
        self.base.clear()
        self.edited.clear()

    def value(self):
        return self.base | self.imported | self.edited


class Expected:
    def __init__(self):
        self.strings = collections.defaultdict(Register)
        self.hashes = collections.defaultdict(lambda: collections.defaultdict(Register))
        self.sets = collections.defaultdict(Elements)

    def load(self, line, imported):
        """One line of the input, seen by all (the base) or only by the side of the importer."""
        item = json.loads(line)
        key, type_, value = item["key"], item["type"], item["value"]
        if type_ == "set":
            elements = self.sets[key]
            (elements.imported if imported else elements.base).update(value)
        elif type_ == "hash":
            for field, text in value.items():
                setattr(self.hashes[key][field], "imported" if imported else "base", text)
        elif type_ == "counter":
            name = "imported_sum" if imported else "base_sum"
            register = self.strings[key]
            setattr(register, name, (getattr(register, name) or 0) + value)
        else:
            raise ValueError(f"type {type_} does not occur in this input")

    def edit(self, command, when):
        verb, key, *arguments = command
        if verb in ("set", "incr"):
            self.strings[key].edit(verb, arguments[0], when)
        elif verb in ("hset", "hincr", "hdel"):
            field = self.hashes[key][arguments[0]]
            field.edit({"hset": "set", "hincr": "incr", "hdel": "del"}[verb], (arguments + [None])[1], when)
        elif verb in ("set-add", "set-rem"):
            for element in arguments:
                self.sets[key].edit("add" if verb == "set-add" else "rem", element)
        elif verb == "del":
            if key in self.strings:
                self.strings[key].edit("del", None, when)
            for field in self.hashes[key].values() if key in self.hashes else ():
                field.edit("del", None, when)
            if key in self.sets:
                self.sets[key].clear()
        else:
            raise ValueError(f"no model for {verb}")

    def objects(self):
        """(db, key) -> (type, value), as harness.read_ndjson reads an export; without what is empty."""
        found = {}
        for key, register in self.strings.items():
            if (value := register.value()) is not None:
                found[0, key] = ("string", value)
        for key, fields in self.hashes.items():
            values = {f: value for f, register in fields.items() if (value := register.value()) is not None}
            if values:
                found[0, key] = ("hash", values)
        for key, elements in self.sets.items():
            if value := elements.value():
                found[0, key] = ("set", value)
        return found


def acknowledged_lines(journal):
    """Line numbers, from 1."""
    lines = set()
    with open(journal) as file:
        for line in file:
            first, last = map(int, line.split())
            lines.update(range(first, last + 1))
    return lines


def derive(input_path, base, journal, edits):
    """Expected, from the files. The journal counts lines of what was imported behind the base."""
    expected = Expected()
    acknowledged = acknowledged_lines(journal)
    with open(input_path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if number <= base or number - base in acknowledged:
                expected.load(line, imported=number > base)
    with open(edits, encoding="utf-8") as file:
        for line in file:
            batch = json.loads(line)
            for command in batch["commands"]:
                expected.edit(command, batch["when"])
    return expected.objects()


def fits(expected, actual):
    if isinstance(expected, EitherOf):
        return actual in expected.values
    if isinstance(expected, tuple) and isinstance(actual, tuple):
        return len(expected) == len(actual) and all(map(fits, expected, actual))
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(fits(expected[k], actual[k]) for k in expected)
    return expected == actual


def differences(expected, exports):
    """Sentences, at most a few per node; none if every key of every node is right."""
    problems = []
    for name, export in exports.items():
        wrong = [
            f"{name}, {key}: expected {brief(expected.get(key, 'nothing'))}, found {brief(export.get(key, 'nothing'))}"
            for key in sorted(expected.keys() | export.keys())
            if not fits(expected.get(key), export.get(key))
        ]
        problems += wrong[:5] + ([f"{name}: {len(wrong)} keys of {len(expected)} are wrong"] if wrong else [])
    first, *others = exports.items()
    problems += [f"{first[0]} and {name} differ" for name, export in others if export != first[1]]
    return problems


def brief(value):
    text = repr(value)
    return text if len(text) < 500 else text[:500] + "…"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", help="NDJSON that was imported")
    parser.add_argument("exports", nargs="+", help="what `kvctl export` wrote on each node")
    parser.add_argument("--base", type=int, default=0, metavar="LINES", help="lines that all nodes had seen before")
    parser.add_argument("--journal", required=True, help="of kvctl import")
    parser.add_argument("--edits", required=True, help="journal of the concurrent edits")
    options = parser.parse_args()
    expected = derive(options.input, options.base, options.journal, options.edits)
    exports = {}
    for path in options.exports:
        with open(path, encoding="utf-8") as file:
            exports[path] = read_ndjson(file)
    problems = differences(expected, exports)
    print("\n".join(problems) or f"{len(expected)} keys are right in {len(exports)} exports")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
