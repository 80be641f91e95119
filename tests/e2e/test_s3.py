"""S3 as a destination: the real binaries over Kafka against a real server, read back by pyarrow."""
import itertools
import random
import signal

import grpc
import pyarrow.parquet
import pytest
from harness.parts import S3
from harness.pipeline import Pipeline, running
from harness.processes import Service, free_port, wait_until
from harness.send import grpc_export, trace_request
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

_numbers = itertools.count(1)
MIB = 1 << 20


@pytest.fixture
def s3(tmp_path):
    server = S3(tmp_path, "traces").start()
    yield server
    server.signal(signal.SIGCONT)
    server.stop()


def destination(s3, **changes):
    return {"type": "s3", "s3": {"bucket": s3.bucket, "endpoint": s3.url, "path_style": True, "timeout": "5s", **changes}}


def exporter(folder, section, keys):
    port = free_port()
    listen = {"host": "127.0.0.1", "grpc": {"port": port}}
    service = Service(f"exporter-{next(_numbers)}", "spanway-exporter", {"otlp": listen, "destination": section}, folder, keys)
    service.endpoint = f"127.0.0.1:{port}"
    return service


def maps_arrow(service):
    with open(f"/proc/{service.process.pid}/maps") as maps:
        return "libarrow" in maps.read()


def rss(service):
    with open(f"/proc/{service.process.pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def stored_span_ids(s3):
    """Of every row of every object, as often as it is there."""
    files = (s3.data / "data" / s3.bucket).rglob("*.parquet")
    ids = []
    for path in files:
        ids += pyarrow.parquet.ParquetFile(path).read(columns=["span_id"]).column("span_id").to_pylist()
    return sorted(ids)


def test_an_exporter_loads_arrow_only_for_s3(tmp_path):
    section = {"bucket": "traces", "endpoint": f"http://127.0.0.1:{free_port()}", "path_style": True}
    keys = {"AWS_ACCESS_KEY_ID": S3.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": S3.SECRET_KEY}
    for destination_section, needs_arrow in (({"type": "debug"}, False), ({"type": "s3", "s3": section}, True)):
        service = exporter(tmp_path, destination_section, keys)
        service.start().wait_ready()
        assert maps_arrow(service) == needs_arrow
        service.stop()


def test_every_span_is_stored_once_across_kills(tmp_path, kafka, s3):
    """kill -9 of the exporter, the consuming bridge and the S3 server, in random order."""
    consumer = {"consumer": {"batch_identity": True, "batch": {"linger": "200ms"}, "retry": {"initial": "100ms", "max": "1s"}}}
    pipeline = Pipeline(tmp_path, kafka.brokers, {"s3": destination(s3)}, consumer=consumer)
    pipeline.exporters["s3"].environment.update(s3.keys)
    choose = random.Random(12)
    acknowledged = []
    with running(pipeline):
        for number in range(12):
            for _ in range(10):
                request = trace_request(spans=20)
                grpc_export(pipeline.endpoint, request)
                acknowledged += [s.span_id for s in request.resource_spans[0].scope_spans[0].spans]
            victim = choose.choice([pipeline.exporters["s3"], pipeline.consumers["s3"], s3])
            if victim is s3:
                s3.signal(signal.SIGKILL)
                s3.start()
            else:
                victim.kill9()
                victim.start()
        acknowledged.sort()
        wait_until(lambda: len(set(stored_span_ids(s3))) >= len(acknowledged), 120, "every span in the bucket")
        assert stored_span_ids(s3) == acknowledged


def test_a_stalled_server_bounds_the_memory(tmp_path, s3):
    """Batches that arrive while the server does not answer are refused before they are too many."""
    service = exporter(tmp_path, destination(s3, timeout="60s"), s3.keys)
    service.start().wait_ready()
    s3.signal(signal.SIGSTOP)
    request = trace_request(spans=4000)  # 400 KiB.
    with grpc.insecure_channel(service.endpoint) as channel:
        stub = trace_service_pb2_grpc.TraceServiceStub(channel)
        waiting, refused, highest = [], 0, 0
        for _ in range(600):
            waiting.append(stub.Export.future(request, timeout=60))
            highest = max(highest, rss(service))
            answered = [call for call in waiting if call.done()]
            waiting = [call for call in waiting if not call.done()]
            assert all(call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED for call in answered)
            refused += len(answered)
        wait_until(lambda: refused or any(call.done() for call in waiting), 30, "a refusal")
        assert max(highest, rss(service)) < 256 * MIB
        s3.signal(signal.SIGCONT)
        wait_until(lambda: all(call.done() for call in waiting), 60, "the answers")
        # Everything that was waiting is stored when the server answers again.
        assert {call.code() for call in waiting} <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
    assert stored_span_ids(s3)
    service.stop()
