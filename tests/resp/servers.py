"""The two sides of the differential test: Redis, and kvd's door for Redis clients."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import harness  # noqa: E402


class Server:
    address = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def last_words(self):
        """For a report on a server that went away."""
        return ""


class Redis(Server):
    """A redis-server on a free port that keeps nothing. It goes away with the `with` block."""

    def __init__(self):
        harness.need_program("redis-server", "redis-server")
        self.directory = tempfile.mkdtemp(prefix="starling-redis-")
        self.address = harness.free_address()
        port = self.address.rsplit(":", 1)[1]
        flags = ["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", self.directory]
        self.process = subprocess.Popen(["redis-server", *flags, "--loglevel", "warning"], stdout=subprocess.DEVNULL)

    def __enter__(self):
        harness.eventually(self._answers, "redis-server answers")
        return self

    def _answers(self):
        harness.check(self.process.poll() is None, "redis-server ended")
        done = subprocess.run(["redis-cli", "-p", self.address.rsplit(":", 1)[1], "ping"], capture_output=True, check=False)
        return done.stdout == b"PONG\n"

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Kvd(Server):
    """One kvd from $STARLING_BIN or build/bin, alone in its cluster."""

    def __init__(self, *flags):
        self.lab, self.flags = harness.Lab(), flags

    def __enter__(self):
        self.lab.__enter__()
        self.node = self.lab.prepare("differential", *self.flags)
        self.node.doors["resp"] = "127.0.0.1:0"
        try:
            self.node.start()
        except BaseException as error:
            self.lab.__exit__(type(error), error, None)
            raise
        self.address = self.node.doors["resp"]
        return self

    def __exit__(self, kind, error, trace):
        self.lab.__exit__(kind, error, trace)

    def last_words(self):
        return self.node.log_tail()


class Given(Server):
    """A server that somebody else has started."""

    def __init__(self, address):
        self.address = address
