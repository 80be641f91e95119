"""One stream to every destination at once. Each backend in turn hangs, is killed and comes back: the
others' lag returns to zero meanwhile, and in the end every acknowledged item is in every destination; in
ClickHouse, S3, Loki and Prometheus once."""
import collections
import os
import signal
import subprocess
import time

import pytest
from harness.parts import S3, ClickHouse, Loki, Prometheus, Zipkin, require_built
from harness.pipeline import Pipeline, running
from harness.processes import BIN, wait_until
from harness.send import grpc_export, text, trace_request
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

TENANT = "fan-out"


class Backends:
    def __init__(self, folder):
        self.zipkin, self.clickhouse = Zipkin(folder), ClickHouse(folder)
        self.s3, self.loki, self.prometheus = S3(folder, "traces"), Loki(folder), Prometheus(folder)
        self.all = {"zipkin": self.zipkin, "clickhouse": self.clickhouse, "s3": self.s3, "loki": self.loki, "prometheus": self.prometheus}

    def __enter__(self):
        for backend in self.all.values():
            backend.start()
        return self

    def __exit__(self, *_):
        for backend in self.all.values():
            backend.stop()

    def destinations(self):
        return {
            "zipkin": {"type": "zipkin", "zipkin": {"endpoint": self.zipkin.endpoint, "timeout": "2s"}},
            "clickhouse": {"type": "clickhouse", "clickhouse": {"endpoint": self.clickhouse.url, "timeout": "2s"}},
            "s3": {"type": "s3", "s3": {"bucket": self.s3.bucket, "endpoint": self.s3.url, "path_style": True, "timeout": "2s"}},
            "loki": {"type": "loki", "loki": {"endpoint": self.loki.url, "headers": {"x-scope-orgid": TENANT}, "timeout": "2s"}},
            "prometheus": {
                "type": "prometheus_remote_write",
                "prometheus_remote_write": {"endpoint": self.prometheus.write_url, "timeout": "2s"},
            },
        }


CONSUMERS = {
    "zipkin": {"consumer": {"signals": ["traces"]}},
    "clickhouse": {"consumer": {"signals": ["traces", "logs"], "batch_identity": True}},
    "s3": {"consumer": {"signals": ["traces", "logs"], "batch_identity": True, "batch": {"linger": "1s"}}},
    "loki": {"consumer": {"signals": ["logs"], "max_in_flight_per_partition": 1}},
    "prometheus": {"consumer": {"signals": ["metrics"], "max_in_flight_per_partition": 1}},
}


class Ledger:
    """Acknowledged items, and what each backend has of them."""

    def __init__(self, backends):
        self.backends, self.start = backends, int(time.time()) - 600
        self.spans, self.traces, self.lines, self.waves = set(), [], set(), 0

    def send(self, endpoint):
        request = trace_request(spans=5)
        grpc_export(endpoint, request)
        spans = request.resource_spans[0].scope_spans[0].spans
        self.traces.append(spans[0].trace_id.hex())
        self.spans |= {span.span_id.hex() for span in spans}
        logs = ExportLogsServiceRequest()
        outer = logs.resource_logs.add()
        outer.resource.attributes.append(text("service.name", "shop"))
        lines = [f"wave {self.waves} line {i}" for i in range(5)]
        records = outer.scope_logs.add().log_records
        for i, line in enumerate(lines):
            records.add(time_unix_nano=time.time_ns() + i).body.string_value = line
        grpc_export(endpoint, logs)
        self.lines |= set(lines)
        metrics = ExportMetricsServiceRequest()
        outer = metrics.resource_metrics.add()
        outer.resource.attributes.append(text("service.name", "shop"))
        point = outer.scope_metrics.add().metrics.add(name="wave").gauge.data_points.add()
        point.time_unix_nano, point.as_double = (self.start + self.waves) * 10**9, self.waves
        grpc_export(endpoint, metrics)
        self.waves += 1

    def missing(self, name):
        """What is missing or twice in a backend; empty = each item once."""
        return {kind: wrong for kind, (expected, found) in getattr(self, name)().items() if (wrong := difference(expected, found))}

    def zipkin(self):
        found = []
        for trace in self.traces:
            found += {span["id"] for span in self.backends.zipkin.trace(trace, 1, seconds=1)}  # At least once.
        return {"spans": (self.spans, found)}

    def clickhouse(self):
        select = self.backends.clickhouse.select
        spans = [row[0].lower() for row in select("SELECT hex(span_id) FROM otel.spans")]
        return {"spans": (self.spans, spans), "logs": (self.lines, [row[0] for row in select("SELECT body FROM otel.logs")])}

    def s3(self):
        """The files are read by ClickHouse."""

        def column(expression, kind):
            source = f"{self.backends.s3.url}/{self.backends.s3.bucket}/spanway/v1/{kind}/**/*.parquet"
            query = f"SELECT {expression} FROM s3('{source}', '{S3.ACCESS_KEY}', '{S3.SECRET_KEY}', 'Parquet')"
            return [row[0] for row in self.backends.clickhouse.select(query)]

        return {"spans": (self.spans, [s.lower() for s in column("hex(span_id)", "traces")]), "logs": (self.lines, column("body", "logs"))}

    def loki(self):
        return {"logs": (self.lines, [line for _, _, line, _ in self.backends.loki.entries('{service_name="shop"}', TENANT)])}

    def prometheus(self):
        series = self.backends.prometheus.samples(self.start + 600, "wave").values()
        found = [float(value) for values, _ in series for _, value in values]
        return {"samples": ({float(i) for i in range(self.waves)}, found)}


