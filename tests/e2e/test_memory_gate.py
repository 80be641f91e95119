"""P5, the gate on the real thing: above 90 % of the limit as the kernel counts it, new work is refused and the
newest connections are closed, although the account of permits shows next to nothing; below it all is well again.
"""
import contextlib
import re
import shutil
import socket
import subprocess

import grpc
import pytest
import requests
from google.rpc import error_details_pb2, status_pb2
from harness.ballast import Ballast
from harness.load import Sink
from harness.ports import free_port
from harness.processes import Service, wait_until
from harness.send import grpc_export, trace_request

MIB = 2**20
LIMIT_MIB = 128
PROTOBUF = {"content-type": "application/x-protobuf"}
GATE = "spanway_runtime_memory_gate_closed"
CUT = "spanway_http_connections_cut_total"


@pytest.fixture
def sink(tmp_path):
    with Sink(tmp_path).start() as sink:
        yield sink


class Ingress(Service):
    def __init__(self, folder, sink, environment=None):
        self.grpc_port, self.http_port = free_port(), free_port()
        config = {
            "otlp": {"host": "127.0.0.1", "grpc": {"port": self.grpc_port}, "http": {"port": self.http_port}},
            "next": {"endpoint": sink.endpoint},
            "memory_limit": f"{LIMIT_MIB}MiB",
            "limits": {"body_bytes_max": "32MiB"},
        }
        super().__init__("ingress", "spanway-ingress", config, folder, environment)

    def over_http(self):
        url = f"http://127.0.0.1:{self.http_port}/v1/traces"
        return requests.post(url, data=trace_request().SerializeToString(), headers=PROTOBUF, timeout=10)

    def over_grpc(self):
        """The error of a call that was refused; None for a good answer."""
        try:
            grpc_export(f"127.0.0.1:{self.grpc_port}", trace_request(), timeout=10)
            return None
        except grpc.RpcError as error:
            return error

    def closed(self):
        return self.metric(GATE) == 1 and self.status()["memory"]["gate_closed"]

    def opened(self):
        return self.metric(GATE) == 0 and not self.status()["memory"]["gate_closed"]


def works(ingress):
    """A connection that was closed on the way is a new try, as for every client."""

    def over_http():
        with contextlib.suppress(requests.ConnectionError):
            return ingress.over_http().status_code == 200

    wait_until(over_http, 20, "a good request over HTTP")
    wait_until(lambda: ingress.over_grpc() is None, 20, "a good request over gRPC")


def details_of(error):
    """RetryInfo and ErrorInfo of a refused call."""
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    retry, info = error_details_pb2.RetryInfo(), error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(retry) or detail.Unpack(info)
    return retry, info


def refuses(ingress):
    """New work over both protocols, with a reason and a time to come back."""

    def http_answer():
        with contextlib.suppress(requests.ConnectionError):  # The newest connections are closed.
            return [ingress.over_http()]

    def grpc_answer():
        error = ingress.over_grpc()
        assert error is not None, "new work is taken"
        return error if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED else None

    (answer,) = wait_until(http_answer, 20, "an answer over HTTP")
    assert answer.status_code == 429, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert b"memory_limit" in answer.content
    retry, info = details_of(wait_until(grpc_answer, 20, "an answer over gRPC"))
    assert info.domain == "spanway" and info.reason == "no_memory"
    assert retry.retry_delay.ToTimedelta().total_seconds() > 0


def test_memory_that_the_account_does_not_know_closes_the_gate_until_it_falls(sink, tmp_path):
    ballast = Ballast(tmp_path)
    with Ingress(tmp_path, sink, ballast.environment).start().wait_ready() as ingress:
        works(ingress)
        old = [socket.create_connection(("127.0.0.1", ingress.http_port), 10) for _ in range(8)]
        resident = ingress.rss_bytes() // MIB
        ballast.hold(LIMIT_MIB * 94 // 100 - resident)
        wait_until(ingress.closed, 20, "the gate closed")
        memory = ingress.status()["memory"]
        assert memory["used"] < 20 * MIB, "the account knows of it"
        assert LIMIT_MIB * MIB * 0.9 <= memory["rss"] < LIMIT_MIB * MIB
        refuses(ingress)
        wait_until(lambda: ingress.metric(CUT, reason="memory") > 0, 20, "connections closed")
        ballast.hold(0)
        wait_until(ingress.opened, 20, "the gate open")
        works(ingress)
        for client in old:
            client.close()
        assert ingress.metric("spanway_bugs_total") == 0
        assert ingress.stop() == 0


class ControlGroup:
    """A control group as version 2 shows it, in a folder, in place of /sys/fs/cgroup for one process."""

    def __init__(self, folder, limit_bytes):
        self.folder = folder / "cgroup"
        self.folder.mkdir()
        (self.folder / "memory.max").write_text(f"{limit_bytes}\n")
        self.use(anon=0, files=0)

    def use(self, anon, files):
        (self.folder / "memory.stat").write_text(f"anon {anon}\nfile {files}\ninactive_file {files}\nactive_file 0\n")
        # Replaced as a whole: it is read at any time.
        new = self.folder / "memory.new"
        new.write_text(f"{anon + files}\n")
        new.replace(self.folder / "memory.current")

    def around(self, command):
        """`command` in a mount namespace of its own."""
        script = 'mount --bind "$1" /sys/fs/cgroup && shift && exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(self.folder), *command]


def can_mount():
    probe = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "test -d /sys/fs/cgroup && mount --bind /tmp /sys/fs/cgroup"]
    return shutil.which("unshare") is not None and subprocess.run(probe, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount in a namespace of its own (root)")
def test_the_control_groups_memory_closes_the_gate_and_its_files_do_not(sink, tmp_path):
    group = ControlGroup(tmp_path, LIMIT_MIB * MIB)
    ingress = Ingress(tmp_path, sink)
    ingress.command = group.around(ingress.command)
    with ingress.start().wait_ready():
        works(ingress)
        group.use(anon=30 * MIB, files=LIMIT_MIB * MIB)  # The kernel drops files when it must.
        group.use(anon=LIMIT_MIB * MIB * 95 // 100, files=0)
        wait_until(ingress.closed, 20, "the gate closed")
        assert ingress.status()["memory"]["rss"] < LIMIT_MIB * MIB // 2, "its own RSS closed it"
        refuses(ingress)
        group.use(anon=30 * MIB, files=LIMIT_MIB * MIB)
        wait_until(ingress.opened, 20, "the gate open")
        works(ingress)
        (line,) = [text for text in ingress.log().splitlines() if "Memory is near its limit" in text]
        assert re.search(rf"group_bytes\W+{LIMIT_MIB * MIB * 95 // 100}\b", line), line
        assert ingress.stop() == 0
