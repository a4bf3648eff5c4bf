"""kvctl as scripts use it: exit codes, pipes, import and export, the demo."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from harness import BIN, PIPE_PATIENCE, check, check_contains, check_equal, free_address, read_ndjson, run_kvctl


LINES = 100_000


def scenario_exit_codes(lab):
    """the exit codes of kvctl"""
    a = lab.node("a", "--max-value", "1MiB")
    check_equal(run_kvctl().returncode, 2, "kvctl alone")
    for words in (["no-such-command"], ["get"], ["get", "k", "too many"], ["get", "k", "--no-such-option"],
                  ["-n", "a:b:c", "get", "k"], ["get", "k", "-t", "soon"], ["incr", "k", "one"],
                  ["--db", "256", "get", "k"], ["wait", "forever"]):  # fmt: skip
        done = run_kvctl(*words)
        check_equal(done.returncode, 2, f"kvctl {' '.join(words)}: {done.stderr}")
        check(done.stderr, f"kvctl {' '.join(words)} says nothing")
    a.fails(3, "get", "absent")
    a.fails(3, "hget", "absent", "f")
    a.fails(3, "set-has", "absent", "e")
    a.ok("set", "text", "abc")
    a.fails(8, "incr", "text")
    a.fails(8, "set-add", "text", "e")
    a.fails(7, "set", "k", "-f", str(big_file(lab)))
    check_contains(a.fails(8, "incr", "text", "-o", "json"), '"error"', "an error as JSON")
    json.loads(a.fails(8, "incr", "text", "-o", "json"))
    a.fails(7, "partition") if "--allow-faults" not in a.flags else a.ok("heal")
    nobody = free_address()
    check_equal(run_kvctl("-n", nobody, "get", "k").returncode, 4, "a dead port")
    check_equal(run_kvctl("-n", nobody, "health").returncode, 6, "health of a dead port")
    check_equal(run_kvctl("-n", f"{nobody},{a.doors['client']}", "get", "text").stdout, "abc\n", "the second address")
    started = time.monotonic()
    black_hole = run_kvctl("-n", "192.0.2.1:7001", "-t", "1s", "get", "k")
    check(black_hole.returncode in (4, 5), f"an address that never answers: {black_hole.returncode}")
    check(time.monotonic() - started < 5, "kvctl does not keep to its timeout")
    # A door that answers is known to be a wrong one. Those that wait for the end of a line say nothing: there only time ends it.
    for door, code in (("peer", 4), ("resp", 5), ("http", 5)):
        done = run_kvctl("-n", a.doors[door], "-t", "1s", "get", "k")
        check_equal(done.returncode, code, f"kvctl at the {door} door: {done.stderr}")
        check_contains(done.stderr, "another door", f"the likely cause at the {door} door")
    with silent_server(says=b"SSH-2.0-nobody\r\n") as address:
        done = run_kvctl("-n", address, "-t", "2s", "get", "k")
        check_equal(done.returncode, 4, f"a server that says something else: {done.stderr}")
    a.process.send_signal(signal.SIGSTOP)
    said = a.fails(5, "get", "text", "-t", "500ms")
    a.process.send_signal(signal.SIGCONT)
    check_contains(said, "did not greet", "of a node that is stuck")
    with silent_server() as address:
        done = run_kvctl("-n", address, "-t", "500ms", "get", "k")
        check_equal(done.returncode, 5, f"a server that says nothing: {done.stderr}")


def big_file(lab):
    path = lab.path / "big"
    path.write_bytes(b"x" * (2 << 20))
    return path


class silent_server:
    def __init__(self, says=b""):
        self.says = says

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        if self.says:
            threading.Thread(target=lambda: self.socket.accept()[0].sendall(self.says)).start()
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    def __exit__(self, *_):
        self.socket.close()


def scenario_not_converged(lab):
    """wait converged gives up with exit code 6 and names who lags"""
    a, b = lab.cluster("a", "b")
    a.ok("wait", "converged")
    b.process.send_signal(signal.SIGSTOP)
    a.ok("set", "k", "v")
    said = a.fails(6, "wait", "converged", "--timeout", "1s")
    check_contains(said, "b", "who lags")
    b.process.send_signal(signal.SIGCONT)
    a.ok("wait", "converged", "--timeout", "20s")


def scenario_output(lab):
    """output for scripts: raw bytes, no escapes, JSON on request, quiet when the reader leaves"""
    a = lab.node("a")
    value = "line\nand \x1b[31m red \udcff\udcfe"
    a.ok("set", "-f", "-", "k", stdin=value)
    check_equal(a.kvctl("get", "k").stdout, value + "\n", "a binary value off a terminal")
    check_equal(json.loads(a.ok("get", "k", "-o", "json"))["result"].keys(), {"b64"}, "a binary value as JSON")
    a.ok("set", "text", "Grüße")
    check_equal(json.loads(a.ok("get", "text", "-o", "json")), {"key": "text", "result": "Grüße"}, "JSON")
    a.ok("batch", "-", stdin="".join(f"set-add many element-{i:05}\n" for i in range(20_000)))
    piped = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {BIN}/kvctl -n {a.doors['client']} set-members many | head -1"],
        capture_output=True, text=True, timeout=PIPE_PATIENCE,
    )  # fmt: skip
    check_equal((piped.stdout, piped.stderr), ("element-00000\n", ""), "| head -1")
    for words in (["status"], ["why", "text"], ["explain", "text"], ["help"], ["help", "import"]):
        check("\x1b" not in a.ok(*words, env={"TERM": "xterm"}), f"escape codes in kvctl {' '.join(words)}")
    check_equal(set(a.ok("scan", "te").splitlines()), {"text"}, "scan with a prefix")
    check_equal(len(a.ok("scan", "--limit", "1").splitlines()), 1, "scan with a limit")
    check_equal(a.ok("conflicts"), "no conflicts", "conflicts where there were none")
    a.fails(2, "conflicts", "--limit", "0")
    for words in (["status"], ["explain", "text"], ["why", "text"], ["conflicts"], ["conflicts", "text"]):
        json.loads(a.ok(*words, "-o", "json"))


def scenario_import_export(lab):
    """export, import elsewhere, export again: the same, binary keys and large collections included"""
    a = lab.node("a")
    lines = [
        {"db": 0, "key": "text", "type": "string", "value": "Grüße\n"},
        {"db": 0, "key": {"b64": "AP+A"}, "type": "string", "value": {"b64": "//4="}},
        {"db": 7, "key": "text", "type": "string", "value": "of database 7"},
        {"db": 0, "key": "sum", "type": "counter", "value": 40},
        {"db": 0, "key": "sum", "type": "counter", "value": 2},
        {"db": 0, "key": "set", "type": "set", "value": ["a", {"b64": "/w=="}, ""]},
        {"db": 0, "key": "hash", "type": "hash", "value": {"f": "1", "g": "x"}},
        {"db": 0, "key": "odd hash", "type": "hash", "value": [[{"b64": "/w=="}, "v"], ["f", {"b64": "/w=="}]]},
        {"db": 0, "key": "flag", "type": "flag", "value": True},
        {"db": 0, "key": "mv", "type": "mvreg", "value": ["one"]},
        {"db": 0, "key": "zset", "type": "zset", "value": [["a", "0.10000000000000001"], ["b", "inf"], [{"b64": "/w=="}, "-2.5"]]},
        {"db": 0, "key": "long", "type": "set", "value": [f"element {i}" for i in range(10_000)]},
        {"db": 0, "key": "long", "type": "set", "value": [f"element {i}" for i in range(9_000, 20_000)]},
    ]
    path = lab.path / "in.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    journal = lab.path / "journal"
    a.ok("import", str(path), "--session", "one", "--journal", str(journal))
    a.ok("import", str(path), "--session", "one")  # again: nothing counts twice
    expected = read_ndjson(map(json.dumps, [line for line in lines if line["type"] != "counter"]))
    expected[(0, "sum")] = ("string", "42")
    check_equal(a.export(), expected, "the first export")
    acknowledged = {n for line in journal.read_text().splitlines() for n in range(*inclusive(line))}
    check_equal(acknowledged, set(range(1, len(lines) + 1)), "lines in the journal")
    exported = a.ok("export")
    b = lab.node("b")
    (lab.path / "out.ndjson").write_text(exported, encoding="utf-8")
    b.ok("import", str(lab.path / "out.ndjson"))
    check_equal(b.export(), expected, "the export of the import of the export")
    check_equal(b.ok("get", "--db", "7", "text"), "of database 7", "another database")
    for bad in ('{"db":0', "[]", '{"key":"k"}', '{"db":0,"key":"k","type":"tree","value":[]}',
                '{"db":999,"key":"k","type":"string","value":"v"}', '{"key":{"b64":"!"},"type":"string","value":"v"}',
                '{"db":0,"key":"k","type":"string","value":"v","unknown":1}'):  # fmt: skip
        said = b.fails(1, "import", "-", stdin='{"db":0,"key":"before","type":"string","value":"1"}\n' + bad + "\n")
        check_contains(said, "line 2", f"what import says about {bad}")
    check_equal(b.ok("get", "before"), "1", "what stood before the bad line")


def scenario_import_export_of_deadlines(lab):
    """export writes the time that a key has left, import sets it; what is over is shown to nobody"""
    a, b = lab.node("a"), lab.node("b")
    lines = [
        {"db": 0, "key": "stays", "type": "string", "value": "v"},
        {"db": 0, "key": "goes", "type": "string", "value": "v", "ttl_ms": 600_000},
        {"db": 3, "key": "zset", "type": "zset", "value": [["m", 1.5]], "ttl_ms": 700_000},
        {"db": 0, "key": "long", "type": "set", "value": [f"e{i}" for i in range(10_000)], "ttl_ms": 800_000},
        {"db": 0, "key": "over", "type": "hash", "value": {"f": "v"}, "ttl_ms": 1},
    ]
    a.ok("import", "-", stdin="".join(json.dumps(line) + "\n" for line in lines))
    time.sleep(0.01)
    check_equal(set(a.ok("scan").splitlines()), {"stays", "goes", "long"}, "keys of database 0")
    check_equal(a.kvctl("hget", "over", "f").returncode, 3, "what is over")
    first = a.ok("export")
    b.ok("import", "-", stdin=first)
    second = b.ok("export")
    for text in (first, second):
        left = {}
        for line in map(json.loads, text.splitlines()):
            left.setdefault(line["key"], []).append(line.pop("ttl_ms", None))
        check_equal(set(left), {"stays", "goes", "zset", "long"}, "exported keys")
        check_equal(set(left["stays"]), {None}, "a key without a deadline")
        for key, most in (("goes", 600_000), ("zset", 700_000), ("long", 800_000)):
            check(all(most - 100_000 < ttl <= most for ttl in left[key]), f"{key} has {left[key]} ms left")
    check_equal(b.export(), a.export(), "but for the times the same")
    a.ok("import", "-", "--ignore-ttl", stdin=json.dumps({**lines[1], "key": "ignored"}))
    check("ttl_ms" not in next(line for line in a.ok("export").splitlines() if "ignored" in line), "--ignore-ttl")


def inclusive(line):
    first, last = map(int, line.split())
    return first, last + 1


def scenario_import_through_a_restart(lab):
    """an import goes on while its node is killed, and counts every line once"""
    a = lab.node("a")
    path = lab.path / "in.ndjson"
    with open(path, "w") as file:
        for i in range(LINES):
            file.write(json.dumps({"db": 0, "key": f"c{i % 10}", "type": "counter", "value": 1}) + "\n")
    done = []
    thread = threading.Thread(target=lambda: done.append(a.kvctl("import", str(path), "--batch-lines", "3")))
    thread.start()
    kills = 0
    while thread.is_alive() and kills < 3:
        time.sleep(0.15)
        a.kill()
        a.start()
        kills += 1
    thread.join()
    check_equal(done[0].returncode, 0, f"import: {done[0].stderr}")
    check_equal([a.ok("get", f"c{i}") for i in range(10)], [str(LINES // 10)] * 10, "the counters")
    return f"{kills} kills"


def scenario_demo(lab):
    """kvctl demo --auto runs through, and leaves nothing behind"""
    before = processes()
    done = subprocess.run(
        [BIN / "kvctl", "demo", "--auto"], capture_output=True, text=True, timeout=120, cwd=lab.path,
        env={**os.environ, "TMPDIR": str(lab.path)},
    )  # fmt: skip
    check_equal(done.returncode, 0, f"kvctl demo --auto: {done.stdout[-2000:]}{done.stderr}")
    check(re.search("converged", done.stdout), "the demo does not show that the nodes agree")
    check_equal(list(lab.path.iterdir()), [], "files that the demo left")
    check(processes() <= before or not (processes() - before) & demo_processes(lab), "processes that the demo left")


def processes():
    return {int(pid) for pid in os.listdir("/proc") if pid.isdigit()}


def demo_processes(lab):
    found = set()
    for pid in processes():
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if str(lab.path).encode() in file.read():
                    found.add(pid)
        except OSError:
            pass
    return found


def scenario_databases(lab):
    """databases do not share keys"""
    a = lab.node("a")
    a.ok("set", "k", "zero")
    a.ok("--db", "3", "set", "k", "three")
    check_equal((a.ok("get", "k"), a.ok("get", "k", "--db", "3")), ("zero", "three"), "k")
    a.fails(3, "--db", "4", "get", "k")
    check_equal(a.ok("scan", "--db", "3"), "k", "scan of database 3")


def scenario_heal_and_wait(lab):
    """heal returns when the links are up again, so that `heal && wait converged` speaks of both sides"""
    a, b = lab.cluster("a", "b")
    for i in range(5):
        a.ok("partition")
        b.ok("set", "k", str(i))
        b.process.send_signal(signal.SIGSTOP)  # a slow answer to the first hello
        threading.Timer(0.2, b.process.send_signal, [signal.SIGCONT]).start()
        a.ok("heal")
        check_equal(re.sub(r"\d+ ms", "N ms", a.ok("wait", "converged")), "converged after N ms: a, b", "wait converged")
        check_equal(a.ok("get", "k"), str(i), "what a reads then")
    told = json.loads(a.ok("wait", "converged", "-o", "json"))
    check_equal((told["members"], told["unreachable"]), (["a", "b"], []), "wait converged as JSON")
    a.ok("partition")
    b.kill()
    a.ok("heal")  # nobody to wait for
