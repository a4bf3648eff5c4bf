"""Several real nodes: meeting, moving, dying, coming back."""

import json
import random
import signal
import threading
import time

import native
from harness import Failed, check, check_contains, check_equal, count_up, cut_off, eventually
from resp_scenarios import speaks


def scenario_three_node_tour(lab):
    """what is written on one of three nodes is read on the others"""
    a, b, c = nodes = lab.cluster("a", "b", "c")
    a.ok("set", "greeting", "hello")
    b.ok("incr", "visits", "41")
    c.ok("set-add", "fruit", "apple", "pear")
    a.wait_converged()
    a.ok("incr", "visits")
    a.wait_converged()
    for node in nodes:
        check_equal(node.ok("get", "greeting"), "hello", f"greeting on {node.name}")
        check_equal(node.ok("get", "visits"), "42", f"visits on {node.name}")
        check_equal(node.ok("set-members", "fruit"), "apple\npear", f"fruit on {node.name}")
        check_equal(node.ok("set-size", "fruit"), "2", f"how much fruit on {node.name}")
        check_contains(node.ok("why", "greeting"), '"greeting" is "hello", written by a', f"why on {node.name}")
    check_equal(len({node.digest() for node in nodes}), 1, "different digests")
    check_contains(b.ok("status"), "cluster starling", "status")


def scenario_restart_without_join(lab):
    """a node that restarts without --join finds its cluster again"""
    a, b, c = nodes = lab.cluster("a", "b", "c")
    b.stop()
    a.ok("set", "k", "written while b was away")
    b.join = []
    b.start()
    check(b.is_ready(), "a node that was a member serves at once after a restart")
    eventually(lambda: count_up(b) == 2, "b has both others again")
    b.wait_converged()
    check_equal(b.ok("get", "k"), "written while b was away", "k on b")
    for node in nodes:  # all at once
        node.stop()
    for node in nodes:
        node.join = []
        node.start()
    for node in nodes:
        eventually(lambda n=node: count_up(n) == 2, f"{node.name} sees all")
    c.ok("set", "k", "after all restarted")
    c.wait_converged()
    check_equal(a.ok("get", "k"), "after all restarted", "k on a")


def scenario_conflict_journal(lab):
    """what lost while two nodes were apart is in the journal of both, once, whatever happens to them later"""
    a, b = lab.cluster("a", "b")
    with cut_off(a), speaks(a) as on_a, speaks(b) as on_b:
        a.ok("set", "k", "earlier")
        a.ok("set", "quiet", "only of a")
        for client, value, score in ((on_a, b"earlier", b"1"), (on_b, b"later", b"2")):
            client.ask(b"HSET", b"h", b"field", value)
            client.ask(b"ZADD", b"z", score, b"member")
        b.ok("set", "k", "later")
    a.wait_converged()
    check_equal(a.ok("get", "k"), "later", "k on a")
    for node in (a, b):
        with speaks(node) as client:
            for key, inside in ((b"h", "field"), (b"z", "member")):
                eventually(
                    lambda: inside in str(client.ask(b"CRDT.CONFLICTS", b"KEY", key)),
                    f"CRDT.CONFLICTS has the {inside} on {node.name}",
                )

    def lost(node, *words):
        lines = json.loads(node.ok("conflicts", *words, "-o", "json"))["conflicts"]
        return [(line["key"], line["lost"]["value"], line["lost"]["node"], line["won"]["value"]) for line in lines]

    expected = [("k", "earlier", "a", "later")]
    for node in (a, b):
        eventually(lambda n=node: lost(n, "k") == expected, f"the conflict is in the journal of {node.name}")
        check_equal(lost(node, "k"), expected, f"conflicts of k on {node.name}")
        check_equal(lost(node, "quiet"), [], f"conflicts of a key that had none on {node.name}")
        eventually(
            lambda n=node: n.metrics()['starling_conflicts_total{type="string"}'] == 1, f"the metric of {node.name}"
        )
    check_contains(a.ok("conflicts"), '"earlier" by a at ', "the sentence")
    a.ok("set", "k", "the next one")  # saw both
    a.wait_converged()
    check_contains(b.ok("why", "k"), 'Earlier: In "k", "earlier" by a at ', "why names the loser of before")
    for _ in range(2):
        for node in (a, b):
            node.kill()
            node.start()
        for node in (a, b):
            eventually(lambda n=node: lost(n, "k") == expected, f"still one line on {node.name} after kill -9")


def scenario_moved_ports(lab):
    """a node that comes back on other ports is found again"""
    a, b, c = lab.cluster("a", "b", "c")
    old = dict(b.doors)
    b.stop()
    b.join = []
    b.doors = dict.fromkeys(b.doors, "127.0.0.1:0")
    b.start()
    check(b.doors["peer"] != old["peer"], "b got its old port again by chance")
    for node in (a, b, c):
        eventually(lambda n=node: count_up(n) == 2, f"{node.name} sees all")
    b.ok("set", "k", "v")
    b.wait_converged()
    check_equal(c.ok("get", "k"), "v", "k on c")
    addresses = {member["name"]: member["peer"] for member in a.status()["members"]}
    check_equal(addresses["b"], b.doors["peer"], "where a thinks b is")
    # a must dial by what it learnt, so it keeps finding b when it starts anew itself.
    a.restart()
    eventually(lambda: count_up(a) == 2, "a finds b at its new address")


