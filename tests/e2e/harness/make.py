"""Verbs of the Makefile as a user runs them, beside whatever runs on this machine: in a folder and on ports of
their own."""
import os
import random
import subprocess

from .ports import claim
from .processes import BIN, ROOT

# The ports of all services and backends.
PORTS = [
    4317, 4318, 4327, *range(4337, 4348), *range(8080, 8100), 3100, 3101, 7070, 8123, 8181, 9000, 9090, 9092, 9097, 9411,
    15432, 16379, 16685, 16686, 16785, 23133, 24317, 24318,
]


class Run:
    def __init__(self, folder):
        offset = next(n for n in iter(lambda: random.randrange(10_000, 20_000), None) if claim(port + n for port in PORTS))
        self.offset, self.folder = offset, folder
        self.environment = dict(os.environ, SPANWAY_BIN=str(BIN), SPANWAY_RUN=str(folder), SPANWAY_PORT_OFFSET=str(offset))

    def make(self, verb, *settings, seconds=240):
        """(exit code, output). The dependencies are installed: the test runs."""
        command = ["make", "--no-print-directory", "-o", "deps", verb, *settings]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds
        )
        return done.returncode, done.stdout

    def up(self, destinations):
        """The links that it prints for each destination, one a signal."""
        code, output = self.make("up", f"DEST={destinations}")
        assert code == 0, output
        lines = output.splitlines()
        links = {}
        for line, following in zip(lines, lines[1:]):
            if "went through Kafka into" in line:
                links.setdefault(line.rstrip(":").rsplit(" ", 1)[1], []).append(following.strip())
        return links

    def pids(self):
        files = [*(self.folder / "pid").glob("*"), *(self.folder / "parts").glob("*/pid")]
        return [int(path.read_text().split()[0]) for path in files]
