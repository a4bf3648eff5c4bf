"""redis-cli and redis-benchmark, unmodified and without a terminal, as scripts and administrators use them."""

import contextlib
import csv
import io
import re
import subprocess
import sys

from harness import ROOT, check, check_contains, check_equal, eventually, need_program

sys.path.insert(0, str(ROOT / "tests" / "resp"))

PATIENCE = 120  # seconds


def port_of(address):
    return address.rsplit(":", 1)[1]


def cli(address, *args, stdin=""):
    """CompletedProcess with bytes."""
    need_program("redis-cli", "redis-tools")
    command = ["redis-cli", "-p", port_of(address), *args]
    return subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=PATIENCE)


def cli_ok(node, *args, **options):
    """What it printed, as text without the last newline."""
    done = cli(node.doors["resp"], *args, **options)
    check_equal((done.returncode, done.stderr), (0, b""), f"redis-cli {' '.join(args)}: {done.stdout[-500:]}")
    return done.stdout.decode(errors="surrogateescape").removesuffix("\n")


SESSION = """\
SET greeting "hello \\x00 world"
GET greeting
INCR visits
INCR visits
HSET user name Ada mail ada@example.org
HGETALL user
SADD fruit apple
ZADD scores 1.5 ada 2 bob
ZRANGE scores 0 -1 WITHSCORES
GET nothing
INCR user
MULTI
SET q 1
INCR q
EXEC
MULTI
NOSUCHCOMMAND
EXEC
TYPE user
SELECT 3
DBSIZE
FLUSHDB x
HGET user
"""

# What redis-cli is asked to do, with what on its standard input; the same databases before each.
ONE_SHOT = [
    (["-x", "SET", "blob"], "from a file\n"),
    (["-X", "value", "HSET", "user", "note", "value"], "from a file\n"),
    (["--csv", "ZRANGE", "scores", "0", "-1", "WITHSCORES"], ""),
    (["--no-raw", "ZRANGE", "scores", "0", "-1", "WITHSCORES"], ""),
    (["--json", "HGETALL", "user"], ""),
    (["-3", "--json", "ZRANGE", "scores", "0", "-1", "WITHSCORES"], ""),
    (["-3", "--no-raw", "HGETALL", "user"], ""),
    (["-3", "--no-raw", "SMEMBERS", "fruit"], ""),
    (["-d", ",", "MGET", "visits", "q"], ""),
    (["-e", "INCR", "user"], ""),
    (["--quoted-input", "SET", '"\\x00key"', '"va\\xfflue"'], ""),
    (["-r", "3", "-i", "0.001", "INCR", "visits"], ""),
    (["-n", "3", "SET", "elsewhere", "v"], ""),
    (["--user", "default", "--pass", "secret", "--no-auth-warning", "PING"], ""),
    (["--scan", "--pattern", "s*"], ""),
    (["--hotkeys"], ""),
    (["OBJECT", "ENCODING", "visits"], ""),
    (["NOSUCHCOMMAND", "x"], ""),
    (["COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"], ""),
    (["CLIENT", "SETNAME", "a b"], ""),
]


def scenario_redis_cli_prints_the_same(lab):
    """redis-cli prints the same for redis-server and for kvd: sessions from a file, -x, --csv, --json, RESP3, errors"""
    need_program("redis-server", "redis-server")
    from servers import Redis

    node = lab.node("a")
    with Redis() as server:
        for options in ([], ["-3"], ["--no-raw"], ["--csv"]):
            for address in (server.address, node.doors["resp"]):
                cli(address, "FLUSHALL")
            ours, theirs = (cli(address, *options, stdin=SESSION) for address in (node.doors["resp"], server.address))
            check_equal(ours.stdout, theirs.stdout, f"a session, {options}")
        for args, stdin in ONE_SHOT:
            ours, theirs = (cli(address, *args, stdin=stdin) for address in (node.doors["resp"], server.address))
            told = [(done.returncode, done.stdout, done.stderr) for done in (ours, theirs)]
            check_equal(*told, f"redis-cli {' '.join(args)}")
        url = f"redis://127.0.0.1:{port_of(node.doors['resp'])}/3"
        check_equal(cli_ok(node, "-u", url, "GET", "elsewhere"), "v", "by URL")
    return f"{len(ONE_SHOT)} one-shot commands, 4 sessions of {len(SESSION.splitlines())}"


