"""S3 as a destination: the real binaries over Kafka against a real server, read back by pyarrow."""
import itertools
import json
import os
import random
import time

import pyarrow.parquet
import pytest
from harness.parts import S3
from harness.pipeline import Pipeline, running
from harness.ports import free_port
from harness.processes import Service, wait_until
from harness.send import grpc_export, text, trace_request
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

_numbers = itertools.count(1)
KILLS = int(os.environ.get("SPANWAY_KILLS", "12"))


@pytest.fixture
def s3(tmp_path):
    server = S3(tmp_path, "traces").start()
    yield server
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


def stored(s3, folder, *columns):
    """The columns of every row of every object below the folder, as often as it is there; sorted."""
    rows = []
    for path in (s3.data / "data" / s3.bucket / "spanway/v1" / folder).rglob("*.parquet"):
        table = pyarrow.parquet.ParquetFile(path).read(columns=list(columns))
        rows += zip(*(table.column(name).to_pylist() for name in columns))
    return sorted(rows)


def stored_span_ids(s3):
    return [row[0] for row in stored(s3, "traces", "span_id")]


def stored_points(s3):
    """The samples, histograms and exemplars of the requests of points(), each by its number."""
    labels = [json.loads(text)["number"] for text, in stored(s3, "metrics/samples", "series_labels") if "number" in text]
    sums = [row[0] for row in stored(s3, "metrics/histograms", "sum")]
    return {"samples": sorted(labels, key=int), "histograms": sums, "exemplars": [row[0] for row in stored(s3, "metrics/exemplars", "value")]}


def points(number):
    request = ExportMetricsServiceRequest()
    outer = request.resource_metrics.add()
    outer.resource.attributes.append(text("service.name", "shop"))
    metrics, now = outer.scope_metrics.add().metrics, time.time_ns()
    gauge = metrics.add(name="queue").gauge.data_points.add(time_unix_nano=now, as_double=1)
    gauge.attributes.append(text("number", str(number)))
    histogram = metrics.add(name="latency").histogram
    histogram.aggregation_temporality = 2
    point = histogram.data_points.add(time_unix_nano=now, count=1, sum=number, explicit_bounds=[1], bucket_counts=[1, 0])
    point.exemplars.add(time_unix_nano=now, as_double=number, trace_id=bytes(16))
    return request


def test_an_exporter_loads_arrow_only_for_s3(tmp_path):
    section = {"bucket": "traces", "endpoint": f"http://127.0.0.1:{free_port()}", "path_style": True}
    keys = {"AWS_ACCESS_KEY_ID": S3.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": S3.SECRET_KEY}
    for destination_section, needs_arrow in (({"type": "debug"}, False), ({"type": "s3", "s3": section}, True)):
        service = exporter(tmp_path, destination_section, keys)
        service.start().wait_ready()
        assert maps_arrow(service) == needs_arrow
        service.stop()


def test_every_item_is_stored_once_across_kills(tmp_path, kafka, s3):
    """kill -9 of the exporter, the consuming bridge and the S3 server, in random order."""
    consumer = {"consumer": {"batch_identity": True, "batch": {"linger": "200ms"}, "retry": {"initial": "100ms", "max": "1s"}}}
    pipeline = Pipeline(tmp_path, kafka.brokers, {"s3": destination(s3)}, consumer=consumer, signals=("traces", "metrics"))
    pipeline.exporters["s3"].environment.update(s3.keys)
    choose = random.Random(12)
    acknowledged, sent = [], 0
    with running(pipeline):
        for _ in range(KILLS):
            for _ in range(5):
                grpc_export(pipeline.endpoint, points(sent))
                sent += 1
            for _ in range(10):
                request = trace_request(spans=20)
                grpc_export(pipeline.endpoint, request)
                acknowledged += [s.span_id for s in request.resource_spans[0].scope_spans[0].spans]
            victim = choose.choice([pipeline.exporters["s3"], pipeline.consumers["s3"], s3])
            victim.kill9()
            victim.start()
        acknowledged.sort()
        wait_until(lambda: len(set(stored_span_ids(s3))) >= len(acknowledged), 120, "every span in the bucket")
        expected = {
            "samples": [str(number) for number in range(sent)],
            "histograms": list(map(float, range(sent))),
            "exemplars": list(map(float, range(sent))),
        }
        wait_until(lambda: all(len(set(stored_points(s3)[kind])) >= sent for kind in expected), 60, "every data point in the bucket")
        assert stored_span_ids(s3) == acknowledged
        assert stored_points(s3) == expected
