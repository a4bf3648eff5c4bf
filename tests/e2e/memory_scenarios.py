"""Small memory: short runs of bench/small_memory.py, which has the figures. Needs a memory cgroup, so root."""

import json
import subprocess

from harness import BIN, ROOT, Skip, check, check_equal


def small_memory(lab, *args):
    done = subprocess.run(
        [ROOT / "bench" / "small_memory.py", *args, "--kvd", BIN / "kvd", "--dir", lab.path],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    if done.returncode == 3:
        raise Skip(done.stderr.strip())
    check_equal(done.returncode, 0, f"exit code of small_memory.py {' '.join(args)}: {done.stdout}{done.stderr}")
    result = json.loads(done.stdout)
    check_equal(result["at_the_end"]["kills"], 0, "kills by the kernel")
    return result


def scenario_more_data_than_memory(lab):
    """data larger than a memory cgroup: no kill, every answer right"""
    result = small_memory(lab, "capped", "--limit", "128M", "--data", "160M", "--seconds", "2")
    check(result["at_the_end"]["own_mib"] < 128, f"memory of the process: {result}")
    return f"{result['per_second']} commands a second, {result['at_the_end']['own_mib']} MiB"


def scenario_edge_node(lab):
    """a node with the flags for small machines serves sensors within 64 MiB"""
    result = small_memory(lab, "edge", "--seconds", "5")
    check(result["readings"] > 100, f"too few readings: {result}")
    return f"{result['readings']} readings, {result['own_mib_most']} MiB"
