"""Starting and stopping: flags, ports, data directories, signals."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

from harness import BIN, PATIENCE, Failed, check, check_contains, check_equal, eventually, need_program, need_root


def scenario_bad_flags(lab):
    """bad flags: exit code 2 and a sentence that names flag, value and what is allowed"""
    node = lab.prepare("a")
    for flags, parts in {
        ("--no-such-flag",): ["--no-such-flag"],
        ("stray",): ["stray"],
        ("--sync", "sometimes"): ["--sync", "sometimes", "everysec"],
        ("--memory", "lots"): ["--memory", "lots"],
        ("--memory", "1K"): ["--memory", "1K", "allowed"],
        ("--memory", "-1"): ["--memory"],
        ("--max-value", "1e3"): ["--max-value", "1e3"],
        ("--client", "127.0.0.1:70000"): ["--client", "70000", "65535"],
        ("--client", "127.0.0.1"): ["--client", "port"],
        ("--client", ""): ["--client"],
        ("--peer", "127.0.0.1:0x10"): ["--peer", "0x10"],
        ("--join", "127.0.0.1:0"): ["--join"],
        ("--join", "a:1,,b:2"): ["--join"],
        ("--name", "two words"): ["--name", "two words"],
        ("--name", ""): ["--name"],
        ("--cluster", "x" * 100): ["--cluster", "64"],
        ("--resp", "127.0.0.1:6380x"): ["--resp", "6380x"],
        ("--advertise", "0.0.0.0:7002"): ["--advertise"],
        ("--client", "0.0.0.0:0"): ["--client", "--insecure"],
        ("--http", "[::]:0"): ["--http", "--insecure"],
        ("--resp", "0.0.0.0:0"): ["--resp", "--insecure"],
        ("--peer", "0.0.0.0:0", "--insecure"): ["--peer", "--advertise"],
    }.items():
        said = refused_alone(node, *flags)
        for part in parts:
            check_contains(said, part, f"kvd {' '.join(flags)}")
    check_contains(refused_alone(node, data=False), "--data", "kvd without --data")
    check_contains(refused_alone(node, "--memory", "64M", "--memory", "32M"), "--memory", "a flag that is there twice")
    check(not node.data.exists(), "a refused start left a directory")
    helped = subprocess.run([BIN / "kvd", "--help"], capture_output=True, text=True)
    check_equal(helped.returncode, 0, "kvd --help")
    check_contains(helped.stdout, "--allow-faults", "kvd --help")


def refused_alone(node, *flags, data=True):
    command = [BIN / "kvd", *(["--data", node.data] if data else []), *flags]
    for door in ("--client", "--peer", "--resp", "--http"):
        command += [door, "127.0.0.1:0"] if door not in flags else []
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    said = ended.stdout + ended.stderr
    check_equal(ended.returncode, 2, f"exit code of kvd {' '.join(flags)}, which said {said!r}")
    return said


def scenario_busy_ports(lab):
    """a busy port: the message names it, nothing is left locked"""
    a = lab.node("a")
    for door in ("client", "peer", "resp", "http"):
        b = lab.prepare(f"b-{door}")
        b.doors[door] = a.doors[door]
        said = b.refuses_to_start(1)
        check_contains(said, a.doors[door], "what kvd says")
        check_contains(said, "in use", "what kvd says")
        b.doors[door] = "127.0.0.1:0"
        b.start()
    c = lab.prepare("c")
    c.doors["client"] = "192.0.2.1:7001"
    check_contains(c.refuses_to_start(1, "--insecure"), "192.0.2.1", "an address that is not ours")
    a.ok("set", "k", "still serves")


def scenario_directory_in_use(lab):
    """two processes on one directory: the second says who holds it, the first is unharmed"""
    a = lab.node("a")
    a.ok("set", "k", "v")
    second = lab.prepare("second", data=a.data)
    check_contains(second.refuses_to_start(1), str(a.process.pid), "what the second says")
    a.ok("set", "k", "w")
    a.kill()
    second.name = "a"
    second.start()  # the lock of a killed process is gone
    check_equal(second.ok("get", "k"), "w", "k")


def scenario_directories_that_are_not_ours(lab):
    """foreign, newer, damaged or unusable directories: a clear error, nothing is touched"""
    node = lab.prepare("a")

    def refused(what, *parts):
        before = listing(node.data)
        said = node.refuses_to_start(1)
        for part in (str(node.data), *parts):
            check_contains(said, part, what)
        check_equal(listing(node.data), before, f"{what}: its files")

    node.data = lab.path / "foreign"
    node.data.mkdir()
    (node.data / "important.doc").write_text("mine")
    refused("a foreign directory", "important.doc")
    node.data = lab.path / "no-parent" / "data"
    refused("a directory without a parent", "no-parent")
    node.data = lab.path / "file"
    node.data.write_text("not a directory")
    refused("a file", "not a directory")
    node.data = lab.path / "loop"
    node.data.symlink_to(node.data)
    check_contains(node.refuses_to_start(1), "loop", "a symlink loop")

    node.data = lab.path / "data"
    node.start()
    node.ok("set", "k", "v")
    node.stop()
    form = node.data / "FORMAT"
    good = form.read_text()
    form.write_text(good.replace("format 0", "format 99"))
    refused("a newer directory", "newer", "99")
    form.write_text("garbage\n")
    refused("a damaged FORMAT", "FORMAT")
    form.write_text(good)
    check_contains(
        lab.prepare("b", "--cluster", "other", data=node.data).refuses_to_start(1), "starling", "another cluster"
    )
    for database in ("log", "state"):
        current = node.data / database / "CURRENT"
        kept = current.read_bytes()
        current.write_bytes(b"garbage\n")
        said = node.refuses_to_start(1)
        check_contains(said, str(node.data), f"a damaged {database}")
        current.write_bytes(kept)
    node.start()
    check_equal(node.ok("get", "k"), "v", "k after all was mended")


def listing(path):
    return sorted(p.name for p in path.rglob("*")) if path.is_dir() else None


def scenario_directory_without_rights(lab):
    """a read-only directory: a clear error"""
    need_root("a read-only mount")
    node = lab.prepare("a")
    node.data = lab.tmpfs("small", 64)
    node.start()
    node.stop()
    subprocess.run(["mount", "-o", "remount,ro", node.data], check=True)
    said = node.refuses_to_start(1)
    check_contains(said, "not writable", "what kvd says")
    check_contains(said, str(node.data), "what kvd says")
    subprocess.run(["mount", "-o", "remount,rw", node.data], check=True)
    node.start()


def scenario_damaged_log(lab):
    """a log with a hole or without its end is refused, not served from; a torn tail is not damage"""
    a = lab.prepare("a", "--sync", "always")
    a.start()
    for i in range(300):
        a.ok("set", f"k{i}", "v" * 200) if i % 100 == 0 else None
    a.ok("batch", "-", stdin="".join(f"set b{i} {'w' * 200}\n" for i in range(3000)))
    for _ in range(20):
        a.ok("incr", "n")
    a.kill()
    pristine = lab.path / "pristine"
    shutil.copytree(a.data, pristine)
    wal = max((a.data / "log").glob("*.log"), key=lambda p: p.stat().st_size)
    relative = wal.relative_to(a.data)
    content = bytearray(wal.read_bytes())

    def with_log(changed):
        shutil.rmtree(a.data)
        shutil.copytree(pristine, a.data)
        (a.data / relative).write_bytes(changed)

    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0x40
    with_log(flipped)
    said = a.refuses_to_start(1)
    check_contains(said, str(a.data), "a flipped byte in the middle of the log")
    with_log(content[: len(content) // 2])
    check_contains(a.refuses_to_start(1), "damaged", "half a log")
    with_log(content + b"\0" * 100)
    a.start()
    check_equal(a.ok("get", "n"), "20", "n after a torn tail")
    check_equal(a.ok("get", "b2999"), "w" * 200, "b2999 after a torn tail")


def scenario_signals(lab):
    """SIGTERM and SIGINT stop a node cleanly, a second SIGTERM at once; SIGHUP and SIGPIPE do not harm"""
    a, b = lab.cluster("a", "b")
    a.ok("set", "k", "v")
    a.process.send_signal(signal.SIGPIPE)
    start = time.monotonic()
    a.stop(10)
    check(time.monotonic() - start < 10, "a clean stop takes too long")
    eventually(lambda: b.status()["members"][0]["state"] == "down", "b notices at once", seconds=3)
    a.start()
    a.process.send_signal(signal.SIGINT)
    check_equal(a.process.wait(10), 0, "exit code after SIGINT")
    a.start()
    a.ok("batch", "-", stdin="".join(f"set k{i} {'v' * 1000}\n" for i in range(20_000)), timeout=300)
    a.process.send_signal(signal.SIGTERM)
    a.process.send_signal(signal.SIGTERM)
    try:
        a.process.wait(5)
    except subprocess.TimeoutExpired:
        raise Failed("a second SIGTERM does not end the node") from None
    a.start()
    check_equal(a.ok("get", "k19999"), "v" * 1000, "a key after SIGTERM twice")
    for _ in range(5):  # in the middle of a start
        a.kill()
        a.launch()
        time.sleep(0.02)
        a.process.send_signal(signal.SIGTERM)
        check(a.process.wait(15) in (0, -signal.SIGTERM), "exit code after SIGTERM while starting")
    a.start()
    check_equal(a.ok("get", "k"), "v", "k")


def scenario_stdout_gone(lab):
    """kvd goes on when the reader of its ready line has gone"""
    a = lab.node("a")
    a.process.stdout.close()
    a.process.stdout = open(os.devnull, "rb")
    a.ok("set", "k", "v")
    check_equal(a.ok("get", "k"), "v", "k")


def scenario_few_descriptors(lab):
    """with 64 file descriptors a node refuses connections rather than spin or fail"""
    need_program("prlimit", "util-linux")
    a = lab.node("a")
    a.ok("set", "k", "v")
    open_now = len(list(pathlib.Path(f"/proc/{a.process.pid}/fd").iterdir()))
    subprocess.run(["prlimit", f"--pid={a.process.pid}", f"--nofile={open_now + 10}"], check=True)
    connections = []
    for _ in range(100):
        connections.append(a.connect())
    time.sleep(0.5)
    before = cpu_seconds(a)
    time.sleep(1)
    spent = cpu_seconds(a) - before
    check(spent < 0.3, f"{spent} s of CPU in a second without descriptors")
    for connection in connections:
        connection.close()
    eventually(lambda: a.kvctl("get", "k").stdout == "v\n", "served again")


def cpu_seconds(node):
    fields = pathlib.Path(f"/proc/{node.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