def mass(lines):
    """Redis's own protocol, as for mass insertion."""
    return "".join(
        f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words) for words in map(str.split, lines)
    )


def scenario_mass_insertion(lab):
    """redis-cli --pipe inserts 30,000 commands, which the other node then has, and counts the errors among them"""
    a, b = lab.cluster("a", "b")
    lines = [f"SET k:{i} {i}" if i % 2 else f"ZADD board {i} member:{i}" for i in range(30_000)]
    done = cli(a.doors["resp"], "--pipe", stdin=mass(lines))
    check_contains(done.stdout.decode(), "errors: 0, replies: 30000", "mass insertion")
    check_equal(done.returncode, 0, "exit code")
    done = cli(a.doors["resp"], "--pipe", stdin=mass(["SET one 1", "INCR board", "SET two 2"]))
    check_contains(done.stdout.decode(), "errors: 1, replies: 3", "insertion with an error")
    a.wait_converged(60)
    check_equal(cli_ok(b, stdin="DBSIZE\nZCARD board\nGET k:29999\nZSCORE board member:29998\n"),
                "15003\n15000\n29999\n29998", "what b has")  # fmt: skip


def scenario_looking_at_a_node(lab):
    """--scan, --bigkeys, --memkeys, --stat, --latency and INFO show an administrator what there is"""
    a, b = lab.cluster("a", "b")
    fill = [f"SET text:{i} {'x' * (i % 50)}." for i in range(3000)] + ["SADD crowd a b c d e", "HSET user name Ada"]
    fill += [f"ZADD board {i} m{i}" for i in range(40)]
    check_equal(cli(a.doors["resp"], "--pipe", stdin=mass(fill)).returncode, 0, "filling")
    names = {line.split()[1] for line in fill}
    check_equal(set(cli_ok(a, "--scan").splitlines()), names, "--scan")
    some = {name for name in names if re.fullmatch(r"text:.*7", name)}
    check_equal(set(cli_ok(a, "--scan", "--pattern", "text:*7").splitlines()), some, "--scan --pattern")
    report = cli_ok(a, "--bigkeys")
    for line in ("Sampled 3003 keys in the keyspace!", "3000 strings with", '"crowd"\' has 5 members', '"board"\' has 40 members',
                 '"user"\' has 1 fields'):  # fmt: skip
        check_contains(report, line, "--bigkeys")
    check(re.search(r'Biggest string found \'?"text:\d*[49]9"', report), f"the biggest string: {report[-900:]}")
    check_contains(cli_ok(a, "--memkeys"), "Sampled 3003 keys in the keyspace!", "--memkeys")

    info = dict(line.split(":", 1) for line in cli_ok(a, "INFO").splitlines() if ":" in line)
    check_equal((info["redis_version"], info["node_name"], info["role"]), ("7.0.15", "a", "master"), "INFO")
    check_contains(info["db0"], "keys=3003", "INFO keyspace")
    check_equal(info["peers_connected"], "1", "INFO crdt")
    check_equal(cli_ok(a, "INFO", "nosuchsection"), "", "a section that is not there")
    for section in ("server", "clients", "memory", "stats", "commandstats"):
        check_contains(cli_ok(a, "INFO", section), f"# {section.capitalize()}", f"INFO {section}")
    with running("redis-cli", "-p", port_of(a.doors["resp"]), "--stat", "-i", "0.05") as stat:
        lines = [stat.stdout.readline() for _ in range(4)]
        check(all(line.split()[0] == "3003" for line in lines[2:]), f"--stat: {lines}")
    smallest, largest, average, samples = cli_ok(a, "--latency", "-i", "0.2").split()
    check(float(smallest) <= float(average) <= float(largest) and int(samples) > 0, "--latency")


