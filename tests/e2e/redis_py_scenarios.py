"""python3-redis, unmodified, as applications use it: against redis-server for the same replies, and on a cluster."""

import asyncio
import random
import sys
import threading
import time

from an_application import error_of, steps, steps_with_any_bytes
from harness import ROOT, check, check_equal, eventually, need_redis_py

sys.path.insert(0, str(ROOT / "tests" / "resp"))

MIB = 1 << 20
PATIENCE = 60  # seconds that a client waits for one reply


def client(address, **options):
    redis = need_redis_py()
    host, port = address.rsplit(":", 1)
    return redis.Redis(host, int(port), **{"decode_responses": True, "socket_timeout": PATIENCE, **options})


def client_of(node, **options):
    return client(node.doors["resp"], **options)


def scenario_an_application_cannot_tell_the_difference(lab):
    """an application on python3-redis gets the same from kvd and from redis-server, as text and as bytes"""
    need_redis_py()
    from servers import Redis

    node = lab.node("a")
    with Redis() as server:
        calls = 0
        for decode in (True, False):
            ours, theirs = client_of(node, decode_responses=decode), client(server.address, decode_responses=decode)
            for what, call in steps() if decode else steps_with_any_bytes():
                check_equal(error_of(lambda: call(ours)), error_of(lambda: call(theirs)), f"{what} (decoded: {decode})")
                calls += 1
    return f"{calls} steps"


def scenario_pipelines(lab):
    """20,000 commands in pipelines: each its own reply in its own place, errors among them"""
    a, b = lab.cluster("a", "b")
    r = client_of(a)
    for transaction in (False, True):
        pipe = r.pipeline(transaction=transaction)
        for i in range(2500):
            pipe.set(f"k{i}", i).get(f"k{i}").incr("sum").hset("h", i, i)
        replies = pipe.execute()
        check_equal([int(x) for x in replies[1::4]], list(range(2500)), "GETs between the SETs")
        start = 2500 * transaction
        check_equal(replies[2::4], list(range(start + 1, start + 2501)), "INCRs in order")
    replies = r.pipeline(transaction=False).set("t", "x").incr("t").hget("t", "f").get("t").execute(raise_on_error=False)
    check_equal([type(x).__name__ for x in replies], ["bool", "ResponseError", "ResponseError", "str"], "errors in place")
    a.wait_converged()
    check_equal([client_of(b).get("sum"), client_of(b).hlen("h"), client_of(b).dbsize()], ["5000", 2500, 2503], "on b")


