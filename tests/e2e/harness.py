"""Real kvd and kvctl processes, on free ports of the loopback and in a temporary directory that always goes away."""

import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("STARLING_BIN", ROOT / "build" / "bin"))
PATIENCE = 30  # seconds: generous, because the machine may be busy
PIPE_PATIENCE = 60


class Skip(Exception):
    """The scenario cannot run here; under CI that is a failure."""


class Failed(AssertionError):
    pass


def check(truth, message):
    if not truth:
        raise Failed(message)


def check_equal(actual, expected, what):
    if actual != expected:
        raise Failed(f"{what}: expected {shown(expected)}, got {shown(actual)}")


def check_contains(text, part, what):
    check(part in text, f"{what}: expected {part!r} in {shown(text)}")


def shown(value):
    text = repr(value)
    return text if len(text) < 2000 else text[:1000] + " … " + text[-900:]


def eventually(truth, what, seconds=PATIENCE, step=0.05):
    """Waits until truth() is true and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        value = truth()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(step)


def need_root(why):
    if os.geteuid() != 0:
        raise Skip(f"{why} needs root")


def need_program(name, package):
    if not shutil.which(name):
        raise Skip(f"{name} is not installed (Debian package {package})")


def need_redis_py():
    """The module `redis`: Debian's, which is pure Python, whatever interpreter runs this."""
    packages = "/usr/lib/python3/dist-packages"
    if packages not in sys.path:
        sys.path.append(packages)
    try:
        import redis
    except ImportError:
        raise Skip("the Python module redis is not installed (Debian package python3-redis)") from None
    return redis