@contextlib.contextmanager
def running(*command):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stdin.close()


def scenario_redis_cli_listens(lab):
    """redis-cli subscribes and hears what another redis-cli publishes"""
    need_program("redis-cli", "redis-tools")
    node = lab.node("a")
    with running("redis-cli", "-p", port_of(node.doors["resp"]), "PSUBSCRIBE", "news.*") as listener:
        check_equal([listener.stdout.readline() for _ in range(3)], ["psubscribe\n", "news.*\n", "1\n"], "confirmed")
        check_equal(cli_ok(node, "PUBLISH", "news.today", "sunny"), "1", "PUBLISH")
        heard = [listener.stdout.readline().strip() for _ in range(4)]
        check_equal(heard, ["pmessage", "news.*", "news.today", "sunny"], "heard")
    eventually(lambda: cli_ok(node, "PUBSUB", "NUMPAT") == "0", "the listener is forgotten")


def scenario_what_is_refused_says_why(lab):
    """scripts, modules, replicas and clusters are refused with a reason; MONITOR is unknown; nothing says OK for nothing"""
    node = lab.node("a")
    for words, said in [
        (["EVAL", "return 1", "0"], "ERR there is no script engine"),
        (["MODULE", "LOAD", "/x.so"], "ERR there are no modules"),
        (["REPLICAOF", "127.0.0.1", "1"], "ERR nodes do not follow one another here"),
        (["CLUSTER", "INFO"], "ERR This instance has cluster support disabled"),
        (["SWAPDB", "0", "1"], "ERR SWAPDB is not supported"),
        (["MONITOR"], "ERR unknown command 'MONITOR'"),
        (["CONFIG", "SET", "appendonly", "no"], "ERR "),
    ]:
        check_contains(cli(node.doors["resp"], *words).stdout.decode(), said, " ".join(words))
    check_equal(cli(node.doors["resp"], "--rdb", str(lab.path / "dump")).returncode, 1, "--rdb")
    check_equal(cli_ok(node, "PING"), "PONG", "afterwards")


# Those of its default tests that concern the types that there are.
BENCHMARKS = "ping_inline,ping_mbulk,set,get,incr,sadd,hset,spop,zadd,zpopmin,mset"

RUNS = [["-n", "1000", "-c", "20"], ["-n", "5000", "-P", "16", "-r", "500"], ["-n", "1000", "--threads", "2"], ["-3", "-n", "500"]]


def scenario_redis_benchmark(lab):
    """redis-benchmark runs its tests, plain, with pipelines, with threads and in RESP3"""
    need_program("redis-benchmark", "redis-tools")
    a, b = lab.cluster("a", "b")
    results = {}
    for options in RUNS:
        command = ["redis-benchmark", "-p", port_of(a.doors["resp"]), "-t", BENCHMARKS, "--csv", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        check_equal((done.returncode, done.stderr), (0, ""), f"{' '.join(options)}: {done.stdout[-300:]}")
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        tests = {row["test"].split()[0] for row in rows}
        check_equal(tests, {"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "SADD", "HSET", "SPOP", "ZADD", "ZPOPMIN", "MSET"},
                    f"tests, {options}")  # fmt: skip
        check(all(float(row["rps"]) > 0 for row in rows), f"a test that did nothing: {rows}")
        results[" ".join(options)] = next(row["rps"] for row in rows if row["test"] == "SET")
    a.wait_converged(60)
    check_equal(cli_ok(b, "DBSIZE"), cli_ok(a, "DBSIZE"), "what b has of it")
    done = subprocess.run(
        ["redis-benchmark", "-p", port_of(a.doors["resp"]), "-n", "1000", "-q", "HINCRBY", "tally", "f", "1"],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    check_equal((done.returncode, cli_ok(a, "HGET", "tally", "f")), (0, "1000"), f"a command of one's own: {done.stderr}")
    return "SET a second: " + ", ".join(f"{rate} ({options})" for options, rate in results.items())
