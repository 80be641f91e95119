"""The load tool and its counting sink."""
import json
import subprocess

from .ports import free_port
from .processes import BIN, Process, http_get, wait_until


class Sink(Process):
    """`spanway-load sink`: counts every item once by its number."""

    def __init__(self, folder, name="sink", *extra):
        self.port, self.admin_port = free_port(), free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        super().__init__(
            name,
            [BIN / "spanway-load", "sink", "--grpc-port", self.port, "--admin-port", self.admin_port, *extra],
            folder,
        )

    def start(self):
        super().start()
        wait_until(lambda: http_get(f"http://127.0.0.1:{self.admin_port}/report"), 10, "the sink")
        return self

    def report(self):
        return json.loads(http_get(f"http://127.0.0.1:{self.admin_port}/report", 30))


class Load(Process):
    """`spanway-load` with a ledger of what was acknowledged."""

    def __init__(self, folder, endpoint, rate, seconds, *extra):
        self.ledger = folder / "ledger"
        super().__init__(
            "load",
            [BIN / "spanway-load", "-rate", rate, "-duration", f"{seconds}s", "-workers", "2", "--endpoint", endpoint,
             "--ledger", self.ledger, "--report", "json", *extra],
            folder,
        )

    def wait(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the load tool did not end; log:\n{self.log()[-2000:]}") from None


def compare(sink, ledger):
    """Missing and duplicated items of what was acknowledged: {"missing": n, "duplicates": n, ...}."""
    done = subprocess.run(
        [BIN / "spanway-load", "compare", "--ledger", ledger, "--sink", f"http://127.0.0.1:{sink.admin_port}"],
        capture_output=True, text=True, timeout=60,
    )
    assert done.stdout.strip(), done.stderr
    return json.loads(done.stdout)
