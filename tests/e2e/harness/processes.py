"""Our binaries as processes on free loopback ports."""
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

import yaml

from . import promises
from .ports import describe_holders, free_port

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("SPANWAY_BIN", ROOT / "build/release/bin"))


def wait_until(check, seconds, what, interval=0.05):
    """Polls `check` until it returns something true, which is returned."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            result = check()
            if result:
                return result
        except (OSError, urllib.error.URLError, ValueError, LookupError) as error:
            last = error
        time.sleep(interval)
    raise AssertionError(f"{what}: not within {seconds} s (last: {last!r})")


def http_get(url, timeout=5.0):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


class Process:
    """One program with its log. Leaving a `with` block kills it."""

    def __init__(self, name, command, folder, environment=None):
        self.name, self.command, self.folder = name, [str(part) for part in command], pathlib.Path(folder)
        # SPANWAY_* variables configure the services; those of the tests themselves stay out.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SPANWAY_")}
        self.environment = dict(inherited, **(environment or {}))
        self.log_path = self.folder / f"{name}.log"
        self.process, self.started = None, 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.alive():
            self.thaw()
            self.kill9()

    def start(self):
        self.started = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment
            )
        return self

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill9(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def stop(self, seconds=40):
        """SIGTERM; returns the exit code. A hang is a failure of the program."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM; log:\n{self.log()[-3000:]}")

    def rss_bytes(self):
        return self._memory("VmRSS:")

    def peak_bytes(self):
        """The most it ever held."""
        return self._memory("VmHWM:")

    def _memory(self, what):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) * 1024
        return 0

    def frozen(self):
        return pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


class Service(Process):
    """A Spanway service: a binary, its configuration and its admin port."""

    def __init__(self, name, binary, config, folder, environment=None):
        self.admin_port = free_port()
        self.config = dict(config, admin={"host": "127.0.0.1", "port": self.admin_port})
        if binary == "spanway-query":  # Its default port is one for the whole machine.
            self.config["api"] = {"jaeger_grpc_port": 0, **config.get("api", {})}
            # Tests count the statements and the memory of their own queries; test_insight.py
            # and test_page.py run the insight.
            self.config.setdefault("insight", {"enabled": False})
        self.config_path = pathlib.Path(folder) / f"{name}.yaml"
        self.config_path.write_text(yaml.safe_dump(self.config))
        super().__init__(name, [BIN / binary, "--config", self.config_path], folder, environment)
        self.observations, self.lives = [], 0  # One for each life that is over, or observed.

    def start(self):
        super().start()
        self.lives += 1
        promises.watch_service(self)
        return self

    def kill9(self):
        self.observe(timeout=1.0)
        super().kill9()

    def stop(self, seconds=40):
        if self.alive():
            self.thaw()
            self.observe()
        return super().stop(seconds)

    def observe(self, timeout=5.0):
        """Keeps what this life says of itself, for promises.broken()."""
        if not self.alive():
            return
        metrics, status, limit = None, {}, None
        if not self.frozen():
            try:
                metrics = self.admin("/metrics", timeout)
                status = json.loads(self.admin("/statusz", timeout))
                limit = promises.parse_limit(self.admin("/configz", timeout))
            except (OSError, ValueError):
                metrics = None  # It has not come up yet, or is on its way down.
        del self.observations[self.lives - 1 :]
        self.observations.append(promises.Observation(self.name, metrics, status, limit, self.peak_bytes()))

    def admin(self, path, timeout=5.0):
        return http_get(f"http://127.0.0.1:{self.admin_port}{path}", timeout)

    def _ended(self):
        log = self.log()[-3000:]
        return AssertionError(f"{self.name} ended with {self.process.returncode}; log:\n{log}{describe_holders(log)}")

    def ready(self):
        try:
            self.admin("/readyz", 2.0)
            return True
        except (urllib.error.URLError, OSError):
            if not self.alive():
                raise self._ended()
            return False

    def wait_ready(self, seconds=30):
        try:
            wait_until(self.ready, seconds, f"{self.name} ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\nlog:\n{self.log()[-3000:]}") from None
        return self

    def wait_listening(self, seconds=20):
        """The admin port answers, ready or not."""

        def check():
            if not self.alive():
                raise self._ended()
            return self.admin("/livez", 2.0)

        wait_until(check, seconds, f"{self.name} listening")
        return self

    def restart(self):
        self.start()
        return self

    def status(self):
        return json.loads(self.admin("/statusz"))

    def metric(self, name, **labels):
        """The sum of all series of `name` whose labels include `labels`."""
        total = 0.0
        for line in self.admin("/metrics").splitlines():
            if line.startswith("#") or not (line.startswith(name + "{") or line.startswith(name + " ")):
                continue
            series, value = line.rsplit(" ", 1)
            if all(f'{key}="{expected}"' in series for key, expected in labels.items()):
                total += float(value)
        return total