def scenario_one_name_twice(lab):
    """two live nodes with one name: both are told, nothing is lost"""
    a, b = lab.cluster("a", "b")
    other = lab.node("b", join=[a], data=lab.path / "second")
    for node in (b, other):
        eventually(lambda n=node: any('named "b"' in r for r in n.status()["reasons"]), "a b reports the conflict")
        check_contains(node.log(), 'named \\"b\\"', "log of a b")
        eventually(lambda n=node: "named" in n.http("/health")[1], "health of a b says so")
    other.ok("set", "k", "v")
    for node in (a, b):
        eventually(lambda n=node: n.kvctl("get", "k").stdout == "v\n", "all three still replicate")
    other.stop()
    eventually(lambda: not any("named" in r for r in b.status()["reasons"]), "b notices that the other has gone")


def scenario_foreign_cluster(lab):
    """nodes of different clusters do not talk, and say so without shouting"""
    a = lab.node("a", "--cluster", "north")
    b = lab.prepare("b", "--cluster", "south", join=[a]).with_fixed_ports()
    b.launch()
    eventually(lambda: "north" in b.log() and "south" in b.log(), "b says which cluster it met")
    a.ok("set", "k", "v")
    time.sleep(2)
    check_equal(b.status()["members"], [], "members that b knows")
    check_equal(b.http("/readyz")[0], 503, "readiness of a node whose join is refused")
    check_equal(a.status()["members"], [], "members that a knows")
    refusals = 'starling_rejected_total{door="peer",reason="wrong_cluster"}'
    check(sum(node.metrics()[refusals] for node in (a, b)) > 0, "no refusal is counted")
    for node in (a, b):
        check(len(node.log().splitlines()) < 10, f"{node.name} floods its log\n{node.log_tail()}")


def scenario_a_member_that_died(lab):
    """status, /health and /metrics know when a member that died was last heard; of one never heard they say nothing"""
    a, b = lab.cluster("a", "b")
    a.ok("set", "k", "v")
    a.wait_converged()
    sent = 'starling_peer_push_sent_bytes_total{peer="b"}'
    heard = 'starling_peer_last_heard_seconds{peer="b"}'
    eventually(lambda: a.metrics()[sent] > 0, "entries were sent to b")
    b.kill()
    eventually(lambda: a.metrics()[heard] > 2, "the time since b was heard grows")
    check(a.metrics()[sent] > 0, "what was sent to b is forgotten with its connection")
    (of_b,) = json.loads(a.http("/health")[1])["peers"]
    check(not of_b["connected"] and of_b["last_heard_ms"] > 2000, f"/health: {of_b}")
    check_contains(a.ok("status"), " ms ago", "status")
    a.restart()
    check(heard not in a.metrics(), "a has not heard b since it was started")
    (of_b,) = json.loads(a.http("/health")[1])["peers"]
    check_equal((of_b["last_heard_ms"], of_b["clock_skew_ms"]), (None, None), "/health of a member never heard")
    check_contains(a.ok("status"), "never", "status")


def scenario_join_before_ready(lab):
    """a new node with --join is not ready until it has caught up"""
    a = lab.node("a")
    c = lab.prepare("c", join=[a]).with_fixed_ports()
    for i in range(20):
        a.ok("batch", "-", stdin="".join(f"set k{i}-{j} {'x' * 100}\n" for j in range(500)))
    a.stop()
    c.launch()  # its doors are open, but nobody is there to join
    eventually(c.is_live, "c lives")
    eventually(lambda: "join" in c.http("/readyz")[1], "/readyz says what it waits for")
    check_equal(c.http("/readyz")[0], 503, "readiness of a node that has not joined")
    check_contains(c.fails(6, "get", "k1-1"), "catching up", "what a read says")
    check_contains(c.fails(6, "set", "k", "v"), "catching up", "what a write says")
    c.fails(6, "health")
    c.stop()  # also after a restart in that state
    c.launch()
    eventually(c.is_live, "c lives")
    check_equal(c.http("/readyz")[0], 503, "readiness after a restart before it has joined")
    a.start()
    c.await_ready_line()
    eventually(c.is_ready, "/readyz follows the ready line")  # its page may be a quarter of a second old
    check_equal(c.ok("get", "k19-499"), "x" * 100, "the newest key, as soon as c is ready")
    a.stop()
    c.restart()
    check(c.is_ready(), "a member that restarts is ready without the others")
    a.start()


