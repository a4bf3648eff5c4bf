"""Makes a failing script short: what can be left out while the last command still differs, is."""

import time

from duel import PAUSE
from resp_client import as_cli, shown

SECONDS = 10
_PREFIX = {0: "", PAUSE: "(pause of these seconds)  "}


def shrunk(difference, replay):
    """replay(steps) -> Difference or None, from empty sides. Delta debugging: ever smaller pieces are left out."""
    end = time.monotonic() + SECONDS
    best = difference

    def fails(steps):
        """Keeps the script if it fails in the same command."""
        nonlocal best
        found = replay(steps)
        if found is None or _name(found) != _name(best) or len(found.script) > len(steps):
            return False
        best = found
        return True

    if not fails(difference.script):
        return difference, "it did not differ again when the script was replayed"
    related = _related(best.script)
    if len(related) < len(best.script):
        fails(related)
    size = max(1, (len(best.script) - 1) // 2)
    while time.monotonic() < end:
        at, made_shorter = 0, False
        while at < len(best.script) - 1 and time.monotonic() < end:
            script = best.script
            if fails(script[:at] + script[min(at + size, len(script) - 1) :]):
                made_shorter = True
            else:
                at += size
        if size == 1 and not made_shorter:
            break
        if not made_shorter or size > len(best.script):
            size = max(1, size // 2)
    return best, ""


def _name(difference):
    return difference.script[-1].command[0].upper()


def _related(script):
    """The steps that share a word with the last one, which are most often its keys, and what belongs to no key."""
    words = {word for word in script[-1].command[1:] if b":" in word}
    if not words:
        return script
    return [step for step in script if len(step.command) < 2 or words.intersection(step.command)]


def as_script(difference, address):
    """For redis-cli; what it cannot do, a second connection and a pause, is marked."""
    port = address.rsplit(":", 1)[1]
    lines = [f"redis-cli -p {port}{' -3' if difference.protocol == 3 else ''} <<'END'", "FLUSHALL"]
    for step in difference.script:
        lines.append(_PREFIX.get(step.connection, "(on another connection)  ") + as_cli(step.command))
    return "\n".join([*lines, "END"])


def as_report(difference, address, note):
    last = as_cli(difference.script[-1].command)
    lines = [f"{difference.what} to {last} in RESP{difference.protocol}:", as_script(difference, address)]
    lines += [f"redis: {shown(difference.one)}", f"other: {shown(difference.other)}"]
    return "\n".join([*lines, *([f"({note})"] if note else [])])
