"""The client library and kvctl on a terminal: examples, failover, retries across crashes, completion, Ctrl-C."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import threading
import time

from harness import BIN, check, check_contains, check_equal, eventually, run_kvctl


def run_example(name, *addresses):
    done = subprocess.run([BIN / f"example_{name}", *addresses], capture_output=True, text=True, timeout=60)
    check_equal(done.returncode, 0, f"example {name}: {done.stdout}{done.stderr}")
    return done.stdout


def scenario_examples(lab):
    """the three examples run as their comments say"""
    a, b = lab.cluster("a", "b")
    check_contains(run_example("counter", a.doors["client"]), "total 3", "counter")
    check_contains(run_example("cart", a.doors["client"], b.doors["client"]), "in the cart: pears", "cart")
    check_contains(run_example("async", b.doors["client"]), "100 of 100", "async")
    eventually(lambda: b.kvctl("get", "visits").stdout == "3\n", "the visits reach b")


def scenario_failover(lab):
    """with several addresses kvctl goes to the next when one is dead, for reads and writes that were not sent"""
    a, b = lab.cluster("a", "b")
    both = f"{a.doors['client']},{b.doors['client']}"
    check_equal(run_kvctl("-n", both, "set", "k", "v").returncode, 0, "set")
    b.wait_converged()
    a.kill()
    check_equal(run_kvctl("-n", both, "get", "k").stdout, "v\n", "get from the other")
    check_equal(run_kvctl("-n", both, "incr", "n").stdout, "1\n", "incr at the other")


def scenario_many_kills_during_an_import(lab):
    """ten kills during an import: every line counts once, before and after running it again"""
    a = lab.node("a", "--checkpoint-age", "200")
    path, journal = lab.path / "in.ndjson", lab.path / "journal"
    lines = 40_000
    with open(path, "w") as file:
        for i in range(lines):
            file.write(json.dumps({"key": f"c{i % 7}", "type": "counter", "value": 1 + i % 3}) + "\n")
    words = ["import", str(path), "--session", "kills", "--batch-lines", "1"]
    done = []
    thread = threading.Thread(target=lambda: done.append(a.kvctl(*words, "--journal", str(journal), timeout=300)))
    thread.start()
    kills = 0
    while thread.is_alive() and kills < 10:
        time.sleep(0.1)
        a.kill()
        a.start()
        kills += 1
    thread.join()
    check_equal(done[0].returncode, 0, f"import: {done[0].stderr}")
    expected = [str(sum(1 + i % 3 for i in range(lines) if i % 7 == c)) for c in range(7)]
    check_equal([a.ok("get", f"c{c}") for c in range(7)], expected, "the counters")
    check_equal(sum(1 for _ in open(journal)), lines, "batches in the journal")
    a.kill()
    a.start()
    said = a.kvctl(*words, timeout=300)
    check_contains(said.stderr, f"{lines} lines had counted before", "the second run")
    check_equal([a.ok("get", f"c{c}") for c in range(7)], expected, "the counters after the second run")
    return f"{kills} kills"


def scenario_resumed_import(lab):
    """an import that stops at a wrong line goes on after it was mended, and counts every line once"""
    a = lab.node("a")
    lines = [json.dumps({"key": "sum", "type": "counter", "value": 1}) for _ in range(250)]
    lines[169] = '{"key":"sum","type":"counter"}'
    path = lab.path / "in.ndjson"
    path.write_text("\n".join(lines))
    said = a.fails(1, "import", str(path), "--session", "s")
    check_contains(said, "line 170", "which line")
    check_contains(said, "lines 101 to 169 share its atomic batch", "what was not loaded")
    check_equal(a.ok("get", "sum"), "100", "after the first run")
    lines[169] = lines[0]
    path.write_text("\n".join(lines))
    a.ok("import", str(path), "--session", "s")
    check_equal(a.ok("get", "sum"), "250", "after the second run")
    path.write_text(lines[0])
    a.ok("import", str(path), "--session", "s")
    check_equal(a.ok("get", "sum"), "251", "another file under the same name is not taken for the first")


class Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, *command, env=None):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm", **(env or {})},
        )  # fmt: skip
        os.close(slave)
        self.text = ""

    def read_until(self, part, seconds=30):
        end = time.monotonic() + seconds
        while part not in self.text:
            check(time.monotonic() < end, f"{part!r} does not come; there is {self.text[-2000:]!r}")
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.master, 65536).decode(errors="replace")
                except OSError:  # it has ended
                    check(part in self.text, f"{part!r} did not come; there is {self.text[-2000:]!r}")
        return self.text

    def finish(self):
        try:
            while part := os.read(self.master, 65536):
                self.text += part.decode(errors="replace")
        except OSError:
            pass
        code = self.process.wait(30)
        os.close(self.master)
        return code


def scenario_interrupted_demo(lab):
    """the demo on a terminal waits for Enter, and Ctrl-C in the middle removes its nodes and its data"""
    terminal = Terminal(BIN / "kvctl", "demo", env={"TMPDIR": str(lab.path)})
    terminal.read_until("[Enter]")
    os.write(terminal.master, b"\n")
    terminal.read_until("get visits")
    directories = list(lab.path.iterdir())
    check_equal(len(directories), 1, "directories of the demo")
    terminal.process.send_signal(signal.SIGINT)
    check_equal(terminal.finish(), 130, f"exit code after SIGINT: {terminal.text[-500:]}")
    check_equal(list(lab.path.iterdir()), [], "files that the demo left")
    running = subprocess.run(["pgrep", "-f", str(directories[0])], capture_output=True, text=True).stdout
    check_equal(running, "", "processes that the demo left")


def scenario_terminal_output(lab):
    """on a terminal values are escaped and status is coloured; NO_COLOR and --raw are obeyed"""
    a = lab.node("a")
    a.ok("set", "-f", "-", "k", stdin="red \x1b[31m\udcff")

    def shown(*words, **env):
        terminal = Terminal(BIN / "kvctl", "-n", a.doors["client"], *words, env=env)
        code = terminal.finish()
        return code, terminal.text

    check_equal(shown("get", "k"), (0, "red \\x1b[31m\\xff\r\n"), "an escaped value")
    check_contains(shown("get", "k", "--raw")[1], "red \x1b[31m", "a raw value")
    check_contains(shown("status")[1], "\x1b[", "colours")
    check("\x1b[" not in shown("status", NO_COLOR="1")[1], "colours in spite of NO_COLOR")
    check("\x1b[" not in shown("status", TERM="dumb")[1], "colours on a dumb terminal")
    check_contains(shown("get", "absent")[1], "nothing there", "a word about a missing key")


def scenario_completion(lab):
    """bash completes commands, options, words and keys"""
    a = lab.node("a")
    a.ok("batch", "-", stdin="set user:1 x\nset user:2 y\nset other z\n")

    def completed(*words):
        script = (
            f"PATH={BIN}:$PATH; source <(kvctl completion bash); COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1));"
            " _kvctl; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        done = subprocess.run(["bash", "-c", script, "bash", "kvctl", *words], capture_output=True, text=True, timeout=30)
        check_equal(done.stderr, "", f"completing {words}")
        return set(done.stdout.split())

    check_equal(completed("ge"), {"get"}, "a command")
    check_equal(completed("-n", "h:1", "set-"), {"set-add", "set-rem", "set-has", "set-members", "set-size"}, "commands")
    check_equal(completed("import", "--ses"), {"--session"}, "an option")
    check_equal(completed("get", "k", "-o", ""), {"text", "json"}, "values of an option")
    check_equal(completed("flag", "f", "o"), {"on", "off"}, "words")
    check_equal(completed("wait", ""), {"converged"}, "words")
    check_equal(completed("-n", a.doors["client"], "get", "user"), {"user:1", "user:2"}, "keys")


def scenario_why_and_explain(lab):
    """why names both writers of a conflict, explain shows their dots; a key that is not there is said to be so"""
    a, b = lab.cluster("a", "b")
    a.ok("partition")
    a.ok("set", "k", "of a")
    b.ok("set", "k", "of b")
    a.ok("heal")
    a.wait_converged()
    sentences = b.ok("why", "k")
    for part in ("of a", "of b", "by a", "by b"):
        check_contains(sentences, part, "why")
    check(re.search(r"dot|origin", b.ok("explain", "k")), "explain shows no dots")
    a.fails(3, "why", "absent")
    check_contains(a.ok("status"), "equal", "status after healing")
