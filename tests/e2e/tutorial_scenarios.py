"""docs/tutorial and README.md: what is typed there prints what is shown there, and the tutorial's code is that of the examples."""

import os
import re
import shlex
import subprocess
import textwrap

from harness import BIN, PIPE_PATIENCE, ROOT, check, check_contains, check_equal, need_program, need_redis_py
from semantics_scenarios import converge

README = ROOT / "README.md"
TUTORIAL = ROOT / "docs" / "tutorial" / "README.md"
EXAMPLES = ROOT / "examples"
DOORS = {"client": "127.0.0.1:7001", "peer": "127.0.0.1:7002", "resp": "127.0.0.1:6380", "http": "127.0.0.1:7080"}


def blocks(page, kind):
    """The code blocks of the page that are of this kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def commands_and_outputs(page):
    """What is typed after '$ ', and what is shown below it."""
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def numbers_aside(text):
    """Without what is another one each time: moments, operations and how long something took."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", text)
    return re.sub(r"converged after \d+ ms", "converged after N ms", re.sub(r"operation \d+", "operation N", text))


class Shell:
    """One bash to which commands are typed one after another, so that its variables stay."""

    def __init__(self, env):
        self.process = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
            env={**os.environ, **env},
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(PIPE_PATIENCE)
        self.process.stdout.close()

    def type(self, command):
        """What it prints."""
        self.process.stdin.write(f"{command}\necho END OF THIS COMMAND\n")
        self.process.stdin.flush()
        said = []
        while (line := self.process.stdout.readline()) != "END OF THIS COMMAND\n":
            check(line, f"bash ended at {command}: {''.join(said)}")
            said.append(line)
        return "".join(said)


def starts_a_node(line):
    return line.startswith("build/bin/kvd ")


def nodes_of(lab, lines):
    """Started with the flags that these lines show, but on free ports; and their ports with those that they became."""
    nodes, ports = {}, {}
    for line in lines:
        words = shlex.split(line)
        check_equal(words.pop(), "&", f"end of {line}")
        flags = {}
        for word in words[1:]:
            if word.startswith("--"):
                flags[word] = None
                last = word
            else:
                flags[last] = word
        doors = {door: flags.pop(f"--{door}", address) for door, address in DOORS.items()}
        flags.pop("--data")
        met = [node for node, theirs in nodes.values() if theirs["peer"] == flags.get("--join")]
        check_equal(len(met), "--join" in flags, f"nodes that {line} joins")
        flags.pop("--join", None)
        name = flags.pop("--name")
        more = [word for pair in flags.items() for word in pair if word]
        node = lab.node(name, *(word for word in more if word != "--allow-faults"), join=met)
        nodes[name] = node, doors
        ports.update({doors[door].rsplit(":", 1)[1]: node.doors[door].rsplit(":", 1)[1] for door in doors})
    return [node for node, _ in nodes.values()], ports


def replaced(text, ports):
    return re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda port: ports.get(port[0], port[0]), text)


def play(lab, starts, typed):
    """Types each of the commands to a shell beside these nodes, and compares what it prints. How many there were."""
    nodes, ports = nodes_of(lab, starts)
    converge(*nodes)
    back = {real: shown for shown, real in ports.items()}
    count = 0
    with Shell({"KVCTL_NODE": nodes[0].doors["client"]}) as shell:
        shell.type(f"shopt -s expand_aliases; build/bin/kvctl() {{ {BIN}/kvctl \"$@\"; }}")
        for command, shown in typed:
            said = replaced(shell.type(replaced(command, ports)), back)
            told = [sorted(numbers_aside(text).splitlines()) if " why " in command else numbers_aside(text).splitlines()
                    for text in (said, shown)]  # fmt: skip
            check_equal(told[0], told[1], f"$ {command}")
            count += 1
    return count


def scenario_the_readme_is_true(lab):
    """what README.md types by hand prints what it shows"""
    typed = list(commands_and_outputs(README))
    starts = [command for command, _ in typed if starts_a_node(command)]
    count = play(lab, starts, [(command, shown) for command, shown in typed if not starts_a_node(command)])
    check(count > 5, f"only {count} commands in {README}")
    return f"{count} commands"


def scenario_the_tutorial_is_true(lab):
    """what the tutorial types prints what it shows, and the code in it is that of the examples"""
    need_redis_py()
    need_program("redis-cli", "redis-tools")
    starts = [line for block in blocks(TUTORIAL, "bash") for line in block.splitlines() if starts_a_node(line)]
    count = play(lab, starts, commands_and_outputs(TUTORIAL))
    sources = {path.name: path.read_text() for path in EXAMPLES.glob("*.py")}
    for block in blocks(TUTORIAL, "python"):
        as_in_a_class = [textwrap.indent(block, " " * depth) for depth in (0, 4, 8)]
        found = any(text in source for text in as_in_a_class for source in sources.values())
        check(found, f"code of the tutorial that is in no example:\n{block}")
    for name in sources:
        check_contains(TUTORIAL.read_text(), name, "the tutorial")
    return f"{count} commands"
