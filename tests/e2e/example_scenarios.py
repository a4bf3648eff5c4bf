"""The applications of examples/, unchanged: on redis-server, on any node, on both sides of a cut, and after it."""

import functools
import importlib.util
import io
import sys

from harness import ROOT, check, check_contains, check_equal, count_up, cut_off, eventually, need_program, need_redis_py
from semantics_scenarios import converge

sys.path.insert(0, str(ROOT / "tests" / "resp"))


class Applications:
    """The programs, called here instead of started (the tutorial's test starts them), and what they printed. {names} stand for
    what an earlier call printed, or for a file."""

    def __init__(self, **known):
        need_redis_py()
        self.known, self.printed, self.modules = known, [], {}

    def _module(self, name):
        if name not in self.modules:
            spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
            self.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(self.modules[name])
        return self.modules[name]

    def run(self, address, line, expected=None, remember=None):
        name, *words = line.split()
        module, output = self._module(name), io.StringIO()
        module.print = functools.partial(print, file=output)  # other scenarios run in other threads
        try:
            module.main(f"redis://{address}", *(word.format(**self.known) for word in words))
        except SystemExit as end:
            module.print(end)
        said = output.getvalue().removesuffix("\n")
        if remember:
            self.known[remember] = said
        else:
            self.printed.append((line, said))
        if expected is not None:
            check_equal(said, expected, f"{line} at {address}")


def scenario_applications_on_redis_and_on_kvd(lab):
    """the four applications print the same on redis-server and on any node of a cluster that is whole"""
    need_program("redis-server", "redis-server")
    from servers import Redis

    a, b = lab.cluster("a", "b")
    page = lab.path / "page"
    page.write_text("news")
    lines = [
        "session_store visit {session} /apples", "session_store put {session} apples", "session_store put {session} apples",
        "session_store show {session}", "session_store logout {session}", "session_store show {session}",
        "session_store put {session} pears", "cache read {page}", "cache read {page}", "cache changed {page}", "cache read {page}",
        "leaderboard played ada 10", "leaderboard played bob 15", "leaderboard played ada 7", "leaderboard top",
        "leaderboard top 1", *["rate_limiter ask ada"] * 6, "rate_limiter show ada",
    ]  # fmt: skip
    printed = []
    with Redis() as server:
        for addresses in ([server.address], [a.doors["resp"], b.doors["resp"]]):
            applications = Applications(page=page)
            applications.run(addresses[0], "session_store login ada", remember="session")
            for i, line in enumerate(lines):
                if len(addresses) > 1:
                    converge(a, b)  # the next request goes to the other node
                applications.run(addresses[i % len(addresses)], line)
            printed.append(applications.printed)
    check_equal(printed[1], printed[0], "printed on kvd and on redis-server")
    check_equal(printed[0][3][1], "ada, 1 visits, the last to /apples\n  apples: 2", "a session")
    check_equal([said for line, said in printed[0] if line.startswith("cache read")],
                ["news (made)", "news (from the cache)", "news (made)"], "a page")  # fmt: skip
    return f"{len(lines) + 1} runs on each"


def scenario_applications_on_both_sides_of_a_cut(lab):
    """the four applications go on on both sides of a cut, and all nodes agree afterwards"""
    a, b, c = lab.cluster("a", "b", "c")
    page, other_page = lab.path / "page", lab.path / "other page"
    applications = Applications(page=page, other_page=other_page)
    on_a, on_b, on_c = (node.doors["resp"] for node in (a, b, c))
    page.write_text("old news")
    other_page.write_text("old")
    applications.run(on_a, "session_store login ada", remember="session")
    applications.run(on_a, "session_store login bob", remember="other")
    for line in ("session_store put {session} apples", "session_store put {other} apples", "leaderboard played ada 10",
                 "rate_limiter ask ada", "rate_limiter ask ada", "rate_limiter ask ada"):  # fmt: skip
        applications.run(on_a, line)
    applications.run(on_a, "cache read {page}", "old news (made)")
    applications.run(on_a, "cache read {other_page}", "old (made)")
    converge(a, b, c)
    applications.run(on_c, "cache read {page}", "old news (from the cache)")
    with cut_off(c):
        for node in (a, b):
            eventually(lambda n=node: count_up(n) == 1, f"{node.name} notices that c is cut off")
        page.write_text("news")
        other_page.write_text("new")
        for address, line, expected in [
            (on_a, "session_store put {session} pears", ""),
            (on_c, "session_store put {session} apples", ""),
            (on_c, "session_store visit {session} /checkout", ""),
            (on_b, "session_store logout {other}", ""),
            (on_c, "session_store put {other} plums", ""),
            (on_c, "session_store show {other}", "bob, 0 visits, the last to nothing\n  apples: 1\n  plums: 1"),
            (on_a, "leaderboard played ada 30", ""),
            (on_c, "leaderboard played ada 20", ""),
            (on_c, "leaderboard played bob 25", ""),
            (on_c, "leaderboard top", "1. ada: 30 points, best game 20\n2. bob: 25 points, best game 25"),
            (on_a, "cache changed {page}", ""),
            (on_a, "cache read {page}", "news (made)"),
            (on_c, "cache read {page}", "old news (from the cache)"),
            (on_a, "cache changed {other_page}", ""),
            (on_c, "cache changed {other_page}", ""),
            (on_a, "cache read {other_page}", "new (made)"),
            (on_c, "cache read {other_page}", "new (made)"),
            (on_a, "rate_limiter ask ada", "allowed: request 4 of 5"),
            (on_a, "rate_limiter ask ada", "allowed: request 5 of 5"),
            (on_a, "rate_limiter ask ada", "refused: request 6 of 5"),
            (on_c, "rate_limiter ask ada", "allowed: request 4 of 5"),
        ]:
            applications.run(address, line, expected)
    converge(a, b, c)
    for address in (on_a, on_b, on_c):
        for line, expected in [
            ("session_store show {session}", "ada, 1 visits, the last to /checkout\n  apples: 2\n  pears: 1"),
            ("session_store show {other}", "not logged in"),
            ("leaderboard top", "1. ada: 60 points, best game 30\n2. bob: 25 points, best game 25"),
            ("cache read {page}", "news (from the cache)"),
            ("rate_limiter show ada", "7 requests"),
        ]:
            applications.run(address, line, expected)
    applications.run(on_a, "cache read {other_page}", "new (made)")  # a generation that neither side had
    applications.run(on_c, "rate_limiter ask ada", "refused: request 8 of 5")
    return f"{len(applications.printed)} runs"


def scenario_a_lock_of_redis_py_is_refused(lab):
    """a lock: both sides of a cut take it, and redis-py's own lock is told at once that there are no scripts"""
    redis = need_redis_py()
    a, b = lab.cluster("a", "b")
    on_a, on_b = (redis.from_url(f"redis://{node.doors['resp']}", decode_responses=True) for node in (a, b))
    with cut_off(a):
        eventually(lambda: count_up(b) == 0, "b notices")
        check(on_a.set("lock", "a", nx=True, ex=60) and on_b.set("lock", "b", nx=True, ex=60), "both take it")
        check_equal([on_a.incr("id"), on_b.incr("id")], [1, 1], "a number that is not unique")
    lock = on_a.lock("other lock", timeout=60)
    check(lock.acquire(), "acquire is SET NX")
    try:
        lock.release()
        check(False, "a lock that cannot hold across nodes is released by a script that did not run")
    except redis.ResponseError as error:
        check_contains(str(error), "no script engine", "release")
