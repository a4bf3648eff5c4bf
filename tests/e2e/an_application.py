"""What an application on python3-redis does, step by step. Each step returns the same from redis-server and from kvd."""

from harness import need_redis_py


def error_of(call):
    try:
        return call()
    except need_redis_py().RedisError as error:
        return type(error).__name__, str(error)


def steps():
    """(what, call), in order."""
    yield "set", lambda r: r.set("greeting", "hello")
    yield "set nx", lambda r: r.set("greeting", "again", nx=True)
    yield "set xx get", lambda r: r.set("greeting", "hello, world", xx=True, get=True)
    yield "mset", lambda r: r.mset({"a": 1, "b": 2.5, "empty": ""})
    yield "mget", lambda r: r.mget("a", "b", "empty", "absent")
    yield "append", lambda r: r.append("greeting", "!")
    yield "getrange", lambda r: r.getrange("greeting", -6, -1)
    yield "incr", lambda r: [r.incr("a"), r.incrby("a", 10), r.decr("a"), r.incrbyfloat("b", 0.25)]
    yield "type error", lambda r: error_of(lambda: r.incr("greeting"))
    yield "wrong type", lambda r: error_of(lambda: r.sadd("a", "x"))
    yield "setex", lambda r: [r.setex("brief", 100, "v"), 95 < r.ttl("brief") <= 100, r.persist("brief"), r.ttl("brief")]
    yield "getex", lambda r: [r.getex("brief", ex=50), 45 < r.ttl("brief") <= 50, r.getdel("brief"), r.ttl("brief")]
    yield "expireat", lambda r: [r.expireat("a", 4_102_444_800), r.expiretime("a")]
    yield "hset mapping", lambda r: r.hset("user:1", mapping={"name": "Ada", "visits": 1, "mail": "ada@example.org"})
    yield "hash", lambda r: [r.hgetall("user:1"), r.hmget("user:1", "name", "absent"), r.hincrby("user:1", "visits", 4)]
    yield "hash more", lambda r: [r.hdel("user:1", "mail", "absent"), r.hexists("user:1", "mail"), r.hlen("user:1")]
    yield "hash keys", lambda r: [sorted(r.hkeys("user:1")), sorted(r.hvals("user:1")), r.hstrlen("user:1", "name")]
    yield "hincrbyfloat", lambda r: r.hincrbyfloat("user:1", "score", 10.5)
    yield "sets", lambda r: [r.sadd("s1", *range(5)), r.sadd("s2", 3, 4, 5), r.sinter("s1", "s2"), r.sdiff("s1", "s2")]
    yield "sunionstore", lambda r: [r.sunionstore("s3", "s1", "s2"), r.scard("s3")]
    yield "sets more", lambda r: [r.smismember("s3", ["1", "9"]), r.srem("s3", 1, 9)]
    yield "smembers", lambda r: [r.smembers("s3"), r.sismember("s3", 2), r.smove("s1", "s2", 0), r.smembers("s2")]
    yield "zadd", lambda r: [r.zadd("z", {"ada": 3, "bob": 1.5, "cy": 2}), r.zadd("z", {"bob": 9}, gt=True, ch=True)]
    yield "zrange", lambda r: r.zrange("z", 0, -1, withscores=True)
    yield "zrange desc", lambda r: r.zrange("z", 0, 1, desc=True, withscores=True, score_cast_func=int)
    yield "zset", lambda r: [r.zrank("z", "ada"), r.zrevrank("z", "ada"), r.zscore("z", "cy"), r.zincrby("z", 0.5, "cy")]
    yield "zset ranges", lambda r: [r.zrangebyscore("z", "(2.5", "+inf"), r.zcount("z", 0, 3), r.zmscore("z", ["ada", "absent"])]
    yield "zunionstore", lambda r: [r.zadd("z2", {"ada": 1}), r.zunionstore("z3", {"z": 2, "z2": 1})]
    yield "weighted", lambda r: r.zrange("z3", 0, -1, withscores=True)
    yield "zpop", lambda r: [r.zpopmin("z3"), r.zpopmax("z3", 2), r.zcard("z3")]
    yield "keys", lambda r: [sorted(r.keys("s*")), r.exists("a", "b", "absent"), r.type("z"), r.rename("s1", "s9"), r.dbsize()]
    yield "copy", lambda r: [r.copy("user:1", "user:2"), r.hgetall("user:2")]
    yield "delete", lambda r: [r.delete("user:1", "user:2", "absent"), r.unlink("s9")]
    yield "scan", lambda r: sorted(r.scan_iter("s*"))
    yield "pipeline", lambda r: r.pipeline().set("p", 1).incr("p").get("p").hset("h", "f", "v").hgetall("h").execute()
    yield "errors in a pipeline", lambda r: [str(x) for x in r.pipeline(False).set("t", "x").incr("t").get("t").execute(False)]
    yield "discarded", lambda r: error_of(lambda: r.pipeline().set("p", 9).execute_command("SET", "p").execute())
    yield "after that", lambda r: r.get("p")
    yield "other database", lambda r: [r.move("p", 3), r.get("p")]
    yield "echo", lambda r: [r.ping(), r.echo("héllo"), r.object("encoding", "a")]
    yield "unknown", lambda r: error_of(lambda: r.execute_command("NOSUCHCOMMAND", "x", "y"))
    yield "info", lambda r: [r.info()["redis_version"], r.info("server")["redis_mode"]]
    yield "keyspace", lambda r: r.info("keyspace")["db0"]["keys"] == r.dbsize()
    yield "config", lambda r: [r.config_get("appendonly").keys() == {"appendonly"}, r.client_setname("app"), r.client_getname()]
    yield "command", lambda r: r.command()["get"]["arity"]
    yield "pubsub", lambda r: [r.publish("nobody", "x"), r.pubsub_channels(), r.pubsub_numsub("nobody"), r.pubsub_numpat()]
    yield "wait", lambda r: r.time()[0] > 1_600_000_000
    yield "flush", lambda r: [r.flushdb(), r.dbsize()]


def steps_with_any_bytes():
    odd = bytes(range(256)) + b"\r\n$-1\r\n" + bytes(1000)
    yield "bytes", lambda r: [r.set(odd, odd), r.get(odd), r.strlen(odd), r.type(odd)]
    yield "fields", lambda r: [r.hset("h", odd, odd), r.hgetall("h")]
    yield "elements", lambda r: [r.sadd("s", odd, b""), r.smembers("s")]
    yield "members", lambda r: [r.zadd("z", {odd: 1}), r.zrange("z", 0, -1, withscores=True)]
    yield "keys", lambda r: [odd in r.keys(), odd in set(r.scan_iter(count=1)), r.delete(odd, "h", "s", "z")]