def free_address():
    """An address that nobody listens on, until somebody does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def run_kvctl(*args, stdin="", timeout=120, env=None):
    # CompletedProcess with text; bytes that are not UTF-8 become surrogates.
    return subprocess.run(
        [BIN / "kvctl", *args],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=timeout,
        env={**os.environ, **(env or {})},
    )


class Node:
    """One kvd process and its directory. Ports are free ones at the first start and stay the same afterwards."""

    def __init__(self, lab, name, data, join, flags):
        self.lab, self.name, self.data, self.join, self.flags = lab, name, data, join, flags
        self.doors = dict.fromkeys(("client", "peer", "resp", "http"), "127.0.0.1:0")
        self.environment = {}  # beside ours
        self.process = None
        self.log_path = lab.path / f"{name}.log"

    # -- life --

    def with_fixed_ports(self):
        """For a node that is launched and talked to before it says which ports it has."""
        self.doors = {door: free_address() for door in self.doors}
        return self

    def command(self, *more):
        doors = [part for door, address in self.doors.items() for part in (f"--{door}", address)]
        join = ["--join", ",".join(self.join)] if self.join else []
        return [BIN / "kvd", "--data", self.data, "--name", self.name, *doors, *join, *self.flags, *more]

    def start(self, *more):
        """Returns once the process says that it serves."""
        check(not self.alive(), f"{self.name} runs already")
        self.launch(*more)
        self.await_ready_line()
        return self

    def launch(self, *more):
        """Does not wait. The addresses of the doors are known only if they were given ports."""
        with open(self.log_path, "ab") as log:
            environment = {**os.environ, **self.environment}
            self.process = subprocess.Popen(self.command(*more), stdout=subprocess.PIPE, stderr=log, env=environment)

    def await_ready_line(self):
        """kvd says it once, when it serves clients: a node that joins has caught up by then."""
        line = self._read_line(PATIENCE)
        found = dict(re.findall(r"(\w+)=(\S+)", line))
        if not line.startswith("ready ") or found.get("name") != self.name:
            raise Failed(f"{self.name} did not become ready; it said {line!r}\n{self.log_tail()}")
        self.doors.update({door: found[door] for door in self.doors})

    def _read_line(self, seconds):
        end, line, pipe = time.monotonic() + seconds, b"", self.process.stdout.fileno()
        while not line.endswith(b"\n") and time.monotonic() < end:
            if select.select([pipe], [], [], 0.1)[0]:
                part = os.read(pipe, 4096)
                if not part:
                    break
                line += part
        return line.decode()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds=PATIENCE):
        """SIGTERM; the node must end by itself, with exit code 0."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not stop within {seconds} s of SIGTERM\n{self.log_tail()}") from None
        check_equal(code, 0, f"exit code of {self.name} after SIGTERM\n{self.log_tail()}")

    def kill(self):
        """kill -9"""
        self.process.kill()
        self.process.wait()

    def restart(self, *more):
        self.stop()
        return self.start(*more)

    def refuses_to_start(self, code, *more):
        """Starts it expecting the given exit code; returns what it said."""
        ended = subprocess.run(self.command(*more), capture_output=True, text=True, timeout=PATIENCE)
        said = ended.stdout + ended.stderr
        check_equal(ended.returncode, code, f"exit code of kvd, which said {said!r}")
        check(said.strip(), "kvd ended without a word")
        return said

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self):
        return f"--- end of the log of {self.name}:\n" + "\n".join(self.log().splitlines()[-15:])

    def peak_memory_mib(self):
        """The most memory that the running process has ever had in use (VmHWM)."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024

    # -- kvctl --

    def kvctl(self, *args, **options):
        return run_kvctl("-n", self.doors["client"], *args, **options)

    def ok(self, *args, **options):
        """What kvctl printed, without the last newline; it must succeed."""
        done = self.kvctl(*args, **options)
        check_equal(done.returncode, 0, f"kvctl {' '.join(map(str, args))} on {self.name}: {done.stderr}")
        return done.stdout.removesuffix("\n")

    def fails(self, code, *args, **options):
        """What kvctl complained about; it must fail with this exit code."""
        done = self.kvctl(*args, **options)
        check_equal(done.returncode, code, f"kvctl {' '.join(map(str, args))[:200]} on {self.name}: {done.stderr}")
        return done.stderr

    def status(self):
        return json.loads(self.ok("status", "--no-digest", "-o", "json"))

    def digest(self):
        """(digest of all stored cells, their number)"""
        status = json.loads(self.ok("status", "-o", "json", "--timeout", "120s"))
        check("digest" in status, f"{self.name} has no digest: {status['reasons']}")
        return status["digest"], status["cells"]

    def wait_converged(self, seconds=PATIENCE):
        self.ok("wait", "converged", "--timeout", f"{seconds}s", timeout=seconds + 30)

    def export(self):
        """(db, key) -> (type, value): lists of a set are sorted, parts of large collections joined; b64 stays."""
        return read_ndjson(self.ok("export", timeout=300).splitlines())

    # -- admin door --

    def http(self, path, timeout=10):
        """(status, body)"""
        try:
            with urllib.request.urlopen(f"http://{self.doors['http']}{path}", timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def is_ready(self):
        return self.http("/readyz")[0] == 200

    def is_live(self):
        try:
            return self.http("/livez")[0] == 200
        except OSError:
            return False

    def metrics(self):
        """'name{labels}' -> number"""
        status, body = self.http("/metrics")
        check_equal(status, 200, "/metrics")
        lines = (line.rsplit(" ", 1) for line in body.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    def rejected(self, door):
        """How often a door turned somebody away."""
        prefix = f'starling_rejected_total{{door="{door}"'
        return sum(value for name, value in self.metrics().items() if name.startswith(prefix))

    def connect(self, door="client", timeout=10):
        host, port = self.doors[door].rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout)


def read_ndjson(lines):
    objects = {}
    for line in lines:
        item = json.loads(line)
        key = (item["db"], plain(item["key"]))
        type_, value = item["type"], item["value"]
        if type_ == "set":
            value = set(map(plain, value)) | objects.get(key, (type_, set()))[1]
        elif type_ == "zset":
            value = {**objects.get(key, (type_, {}))[1], **{plain(m): str(score) for m, score in value}}
        elif type_ == "hash":
            pairs = value.items() if isinstance(value, dict) else value
            value = {**objects.get(key, (type_, {}))[1], **{plain(f): plain(v) for f, v in pairs}}
        else:
            value = sorted(map(plain, value)) if isinstance(value, list) else plain(value)
        objects[key] = (type_, value)
    return objects


def plain(value):
    """{"b64": …} as something that can be a key of a dictionary."""
    return "b64:" + value["b64"] if isinstance(value, dict) else value


class Lab:
    """What one scenario works with. On leaving: every process ends, every mount and file goes away."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="starling-e2e-"))
        self.nodes = []
        self.mounts = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        try:
            if kind is None:
                for node in self.nodes:
                    if node.process is not None and node.process.poll() is None:
                        node.stop()
            elif not issubclass(kind, Skip):
                error.add_note("\n".join(node.log_tail() for node in self.nodes))
        finally:
            self.clean()

    def clean(self):
        for node in self.nodes:
            if node.alive():
                node.kill()
            if node.process is not None:
                node.process.stdout.close()
        for mount in self.mounts:
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.path, ignore_errors=True)

    def prepare(self, name, *flags, join=(), data=None):
        """A node that is not started yet."""
        usual = ["--allow-faults"] + ([] if "--memory" in flags else ["--memory", "256MiB"])
        node = Node(self, name, data or self.path / name, [n.doors["peer"] for n in join], usual + list(flags))
        self.nodes.append(node)
        return node

    def node(self, name, *flags, **options):
        return self.prepare(name, *flags, **options).start()

    def cluster(self, *names, flags=()):
        """Nodes that know each other and are ready; the first is the one that the others join."""
        nodes = []
        for name in names:
            nodes.append(self.node(name, *flags, join=nodes[:1]))
        for node in nodes:
            eventually(node.is_ready, f"{node.name} is ready")
            eventually(lambda n=node: count_up(n) == len(names) - 1, f"{node.name} sees all others")
        return nodes

    def tmpfs(self, name, mib):
        need_root("a small disk")
        directory = self.path / name
        directory.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "none", directory], capture_output=True, text=True
        )
        if mounted.returncode != 0:
            raise Skip(f"cannot mount a tmpfs: {mounted.stderr.strip()}")
        self.mounts.append(directory)
        return directory


def count_up(node):
    return sum(member["state"] == "up" for member in node.status()["members"])


@contextlib.contextmanager
def cut_off(node):
    """The node is cut off from all others meanwhile."""
    node.ok("partition")
    eventually(lambda: count_up(node) == 0, f"{node.name} is cut off")
    yield
    node.ok("heal")