def difference(expected, found):
    counts = collections.Counter(found)
    twice = [item for item, count in counts.items() if count > 1]
    missing = expected - set(counts)
    return f"{len(missing)} missing, {len(twice)} twice" if missing or twice else ""


def lag(consumer):
    return sum(partition["lag_messages"] for partition in consumer.status()["partitions"])


@pytest.fixture
def backends(tmp_path):
    for part in ("loki", "prometheus", "s3"):
        require_built(part)
    with Backends(tmp_path) as backends:
        yield backends


def test_a_dead_backend_stalls_only_itself_and_every_destination_gets_everything(kafka, backends, tmp_path):
    pipeline = Pipeline(
        tmp_path,
        kafka.brokers,
        backends.destinations(),
        consumers=CONSUMERS,
        environments={"s3": dict(os.environ, **backends.s3.keys)},
    )
    migrate = [BIN / "spanway-exporter", "--config", pipeline.exporters["clickhouse"].config_path, "migrate"]
    subprocess.run(migrate, check=True, stdin=subprocess.DEVNULL)
    ledger = Ledger(backends)

    def complete(name):
        # S3's files are read through ClickHouse.
        try:
            return ledger.missing(name) == {}
        except (AssertionError, OSError, KeyError):
            return False

    def everything_in(names, when):
        for name in names:
            try:
                wait_until(lambda: complete(name), 90, "all items", interval=0.5)
            except AssertionError:
                pytest.fail(f"{name} {when}: {ledger.missing(name)}")

    def others_are_not_concerned(name, how):
        for _ in range(5):
            ledger.send(pipeline.endpoint)
        others = [other for other in backends.all if other != name]
        everything_in([other for other in others if (name, other) != ("clickhouse", "s3")], f"while {name} {how}")
        for other in others:
            wait_until(lambda: lag(pipeline.consumers[other]) == 0, 30, f"no lag of {other} while {name} {how}", interval=0.2)
        assert lag(pipeline.consumers[name]) > 0

    with running(pipeline):
        ledger.send(pipeline.endpoint)
        everything_in(backends.all, "at first")
        for name, backend in backends.all.items():
            backend.signal(signal.SIGSTOP)
            try:
                others_are_not_concerned(name, "hangs")
            finally:
                backend.signal(signal.SIGCONT)
            everything_in([name], "after it hung")
            if name == "zipkin":  # It keeps its spans in memory.
                continue
            backend.signal(signal.SIGKILL)
            others_are_not_concerned(name, "is killed")
            backend.start()
            everything_in([name], "after it was killed")
        backends.s3.stop()
        backends.s3.start(READONLY="1")
        others_are_not_concerned("s3", "is read-only")
        backends.s3.stop()
        backends.s3.start(SECRET_KEY="another")
        others_are_not_concerned("s3", "refuses the key")
        wait_until(lambda: pipeline.consumers["s3"].status()["stalls"], 30, "a stall, no dead letters", interval=0.2)
        backends.s3.stop()
        backends.s3.start()
        everything_in(backends.all, "at the end")