def scenario_kill_under_load(lab):
    """kill -9 of a loaded node, again and again: retries with op ids make the counter exact"""
    a, b = lab.cluster("a", "b")
    rng = random.Random(7)
    threads, acknowledged, repeated, errors = [], [0] * 4, [0] * 4, []
    stop = threading.Event()

    def client(number):
        """Increments; whatever happens, an op id is repeated at this node until it is answered."""
        try:
            sequence, connection = 0, None
            while not stop.is_set():
                sequence += 1
                end = time.monotonic() + 30
                while True:
                    try:
                        connection = connection or native.Connection(a.doors["client"])
                        answer = connection.ask(("incr", b"counter", [], 1), op_id=(1000 + number, sequence))
                        break
                    except (OSError, native.NodeError) as error:
                        connection = None
                        if time.monotonic() > end:
                            raise Failed(f"no answer for 30 s: {error}") from error
                        time.sleep(0.02)
                acknowledged[number] += 1
                repeated[number] += answer.repeated
        except Exception as error:  # noqa: BLE001: reported by the scenario
            errors.append(error)

    for number in range(len(acknowledged)):
        threads.append(threading.Thread(target=client, args=[number]))
        threads[-1].start()
    for _ in range(8):
        time.sleep(0.1 + 0.4 * rng.random())
        a.kill()
        a.start()
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    check(not errors, f"clients failed: {errors}")
    total = str(sum(acknowledged))
    check_equal(a.ok("get", "counter"), total, "the counter on the node that was killed")
    eventually(lambda: count_up(a) == 1, "a and b are connected")
    a.wait_converged()
    check_equal(b.ok("get", "counter"), total, "the counter on the other node")
    a.kill()
    a.start()
    check_equal(a.ok("get", "counter"), total, "after one more kill -9")
    return f"{total} increments, 9 kills, {sum(repeated)} retries that had counted before"


def scenario_op_ids(lab):
    """the same op id has one effect at a node, also after kill -9, and is answered with the first result"""
    a = lab.node("a")
    with native.Connection(a.doors["client"]) as client:
        first = client.ask(("incr", b"k", [], 5), op_id=(7, 1))
        check_equal((first.results, first.repeated), ([5], False), "the first time")
        client.ask(("incr", b"k", [], 100), op_id=(7, 2))
        again = client.ask(("incr", b"k", [], 5), op_id=(7, 1))
        check_equal((again.results, again.repeated), ([5], True), "the second time")
    a.kill()
    a.start()
    with native.Connection(a.doors["client"]) as client:
        again = client.ask(("incr", b"k", [], 5), op_id=(7, 1))
        check_equal((again.results, again.repeated), ([5], True), "after kill -9")
        check_equal(client.call("get", b"k"), b"105", "the sum")
    a.restart()
    with native.Connection(a.doors["client"]) as client:
        check_equal(client.ask(("incr", b"k", [], 5), op_id=(7, 1)).repeated, True, "after a clean restart")


def scenario_session_tokens(lab):
    """a session token: a node that is behind waits for what the session has seen, or says so"""
    a, b = lab.cluster("a", "b")
    with native.Connection(a.doors["client"]) as on_a, native.Connection(b.doors["client"]) as on_b:
        for i in range(200):  # without a wait in between, b is behind now and then
            token = on_a.ask(("set", b"k", [b"%d" % i], 0)).token
            answer = on_b.ask(("get", b"k", [], 0), token=token, deadline_ms=10_000)
            check_equal(answer.results, [b"%d" % i], "what b shows to a session that wrote on a")
        a.ok("partition")
        token = on_a.ask(("set", b"k", [b"cut off"], 0)).token
        start = time.monotonic()
        for deadline_ms in (0, 300):
            try:
                on_b.ask(("get", b"k", [], 0), token=token, deadline_ms=deadline_ms)
                raise Failed("b answered a session that has seen more than b")
            except native.NodeError as refusal:
                check_equal(refusal.code, "behind", "what b says")
        check(0.3 <= time.monotonic() - start < 3, "b does not keep to the deadline")
        check_equal(on_b.call("get", b"k"), b"199", "a session without demands")
        threading.Timer(0.3, lambda: a.ok("heal")).start()
        check_equal(on_b.call("get", b"k", token=token, deadline_ms=20_000), b"cut off", "k once b has caught up")


def scenario_stop_and_continue(lab):
    """a node that was frozen for a while catches up; the others notice and go on"""
    a, b = lab.cluster("a", "b")
    b.process.send_signal(signal.SIGSTOP)
    for i in range(50):
        a.ok("incr", "k")
    eventually(lambda: a.status()["members"][0]["state"] == "down", "a notices that b is silent")
    check(any("away" in reason for reason in a.status()["reasons"]), "a says that b is away")
    check(a.is_ready(), "a is still ready: there is no quorum")
    b.process.send_signal(signal.SIGCONT)
    eventually(lambda: count_up(a) == 1 and count_up(b) == 1, "b is back")
    b.wait_converged()
    check_equal(b.ok("get", "k"), "50", "k on b")


def scenario_faults_need_a_flag(lab):
    """partition is refused without --allow-faults"""
    a = lab.prepare("a")
    a.flags.remove("--allow-faults")
    a.start()
    check_contains(a.fails(7, "partition"), "--allow-faults", "what partition says")
    a.ok("set", "k", "v")
