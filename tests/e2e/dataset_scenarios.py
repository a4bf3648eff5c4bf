"""The package lists of this machine through three nodes, with kills and a cut-off node: docs/real-input.md."""

import json
import os
import random
import subprocess
import sys
import threading
import time

import expected_state
from harness import BIN, ROOT, Skip, check, check_equal, count_up, eventually, read_ndjson

PACKAGES = 60_000  # at least
KILLS = 5
COMMANDS_PER_BATCH = 100
LONG = 400  # seconds: a million operations on a machine that may have a quarter of its cores for us


def scenario_package_lists(lab):
    """real input: an import with five kill -9 and a cut-off node that is edited meanwhile"""
    dataset = lab.path / "packages.ndjson"
    packages = make_dataset(dataset)
    base_path, rest_path, base_lines, lines = split(dataset, lab.path)
    journal, edits_path = lab.path / "import.journal", lab.path / "edits.journal"
    phases = Phases()
    rng = random.Random(int(os.environ.get("STARLING_SEED", "1")))

    one, two, three = nodes = lab.cluster("one", "two", "three")
    wire, peak = Wire(), 0.0
    phases.end("make the input")
    one.ok("import", str(base_path), timeout=300)
    one.wait_converged(LONG)
    phases.end("load the base")

    three.ok("partition")
    eventually(lambda: count_up(three) == 0, "three is cut off")
    editor = Editor(three, base_path, rest_path, edits_path, rng)
    editor.edit("before", batches=20)
    phases.end("cut off node three and edit there")

    started = time.monotonic()
    importer = subprocess.Popen(
        [BIN / "kvctl", "-n", one.doors["client"], "import", rest_path, "--journal", journal, "--retry-for", "60s"],
        stderr=subprocess.PIPE,
        text=True,
    )
    stop = threading.Event()
    editing = threading.Thread(target=editor.edit_until, args=[stop])
    editing.start()
    try:
        rest = lines - base_lines
        kill_points = sorted(rng.sample(range(rest // 20, rest - rest // 20), KILLS + 1))
        two_dies_at = rng.choice(kill_points)
        for point in kill_points:
            eventually(lambda p=point: last_acknowledged(journal) >= p or ended(importer), "import goes on", 120, 0.002)
            check(not ended(importer), "the import ended before all kills; it is too short")
            victim = two if point == two_dies_at else one
            wire.note(victim)
            peak = max(peak, victim.peak_memory_mib())
            victim.kill()
            victim.start()
        complaints = importer.communicate(timeout=240)[1]
    finally:
        importer.kill()
        stop.set()
        editing.join()
    check_equal(importer.returncode, 0, f"kvctl import: {complaints}")
    import_seconds = time.monotonic() - started
    check(editor.problem is None, f"edits on three: {editor.problem}")
    phases.end("import the rest")
    time.sleep(0.02)  # clocks count milliseconds
    editor.edit("after", batches=20)

    phases.end("edit once more")
    healed = time.monotonic()
    three.ok("heal")
    for node in nodes:
        eventually(lambda n=node: count_up(n) == 2, f"{node.name} sees all", step=0.01)
    one.wait_converged(LONG)  # compares the digests of all three
    converge_seconds = time.monotonic() - healed
    phases.end("heal and converge")
    digest = one.digest()

    for node in nodes:
        wire.note(node)
        peak = max(peak, node.peak_memory_mib())
        node.stop()
    for node in nodes:
        node.flags[node.flags.index("--memory") + 1] = "64MiB"
        node.start()
    phases.end("stop all and start them cold")
    exports = {}
    for node in nodes:
        path = lab.path / f"{node.name}.ndjson"
        node.ok("export", str(path), timeout=300)
        with open(path, encoding="utf-8") as file:
            exports[node.name] = read_ndjson(file)
        check_equal(node.digest(), digest, f"the digest of {node.name} after a cold start")
    cold_peak = max(node.peak_memory_mib() for node in nodes)
    for memory, reached in ((256, peak), (64, cold_peak)):
        check(reached < 1.5 * memory + 60, f"{reached:.0f} MiB with --memory {memory}MiB: docs/operations.md says less")
    phases.end("export and digest each")
    expected = expected_state.derive(dataset, base_lines, journal, edits_path)
    check_equal(len(expected_state.acknowledged_lines(journal)), lines - base_lines, "acknowledged lines")
    problems = expected_state.differences(expected, exports)
    check(not problems, "\n".join(problems))

    phases.end("derive and compare")
    operations = count_operations(dataset)
    return "\n".join(
        [
            f"{packages} packages: {lines} lines, {operations} operations, {dataset.stat().st_size / 1e6:.1f} MB",
            f"{editor.commands} edits on the cut-off node, {KILLS} kill -9 of node one and 1 of node two",
            f"import of {lines - base_lines} lines through the kills: {import_seconds:.1f} s, "
            f"{complaints.strip().splitlines()[-1]}",
            f"converged {converge_seconds:.2f} s after healing; {wire.bytes / 1e6:.1f} MB between the nodes",
            f"peak memory of a node: {peak:.0f} MiB with --memory 256MiB, {cold_peak:.0f} MiB cold with 64MiB",
            f"{len(expected)} keys with {digest[1]} cells are right on all three nodes, "
            "read from a cold start with --memory 64MiB",
            phases.text(),
        ]
    )


class Phases:
    def __init__(self):
        self.begun, self.lines = time.monotonic(), []

    def end(self, name):
        now = time.monotonic()
        self.lines.append(f"{now - self.begun:.1f} s {name}")
        self.begun = now

    def text(self):
        return "phases: " + ", ".join(self.lines)


def make_dataset(path):
    script = ROOT / "bench" / "datasets" / "debian_packages.py"
    command = [sys.executable, script, "--at-least", str(PACKAGES), "-o", path]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode != 0 and os.geteuid() == 0:  # a fresh container has no lists yet
        subprocess.run(["apt-get", "update"], capture_output=True)
        made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode != 0:
        raise Skip(made.stderr.strip())
    return int(made.stderr.split()[0])


def split(dataset, directory):
    """The first fifth, and the rest."""
    with open(dataset, encoding="utf-8") as file:
        lines = file.readlines()
    base = len(lines) // 5
    paths = directory / "base.ndjson", directory / "rest.ndjson"
    for path, part in zip(paths, (lines[:base], lines[base:])):
        path.write_text("".join(part), encoding="utf-8")
    return *paths, base, len(lines)


def count_operations(dataset):
    """Cells written: fields, elements and increments."""
    with open(dataset, encoding="utf-8") as file:
        values = (json.loads(line)["value"] for line in file)
        return sum(len(value) if isinstance(value, (dict, list)) else 1 for value in values)


def last_acknowledged(journal):
    try:
        with open(journal, "rb") as file:
            file.seek(max(0, os.path.getsize(journal) - 100))
            lines = file.read().splitlines()
            return int(lines[-1].split()[-1]) if lines else 0
    except (FileNotFoundError, IndexError, ValueError):
        return 0


def ended(process):
    return process.poll() is not None


class Wire:
    """Bytes that left the nodes towards each other. A kill takes the last milliseconds of its node along."""

    def __init__(self):
        self.bytes = 0

    def note(self, node):
        sent = (v for name, v in node.metrics().items() if name.startswith("starling_peer_sent_bytes_total"))
        self.bytes += int(sum(sent))


class Editor:
    """Edits the keys of the import on one node, in atomic batches, and keeps a journal of what was acknowledged."""

    def __init__(self, node, base_path, rest_path, journal, rng):
        self.node, self.rng = node, rng
        self.journal = open(journal, "w", encoding="utf-8")
        self.commands, self.problem, self.fresh = 0, None, 0
        base, rest = self._load(base_path), self._load(rest_path)
        self.packages = [key for key, value in (base | rest).items() if isinstance(value, dict)]
        self.sets = {key: sorted(value) for key, value in base.items() if isinstance(value, set)}
        self.unseen_sets = {key: sorted(value) for key, value in rest.items() if isinstance(value, set)}
        self.counters = [key for key, value in (base | rest).items() if isinstance(value, int)]
        self.set_keys = [key for key, members in self.sets.items() if len(members) > 10]

    @staticmethod
    def _load(path):
        objects = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                item = json.loads(line)
                if item["type"] == "set":
                    objects.setdefault(item["key"], set()).update(item["value"])
                else:
                    objects[item["key"]] = item["value"]
        return objects

    def command(self):
        rng = self.rng
        package, counter, a_set = rng.choice(self.packages), rng.choice(self.counters), rng.choice(self.set_keys)
        self.fresh += 1
        return rng.choices(
            [
                ["set-add", a_set, f"edit-{self.fresh}"],
                ["set-rem", a_set, *rng.sample(self.sets[a_set], 3)],
                ["set-rem", a_set, rng.choice(self.unseen_sets.get(a_set, ["nobody"]))],
                ["set-add", a_set, rng.choice(self.unseen_sets.get(a_set, ["somebody"]))],
                ["del", a_set],
                ["hset", package, "priority", f"edit-{self.fresh}"],
                ["hset", package, "note", f"edit-{self.fresh}"],
                ["hdel", package, "homepage"],
                ["hincr", package, "installed_kib", str(rng.randrange(1, 1000))],
                ["del", package],
                ["hset", f"package:edit-{self.fresh}", "version", "1"],
                ["incr", counter, str(rng.randrange(-1000, 1000))],
                ["set", counter, str(rng.randrange(1_000_000))],
                ["del", counter],
            ],
            weights=[10, 10, 5, 5, 1, 10, 10, 5, 10, 3, 3, 10, 2, 1],
        )[0]

    def edit(self, when, batches):
        for _ in range(batches):
            commands = [self.command() for _ in range(COMMANDS_PER_BATCH)]
            lines = "".join(" ".join(quoted(word) for word in command) + "\n" for command in commands)
            self.node.ok("batch", "-", stdin=lines)
            self.journal.write(json.dumps({"when": when, "commands": commands}) + "\n")
            self.commands += len(commands)
        self.journal.flush()

    def edit_until(self, stop):
        try:
            while not stop.is_set():
                self.edit("during", batches=1)
                time.sleep(0.02)
        except Exception as error:  # noqa: BLE001: reported by the scenario
            self.problem = error


def quoted(word):
    return "'" + word + "'"
