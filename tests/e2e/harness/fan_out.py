"""One stream to every destination at once: the backends, their consumers, and a ledger of what was
acknowledged and what each backend has of it."""
import collections
import subprocess
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from .parts import S3, ClickHouse, Loki, Prometheus, Zipkin
from .pipeline import Pipeline
from .processes import BIN
from .send import grpc_export, text, trace_request

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


def destination(backends, name, changes=None):
    """The exporter's section."""
    kinds = {
        "zipkin": ("zipkin", lambda: {"endpoint": backends.zipkin.endpoint}),
        "clickhouse": ("clickhouse", lambda: {"endpoint": backends.clickhouse.url}),
        "s3": ("s3", lambda: {"bucket": backends.s3.bucket, "endpoint": backends.s3.url, "path_style": True}),
        "loki": ("loki", lambda: {"endpoint": backends.loki.url, "headers": {"x-scope-orgid": TENANT}}),
        "prometheus": ("prometheus_remote_write", lambda: {"endpoint": backends.prometheus.write_url}),
    }
    kind, keys = kinds[name]
    return {"type": kind, kind: {**keys(), "timeout": "2s", **(changes or {})}}


CONSUMERS = {
    "zipkin": {"consumer": {"signals": ["traces"]}},
    "clickhouse": {"consumer": {"signals": ["traces", "metrics", "logs"], "batch_identity": True}},
    "s3": {"consumer": {"signals": ["traces", "metrics", "logs"], "batch_identity": True, "batch": {"linger": "1s"}}},
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
        """The items that are missing or twice in a backend; empty = each item once."""
        return {kind: wrong for kind, (expected, found) in getattr(self, name)().items() if (wrong := difference(expected, found))}

    def zipkin(self):
        found = []
        for trace in self.traces:
            found += {span["id"] for span in self.backends.zipkin.trace(trace, 1, seconds=1)}  # At least once.
        return {"spans": (self.spans, found)}

    def clickhouse(self):
        select = self.backends.clickhouse.select
        return {
            "spans": (self.spans, [row[0].lower() for row in select("SELECT hex(span_id) FROM otel.spans")]),
            "samples": (self.values(), [float(row[0]) for row in select("SELECT value FROM otel.samples WHERE metric = 'wave'")]),
            "logs": (self.lines, [row[0] for row in select("SELECT body FROM otel.logs")]),
        }

    def rollups(self):
        """Rows of ClickHouse that a rollup has and its table has not, or the other way round; empty = equal."""
        pairs = {
            "spans": ["sum(calls) FROM otel.red_5m", "sum(calls) FROM otel.red_1h", "sum(calls) FROM otel.red_service_5m"],
            "samples": ["sum(n) FROM otel.samples_5m"],
            "logs": ["sum(lines) FROM otel.log_volume_5m"],
        }

        def number(expression):
            return int(self.backends.clickhouse.select(f"SELECT {expression}")[0][0])

        raw = {table: number(f"count() FROM otel.{table}") for table in pairs}
        return {rollup: got - raw[table] for table, of in pairs.items() for rollup in of if (got := number(rollup)) != raw[table]}

    def s3(self):
        """The files are read by ClickHouse."""

        def column(expression, folder, condition="1"):
            source = f"{self.backends.s3.url}/{self.backends.s3.bucket}/spanway/v1/{folder}/**/*.parquet"
            query = f"SELECT {expression} FROM s3('{source}', '{S3.ACCESS_KEY}', '{S3.SECRET_KEY}', 'Parquet') WHERE {condition}"
            return [row[0] for row in self.backends.clickhouse.select(query)]

        return {
            "spans": (self.spans, [s.lower() for s in column("hex(span_id)", "traces")]),
            "samples": (self.values(), [float(value) for value in column("value", "metrics/samples", "metric = 'wave'")]),
            "logs": (self.lines, column("body", "logs")),
        }

    def loki(self):
        return {"logs": (self.lines, [line for _, _, line, _ in self.backends.loki.entries('{service_name="shop"}', TENANT)])}

    def prometheus(self):
        series = self.backends.prometheus.samples(self.start + 600, "wave").values()
        found = [float(value) for values, _ in series for _, value in values]
        return {"samples": (self.values(), found)}

    def values(self):
        return {float(i) for i in range(self.waves)}

    def complete(self, name):
        """Also False while ClickHouse, by which the files of S3 are read, does not answer."""
        try:
            return self.missing(name) == {}
        except (AssertionError, OSError, KeyError):
            return False


def difference(expected, found):
    counts = collections.Counter(found)
    twice = [item for item, count in counts.items() if count > 1]
    missing = expected - set(counts)
    return f"{len(missing)} missing, {len(twice)} twice" if missing or twice else ""


def lag(consumer):
    return sum(partition["lag_messages"] for partition in consumer.status()["partitions"])


def pipeline_to(backends, kafka, folder, destinations=None):
    """Fans out to all backends, or to `destinations`; the tables of ClickHouse are there."""
    destinations = destinations or {name: destination(backends, name) for name in CONSUMERS}
    pipeline = Pipeline(folder, kafka.brokers, destinations, consumers=CONSUMERS, environments={"s3": backends.s3.keys})
    migrate = [BIN / "spanway-exporter", "--config", pipeline.exporters["clickhouse"].config_path, "migrate"]
    subprocess.run(migrate, check=True, stdin=subprocess.DEVNULL)
    return pipeline
