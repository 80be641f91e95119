"""A backend that takes connections and answers nothing: its exporter refuses batches before they are too
many, and delivers those that wait when the backend answers again."""
import contextlib
import signal
import subprocess
import time

import grpc
import pytest
from harness.fan_out import Backends, destination
from harness.parts import require_built
from harness.ports import free_port
from harness.processes import BIN, Service, wait_until
from harness.send import text, trace_request
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

MIB, ITEMS = 1 << 20, 4000
REQUESTS, CONNECTIONS = 800, 10  # Of about 400 KiB each.


def log_records():
    request = ExportLogsServiceRequest()
    outer = request.resource_logs.add()
    outer.resource.attributes.append(text("service.name", "shop"))
    records, now = outer.scope_logs.add().log_records, time.time_ns()
    for i in range(ITEMS):
        records.add(time_unix_nano=now + i).body.string_value = f"line {i} " + "x" * 80
    return request


def data_points():
    request = ExportMetricsServiceRequest()
    outer = request.resource_metrics.add()
    outer.resource.attributes.append(text("service.name", "shop"))
    points, now = outer.scope_metrics.add().metrics.add(name="load").gauge.data_points, time.time_ns()
    for i in range(ITEMS):
        points.add(time_unix_nano=now, as_double=i).attributes.append(text("number", f"{i:060}"))
    return request


SIGNALS = {
    "traces": (TraceServiceStub, lambda: trace_request(spans=ITEMS)),
    "metrics": (MetricsServiceStub, data_points),
    "logs": (LogsServiceStub, log_records),
}
CASES = {"zipkin": "traces", "clickhouse": "traces", "s3": "traces", "loki": "logs", "prometheus": "metrics"}


@pytest.mark.parametrize("name", CASES)
def test_the_memory_of_a_sink_is_bounded(tmp_path, name):
    if name in ("loki", "prometheus", "s3"):
        require_built(name)
    backends = Backends(tmp_path)
    backend, port = backends.all[name], free_port()
    config = {"otlp": {"host": "127.0.0.1", "grpc": {"port": port}}, "destination": destination(backends, name, {"timeout": "60s"})}
    service = Service(f"exporter-{name}", "spanway-exporter", config, tmp_path, backends.s3.keys)
    backend.start()
    try:
        if name == "clickhouse":
            subprocess.run([BIN / "spanway-exporter", "--config", service.config_path, "migrate"], check=True, stdin=subprocess.DEVNULL)
        service.start().wait_ready()
        backend.signal(signal.SIGSTOP)
        make_stub, make_request = SIGNALS[CASES[name]]
        request = make_request()
        with contextlib.ExitStack() as stack:
            own = [("grpc.use_local_subchannel_pool", 1)]  # A connection of its own: each takes 100 requests at once.
            channels = [stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}", own)) for _ in range(CONNECTIONS)]
            stubs = [make_stub(channel) for channel in channels]
            calls = [stubs[i % CONNECTIONS].Export.future(request, timeout=120) for i in range(REQUESTS)]

            def codes():
                return {call.code() for call in calls if call.done()}

            wait_until(lambda: grpc.StatusCode.RESOURCE_EXHAUSTED in codes(), 60, "a refusal", interval=0.2)
            backend.signal(signal.SIGCONT)
            wait_until(lambda: all(call.done() for call in calls), 120, "all answers", interval=0.2)
            assert grpc.StatusCode.OK in codes()
        assert service.peak_bytes() < 256 * MIB
        service.stop()
    finally:
        backend.signal(signal.SIGCONT)
        backend.stop()
        if service.alive():
            service.kill9()