def scenario_optimistic_transactions(lab):
    """WATCH with retries: four threads move money between accounts of one node, and none is lost or made"""
    a, b = lab.cluster("a", "b")
    accounts, rounds = [f"account:{i}" for i in range(3)], 40
    client_of(a).mset(dict.fromkeys(accounts, 1000))
    attempts, problems = [], []

    def move(seed):
        rng, r = random.Random(seed), client_of(a)
        try:
            for _ in range(rounds):
                source, target = rng.sample(accounts, 2)

                def transfer(pipe):
                    attempts.append(1)
                    left, there = int(pipe.get(source)), int(pipe.get(target))
                    pipe.multi()
                    pipe.mset({source: left - 7, target: there + 7})
                    pipe.incr("transfers")

                r.transaction(transfer, source, target)
        except Exception as error:  # noqa: BLE001: told by the test, not by the thread
            problems.append(error)

    threads = [threading.Thread(target=move, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_equal(problems, [], "problems of the threads")
    a.wait_converged()
    for node in (a, b):
        r = client_of(node)
        check_equal(sum(map(int, r.mget(accounts))), 3000, f"money on {node.name}")
        check_equal(r.get("transfers"), str(4 * rounds), f"transfers on {node.name}")
    return f"{len(attempts)} attempts for {4 * rounds} transfers"


def scenario_iterators(lab):
    """scan_iter, hscan_iter, sscan_iter and zscan_iter meet what stays, while others come and go"""
    a, _ = lab.cluster("a", "b")
    r = client_of(a)
    names = [f"stays:{i}" for i in range(2000)]
    pipe = r.pipeline(transaction=False)
    for i, name in enumerate(names):
        pipe.set(name, i).hset("hash", name, i).sadd("set", name).zadd("zset", {name: i})
    pipe.execute()
    stop = threading.Event()

    def restless():
        other, i = client_of(a), 0
        while not stop.is_set():
            i += 1
            name = f"comes:{i % 500}"
            pipe = other.pipeline(transaction=False)
            pipe.set(name, i).hset("hash", name, i).sadd("set", name).zadd("zset", {name: i})
            if i % 3 == 0:
                gone = f"comes:{i // 2 % 500}"
                pipe.delete(gone).hdel("hash", gone).srem("set", gone).zrem("zset", gone)
            pipe.execute()

    thread = threading.Thread(target=restless)
    thread.start()
    try:
        for count in (None, 10, 1000):
            kept = lambda met: {name for name in met if name.startswith("stays:")}  # noqa: E731
            check_equal(kept(r.scan_iter(count=count)), set(names), f"keys, count {count}")
            check_equal(kept(dict(r.hscan_iter("hash", count=count))), set(names), f"fields, count {count}")
            check_equal(kept(r.sscan_iter("set", count=count)), set(names), f"elements, count {count}")
            scores = {name: score for name, score in r.zscan_iter("zset", count=count) if name.startswith("stays:")}
            check_equal(scores, {name: float(i) for i, name in enumerate(names)}, f"members, count {count}")
        some = {name for name in names if name.endswith("7")}
        check_equal(set(r.scan_iter(match="stays:*7", count=100)), some, "keys that match")
        check_equal({f for f, _ in r.hscan_iter("hash", match="stays:*7")}, some, "fields that match")
        check_equal(set(r.scan_iter(_type="zset")), {"zset"}, "keys of a type")
    finally:
        stop.set()
        thread.join()


def scenario_expiry(lab):
    """keys of a cache expire on every node, for readers and in the count of keys"""
    a, b = lab.cluster("a", "b")
    on_a, on_b = client_of(a), client_of(b)
    for i in range(100):
        on_a.psetex(f"brief:{i}", 50 + i, "v")
        on_a.hset(f"session:{i}", mapping={"user": i})
        on_a.pexpire(f"session:{i}", 50 + i)
    on_a.set("lasting", "v", ex=1000)
    on_a.set("kept", "v", ex=1000)
    check(on_a.persist("kept"), "PERSIST")
    for r in (on_a, on_b):
        eventually(lambda r=r: r.dbsize() == 2, "all other keys go")
        check_equal(set(r.scan_iter()), {"lasting", "kept"}, "keys that stay")
        check_equal([r.exists("brief:1"), r.ttl("brief:1"), r.ttl("kept")], [0, -2, -1], "what is said of them")
        check(900 < r.ttl("lasting") <= 1000, "the deadline of a lasting key")


def scenario_large_binary_values(lab):
    """values of 5 MB, of any bytes, in strings, fields and pipelines; what is too large is refused, and the connection lives"""
    redis = need_redis_py()
    a, b = lab.cluster("a", "b", flags=("--memory", "512MiB"))
    on_a, on_b = client_of(a, decode_responses=False), client_of(b, decode_responses=False)
    blob = random.Random(5).randbytes(5 * MIB)
    edge = (bytes(range(256)) * (5 * MIB // 256))[: 5 * MIB - 7] + b"\r\n+OK\r\n"
    replies = on_a.pipeline(transaction=True).set("blob", blob).hset("h", "edge", edge).mget("blob", "h").execute()
    check(replies[2][0] == blob, "the blob in the same transaction")
    a.wait_converged(60)
    for r in (on_a, on_b):
        check(r.get("blob") == blob and r.hget("h", "edge") == edge, "large values differ")
        check_equal([r.strlen("blob"), r.hstrlen("h", "edge")], [5 * MIB, 5 * MIB], "sizes")
        check(r.getrange("blob", 3 * MIB, 3 * MIB + 99) == blob[3 * MIB : 3 * MIB + 100], "a part")
    try:
        on_a.set("too large", bytes(9 * MIB))
        check(False, "a value beyond --max-value is taken")
    except redis.ResponseError as error:
        check("9437184" in str(error), f"what is said of a value that is too large: {error}")
    check_equal(on_a.append("blob", b"."), 5 * MIB + 1, "afterwards")


def scenario_publish_and_subscribe(lab):
    """channels and patterns between clients of one node, in order, while another subscriber leaves"""
    a = lab.node("a")
    publisher, r = client_of(a), client_of(a)
    listener = r.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("news", "weather")
    listener.psubscribe("log.*")
    leaving = r.pubsub()
    leaving.subscribe("news")
    eventually(lambda: publisher.pubsub_numsub("news") == [("news", 2)], "both listen")
    check_equal(publisher.pubsub_numpat(), 1, "patterns")
    check_equal(sorted(publisher.pubsub_channels()), ["news", "weather"], "channels")
    for i in range(500):
        check_equal(publisher.publish("log.app", f"line {i}"), 1, "listeners of a pattern")
    leaving.close()
    eventually(lambda: publisher.publish("news", "extra") == 1, "the one that left is forgotten")
    publisher.publish("weather", "sunny")
    heard = []
    while not heard or heard[-1]["data"] != "sunny":
        message = listener.get_message(timeout=PATIENCE)
        if message:
            heard.append(message)
    check_equal([m["data"] for m in heard if m["pattern"] == "log.*"], [f"line {i}" for i in range(500)], "the log")
    listener.unsubscribe()
    listener.punsubscribe()
    eventually(lambda: publisher.pubsub_channels() == [], "all are forgotten")

    handled = []
    handler = r.pubsub(ignore_subscribe_messages=True)
    handler.subscribe(jobs=lambda message: handled.append(message["data"]))
    thread = handler.run_in_thread(sleep_time=0.01)
    try:
        publisher.publish("jobs", "one")
        publisher.publish("jobs", "two")
        eventually(lambda: handled == ["one", "two"], "the handler's thread hears both")
    finally:
        thread.stop()
        thread.join()


def scenario_asyncio(lab):
    """the asyncio client: 200 tasks share a pool, and every increment counts"""
    need_redis_py()
    import redis.asyncio

    a, b = lab.cluster("a", "b")

    async def run():
        host, port = a.doors["resp"].rsplit(":", 1)
        pool = redis.asyncio.BlockingConnectionPool(host=host, port=int(port), max_connections=20, decode_responses=True)
        r = redis.asyncio.Redis(connection_pool=pool)

        async def task(i):
            async with r.pipeline(transaction=True) as pipe:
                await pipe.incr("sum").sadd("tasks", i).execute()
            return int(await r.get("sum")) > 0

        done = await asyncio.gather(*(task(i) for i in range(200)))
        check(all(done), "a task read nothing")
        check_equal(len([e async for e in r.sscan_iter("tasks")]), 200, "tasks")
        await pool.disconnect()

    asyncio.run(run())
    a.wait_converged()
    check_equal(client_of(b).get("sum"), "200", "the sum on b")


def scenario_a_node_is_killed_under_its_clients(lab):
    """clients reconnect by themselves while their node is killed and restarted, and nothing acknowledged is lost"""
    redis = need_redis_py()
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    a, b = lab.cluster("a", "b")
    stop, acknowledged, problems = threading.Event(), {}, []

    def write(name):
        # OSError: redis-py does not count a refused connection as a ConnectionError when it retries.
        r = client_of(a, retry=Retry(ConstantBackoff(0.05), 600), retry_on_error=[redis.ConnectionError, OSError])
        i = 0
        try:
            while not stop.is_set():
                i += 1
                r.set(f"{name}:{i}", i)  # a repeated SET does no harm
                r.sadd(name, i)
                acknowledged[name] = i
        except Exception as error:  # noqa: BLE001: told by the test, not by the thread
            problems.append(error)

    writers = [f"writer{n}" for n in range(3)]
    threads = [threading.Thread(target=write, args=(name,)) for name in writers]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            before = dict(acknowledged)
            eventually(
                lambda: problems or all(acknowledged.get(w, 0) > before.get(w, 0) + 20 for w in writers),
                "all writers go on",
            )
            check_equal(problems, [], "problems of the writers")
            a.kill()
            time.sleep(0.05)  # let them run into it
            a.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    check_equal(problems, [], "problems of the writers")
    eventually(a.is_ready, "a is ready")
    a.wait_converged()
    for node in (a, b):
        r = client_of(node)
        for name, last in acknowledged.items():
            check(r.scard(name) >= last, f"{name} on {node.name}: {r.scard(name)} of {last} elements")
            values = r.mget([f"{name}:{i}" for i in range(1, last + 1)])
            check_equal(values, [str(i) for i in range(1, last + 1)], f"values of {name} on {node.name}")
    return f"{sum(acknowledged.values())} writes, 3 kills"


def scenario_pooled_connections(lab):
    """a pool of connections: named, listed, killed by an administrator, and made anew"""
    redis = need_redis_py()
    a = lab.node("a")
    host, port = a.doors["resp"].rsplit(":", 1)
    pool = redis.BlockingConnectionPool(
        host=host, port=int(port), max_connections=8, decode_responses=True, client_name="app", timeout=PATIENCE
    )
    r, admin = redis.Redis(connection_pool=pool), client_of(a)
    counts = []

    def work():
        for _ in range(50):
            counts.append(r.incr("n"))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_equal(sorted(counts), list(range(1, 801)), "every increment has its own reply")
    mine = [c for c in admin.client_list() if c["name"] == "app"]
    check(1 <= len(mine) <= 8, f"{len(mine)} connections of the pool")
    for connection in mine:
        admin.client_kill_filter(_id=connection["id"])
    eventually(lambda: not [c for c in admin.client_list() if c["name"] == "app"], "they are gone")
    for _ in range(len(mine)):  # each connection notices when it is used, and the next try makes it anew
        try:
            r.incr("n")
        except redis.ConnectionError:
            pass
    check(800 < r.incr("n") <= 801 + len(mine), "the pool works again")
