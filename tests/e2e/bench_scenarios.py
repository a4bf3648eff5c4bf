"""kvbench starts servers, measures, prints what it promises and leaves nothing behind. No figure is judged here."""

import json
import os
import pathlib
import re
import signal
import subprocess

from harness import BIN, PATIENCE, check, check_contains, check_equal, eventually, need_program


def bench(lab, *args, env=None):
    """CompletedProcess; servers and their data are in the directory of the lab."""
    return subprocess.run(
        [BIN / "kvbench", *args, "--dir", lab.path],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **(env or {})},
    )


def results(lab, *args):
    done = bench(lab, *args, "-o", "json")
    check_equal(done.returncode, 0, f"exit code of kvbench {' '.join(map(str, args))}: {done.stderr}")
    result = json.loads(done.stdout)
    for name in ("machine", "commit", "build", "command", "date"):
        check(result[name], f"kvbench does not say its {name}")
    check_equal(list(lab.path.glob("kvbench-*")), [], "directories that kvbench left behind")
    return result


def numbers(object_, *names):
    for name in names:
        check(isinstance(object_[name], int | float) and object_[name] >= 0, f"{name} in {object_}")


def scenario_bench_compares_with_redis(lab):
    """kvbench redis: every cell has both servers, ratios with quartiles, and a page without anything from elsewhere"""
    need_program("redis-server", "redis-server")
    baseline = lab.path / "baseline.json"
    tiny = ("--pairs", "2", "-n", "200", "-k", "100", "-c", "5")
    result = results(
        lab, "redis", "--commands", "set,SADD-many,ZADD,LPUSH", "-P", "1,16", "-r", "2000",
        "--report", lab.path / "report", "--write-baseline", baseline, "--bound", "1000", *tiny,
    )  # fmt: skip
    names = [f"{what} {how}{size}" for what, size in (("SET", " 64 B"), ("SADD-many", ""), ("ZADD", ""), ("LPUSH", " 64 B"))
             for how in ("P1", "P16", "2000/s") if what not in result["skipped"]]  # fmt: skip
    check_equal([cell["name"] for cell in result["cells"]], names, "cells")
    for cell in result["cells"]:
        for server in ("kvd", "redis"):
            numbers(cell[server], "per_second", "cpu_us_per_op", "p50_us", "p99_us", "p999_us", "resident_bytes", "disk_bytes")
            check_equal((cell[server]["replies"], cell[server]["errors"]), (400, 0), f"replies in {cell['name']}")
        for ratio in ("throughput", "cpu"):
            spread = cell["ratio"][ratio]
            check(0 < spread["q1"] <= spread["median"] <= spread["q3"], f"{ratio} of {cell['name']}: {spread}")
    page = (lab.path / "report" / "redis.html").read_text()
    check_contains(page, "<svg", "the page")
    check(not re.search(r"https?:|src=|href=", page), "the page refers to something else")

    # A baseline warns and never fails.
    ratios = json.loads(baseline.read_text())
    ratios["cells"]["SET P1 64 B"] = {"throughput": 1e6, "cpu": 1e-6}
    baseline.write_text(json.dumps(ratios))
    notes = results(lab, "redis", "--commands", "set", "-P", "1", "--baseline", baseline, *tiny)["notes"]
    for part in ("warning: SET P1 64 B: throughput ratio", "better: SET P1 64 B: cpu ratio"):
        check(any(note.startswith(part) for note in notes), f"no note '{part}…' in {notes}")
    baseline.write_text("[]")
    notes = results(lab, "redis", "--commands", "set", "-P", "1", "--baseline", baseline, *tiny)["notes"]
    check_contains(notes[-1], "is not a baseline", "a damaged baseline")


def scenario_bench_measures_nodes(lab):
    """kvbench converge, sets, memory, start and footprint print every figure that they promise"""
    need_program("redis-server", "redis-server")
    result = results(lab, "converge", "--samples", "20", "--load-rate", "100", "--heal-ops", "500", "--rounds", "1",
                     "--cpu-rate", "200", "-s", "0.5", "--pairs", "1", "-k", "100")  # fmt: skip
    for load in ("idle", "loaded"):
        numbers(result["visible"][load], "p50_us", "p99_us")
        check_equal(result["visible"][load]["samples"], 20, f"samples, {load}")
    numbers(result["heal"], "per_second", "bytes_to_payload", "first_visible_ms")
    numbers(result["cpu"], "alone_us_per_op", "accepting_us_per_op", "peers_us_per_op")

    result = results(lab, "sets", "--elements", "10,1000", "-n", "100", "--rounds", "1")
    check_equal([size["elements"] for size in result["sizes"]], [10, 1000], "sizes of sets")
    for size in result["sizes"]:
        numbers(size["add"], "cpu_us", "remote_cpu_us", "wire_bytes")
        numbers(size["remove"], "cpu_us", "remote_cpu_us", "wire_bytes")
        numbers(size, "del_p50_us", "gone_p50_us")

    result = results(lab, "memory", "-k", "1000")
    check_equal(len(result["types"]), 8, "types")
    for type_ in result["types"]:
        numbers(type_["kvd"], "resident_bytes", "table_bytes", "disk_bytes", "metadata_bytes")
        numbers(type_["redis"], "resident_bytes", "disk_bytes")

    result = results(lab, "start", "-k", "1000", "--rounds", "1")
    for server in ("kvd", "redis"):
        for what in ("empty", "clean", "killed"):
            numbers(result[server][what], "median_s")
    result = results(lab, "footprint", "--rounds", "1")
    numbers(result["kvd"], "resident_bytes", "private_bytes", "program_bytes")


def scenario_bench_says_what_is_missing(lab):
    """kvbench without redis-server, without kvd or without a directory says what, why and what to do"""
    for args, what, advice in (
        (("redis", "--redis", "/nowhere"), "no redis-server at /nowhere", "--redis"),
        (("redis", "--kvd", "/nowhere"), "no kvd at /nowhere", "./dev build kvd"),
        (("redis", "--commands", "FLY"), "no workload 'FLY'", "there are: SET GET"),
        (("redis", "--dir", lab.path / "none"), "cannot make a directory", "--dir"),
    ):
        done = subprocess.run([BIN / "kvbench", *args], capture_output=True, text=True, timeout=PATIENCE)
        check_equal(done.returncode, 1, f"exit code of kvbench {args}")
        check_contains(done.stderr, what, "what is wrong")
        check_contains(done.stderr, advice, "what to do")
    done = bench(lab, "redis", env={"PATH": str(lab.path)})
    check_contains(done.stderr, "apt-get install redis-server", "what to do without redis-server")


def scenario_bench_is_interrupted(lab):
    """Ctrl-C and kill -9 end kvbench and all servers that it started; after Ctrl-C their data is gone"""
    for signal_, code in ((signal.SIGINT, 128 + signal.SIGINT), (signal.SIGKILL, -signal.SIGKILL)):
        running = subprocess.Popen(
            [BIN / "kvbench", "converge", "--parts", "visible", "--samples", "100000", "--dir", lab.path],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            children = eventually(lambda: len(found := children_of(running.pid)) == 2 and found, "two servers run")
        finally:
            running.send_signal(signal_)
        check_equal(running.wait(PATIENCE), code, "exit code")
        eventually(lambda: not any(map(is_running, children)), "the servers ended")  # noqa: B023
        if signal_ == signal.SIGINT:
            check_equal(list(lab.path.glob("kvbench-*")), [], "directories that kvbench left behind")


def children_of(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
