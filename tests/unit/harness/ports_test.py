"""The ports that tests are given (tests/e2e/harness/ports.py): one process each, until it ends."""
import pathlib
import socket
import subprocess
import sys

HARNESS = pathlib.Path(__file__).resolve().parents[2] / "e2e"
sys.path.insert(0, str(HARNESS))

from harness import ports  # noqa: E402


class Holder:
    """Another process, which claims a port and keeps it without listening."""

    def __init__(self, port):
        code = f"import sys; sys.path.insert(0, {str(HARNESS)!r}); from harness import ports; print(ports.claim([{port}]), flush=True); sys.stdin.read()"
        self.process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.claimed = self.process.stdout.readline().strip() == "True"

    def end(self):
        self.process.communicate(timeout=20)


def unclaimed():
    """A port that this process has given back."""
    port = ports.free_port()
    ports.release([port])
    return port


def test_a_port_of_another_process_is_not_given_until_it_ends():
    port = unclaimed()
    holder = Holder(port)
    assert holder.claimed
    assert not ports.claim([port]), "nothing listens on it, and it is taken all the same"
    holder.end()
    assert ports.claim([port])
    assert not Holder(port).claimed


def test_ports_in_a_row_are_claimed_together_or_not_at_all():
    first = ports.free_ports(3)
    ports.release(range(first, first + 3))
    holder = Holder(first + 2)
    assert holder.claimed
    assert not ports.claim(range(first, first + 3))
    holder.end()
    assert ports.claim(range(first, first + 3))


def test_no_port_is_given_twice():
    given = [port for first in (ports.free_ports(2) for _ in range(50)) for port in (first, first + 1)]
    assert len(set(given)) == len(given)


def test_a_port_of_another_process_is_not_even_bound_for_a_moment(monkeypatch):
    """The service that starts there at that moment would find it in use."""
    port = unclaimed()
    holder = Holder(port)
    assert holder.claimed
    monkeypatch.setattr(ports, "is_free", lambda port: (_ for _ in ()).throw(AssertionError(f"{port} was bound")))
    assert not ports.claim([port])
    holder.end()


def test_who_holds_a_port_that_a_log_reports_as_in_use():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        described = ports.describe_holders(f"cannot listen on 127.0.0.1:{port}: Address already in use")
    assert "LISTEN" in described and f"127.0.0.1:{port}" in described, described
    assert ports.describe_holders("all is well") == ""
