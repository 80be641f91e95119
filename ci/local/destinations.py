"""The destinations of `make up`: how each real backend is started, what its exporter is configured with,
and how data is read back from it. pipeline.py runs them."""
import base64
import dataclasses
import json
import os
import pathlib
import urllib.error
import urllib.parse
import urllib.request
from typing import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = pathlib.Path(os.environ.get("SPANWAY_RUN", ROOT / "run"))
# Added to every port, so that a second pipeline runs beside the first; its data are in SPANWAY_RUN.
OFFSET = int(os.environ.get("SPANWAY_PORT_OFFSET", "0"))
# A server of the user's own in place of the one that is started here.
CLICKHOUSE_URL = os.environ.get("CLICKHOUSE_URL", "")
# The keys of the S3 server that is started here.
S3_KEYS = {"AWS_ACCESS_KEY_ID": "testkey", "AWS_SECRET_ACCESS_KEY": "testsecret"}
S3_BUCKET = "spanway"


def port(number):
    return number + OFFSET


def address(number):
    return f"127.0.0.1:{port(number)}"


# The port of spanway-query over the first destination that it can read; each further one has a port of its own.
QUERY_PORT, QUERY_PORT_STEP = 8081, 100
JAEGER_GRPC_PORT = 16685  # The same of its gRPC API, with the same step.
MEMORY_PORT = 4347
query_ports = {}  # By destination; parse() fills it.


def get(url, timeout=2.0):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def answers(url):
    try:
        get(url)
        return True
    except (urllib.error.URLError, OSError):
        return False


@dataclasses.dataclass(frozen=True)
class Reading:
    """Items of one signal that a backend has stored."""

    items: str
    # How many can be read back: of the trace with that id, or at least as new as the time in
    # seconds since 1970 where there is no trace.
    stored: Callable[[str, float], int]
    link: Callable[[str, float], str]  # The same, for the user.


@dataclasses.dataclass(frozen=True)
class Destination:
    part: str  # tests/parts/<part>.sh
    environment: dict  # For it.
    health: str  # A URL that answers while the backend runs.
    signals: list
    section: dict  # `destination` of the exporter.
    readings: list  # One for each signal, in the order of `signals`.
    consumer: dict = dataclasses.field(default_factory=dict)  # More keys of `consumer`.
    # The configuration of the exporter and of spanway-query.
    keys: dict = dataclasses.field(default_factory=dict)
    # Section of `stores` of the spanway-query that reads it back; None = the backend has an API.
    store: dict | None = None


def with_query(url, **parameters):
    return f"{url}?{urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote, safe='')}"


# --- reading back ------------------------------------------------------------------------------


def jaeger_spans(base):
    return lambda trace_id, since: len(json.loads(get(f"{base}/api/traces/{trace_id}"))["data"][0]["spans"])


def query_url(name):
    return f"http://{address(query_ports[name])}"


def spans_by_query(name):
    """A trace in a destination that spanway-query reads."""
    return Reading(
        items="spans of one trace",
        stored=lambda trace_id, since: jaeger_spans(query_url(name))(trace_id, since),
        link=lambda trace_id, _: f"{query_url(name)}/api/traces/{trace_id}",
    )


def zipkin_spans(trace_id, _):
    return len(json.loads(get(f"http://{address(9411)}/api/v2/trace/{trace_id}")))


def loki_url(trace_id):
    query = f'{{service_namespace="shop"}} | trace_id="{trace_id}"'
    return with_query(f"http://{address(3100)}/loki/api/v1/query_range", query=query)


def loki_lines(trace_id, _):
    return sum(len(stream["values"]) for stream in json.loads(get(loki_url(trace_id)))["data"]["result"])


def series_of(base):
    """A metric by PromQL; `base` gives the URL of the server."""

    def url(query):
        return with_query(f"{base()}/api/v1/query", query=query)

    def stored(_, since):
        found = json.loads(get(url("timestamp(shop_orders_total)")))["data"]["result"]
        return sum(float(series["value"][1]) >= since for series in found)

    return Reading("series with new samples", stored, lambda *_: url("shop_orders_total"))


# SQL that a browser may send: it only reads.
LOGS_SQL = "SELECT ts,service_name,body FROM otel.logs WHERE trace_id=unhex('{}')"
SAMPLES_SQL = "SELECT ts,metric,value FROM otel.samples WHERE metric='shop_orders_total' AND ts>={}"


def clickhouse_url(sql):
    return clickhouse_keys()["endpoint"].rstrip("/") + "/?" + urllib.parse.urlencode({"query": sql}, safe=",=()")


def clickhouse_rows(sql):
    keys = clickhouse_keys()
    request = urllib.request.Request(clickhouse_url(sql))
    if "username" in keys:
        pair = f"{keys['username']}:{keys.get('password', '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    return len(get(request).splitlines())


def rows_in_clickhouse(items, sql):
    return Reading(
        items=items,
        stored=lambda trace_id, since: clickhouse_rows(sql(trace_id, since)),
        link=lambda trace_id, since: clickhouse_url(sql(trace_id, since)),
    )


def files_in_s3(signal):
    """The bucket is a folder of the server that is started here."""
    folder = RUN / "parts/s3/data" / S3_BUCKET / "spanway/v1" / signal
    return Reading(
        items=f"Parquet files of {signal}",
        stored=lambda _, since: sum(file.stat().st_mtime >= since for file in folder.rglob("*.parquet")),
        link=lambda *_: str(folder),
    )


# --- the table ---------------------------------------------------------------------------------


def clickhouse_keys():
    """The keys that the exporter's destination and the store of spanway-query share."""
    keys = {"endpoint": CLICKHOUSE_URL or f"http://{address(8123)}"}
    for key in ("username", "password"):
        if value := os.environ.get(f"CLICKHOUSE_{key.upper()}"):
            keys[key] = value
    return keys


def s3_bucket():
    return {"bucket": S3_BUCKET, "endpoint": f"http://{address(7070)}", "path_style": True}


DESTINATIONS = {
    "zipkin": Destination(
        part="zipkin",
        environment={"PORT": port(9411)},
        health=f"http://{address(9411)}/health",
        signals=["traces"],
        section={"type": "zipkin", "zipkin": {"endpoint": f"http://{address(9411)}/api/v2/spans"}},
        readings=[Reading("spans of one trace", zipkin_spans, lambda trace_id, _: f"http://{address(9411)}/zipkin/traces/{trace_id}")],
    ),
    "jaeger": Destination(
        part="jaeger",
        environment={"OTLP_GRPC_PORT": port(24317), "OTLP_HTTP_PORT": port(24318), "QUERY_PORT": port(16686), "HEALTH_PORT": port(23133)},
        health=f"http://{address(23133)}/status",
        signals=["traces"],
        section={"type": "otlp_grpc", "otlp_grpc": {"endpoint": address(24317)}},
        readings=[
            Reading(
                items="spans of one trace",
                stored=jaeger_spans(f"http://{address(16686)}"),
                link=lambda trace_id, _: f"http://{address(16686)}/api/traces/{trace_id}",
            )
        ],
    ),
    "clickhouse": Destination(
        part="" if CLICKHOUSE_URL else "clickhouse",
        environment={"PORT": port(8123), "TCP_PORT": port(9000)},
        health=f"http://{address(8123)}/ping",
        signals=["traces", "logs", "metrics"],
        section={"type": "clickhouse", "clickhouse": clickhouse_keys()},
        readings=[
            spans_by_query("clickhouse"),
            rows_in_clickhouse("log records of one trace", lambda trace_id, _: LOGS_SQL.format(trace_id)),
            rows_in_clickhouse("samples of one metric", lambda _, since: SAMPLES_SQL.format(int(since))),
        ],
        consumer={"batch_identity": True},
        store=clickhouse_keys(),
    ),
    "s3": Destination(
        part="s3",
        environment={"PORT": port(7070), "ACCESS_KEY": S3_KEYS["AWS_ACCESS_KEY_ID"], "SECRET_KEY": S3_KEYS["AWS_SECRET_ACCESS_KEY"]},
        health=f"http://{address(7070)}/health",
        signals=["traces", "logs", "metrics"],
        section={"type": "s3", "s3": s3_bucket()},
        readings=[spans_by_query("s3"), files_in_s3("logs"), files_in_s3("metrics")],
        consumer={"batch_identity": True, "batch": {"items_max": 100, "linger": "5s", "bytes_max": "32MiB"}},
        keys=S3_KEYS,
        store=s3_bucket(),
    ),
    "memory": Destination(
        part="",
        environment={},
        health="",
        signals=["traces", "metrics"],
        section={"type": "otlp_grpc", "otlp_grpc": {"endpoint": address(MEMORY_PORT)}},
        readings=[spans_by_query("memory"), series_of(lambda: query_url("memory"))],
        store={"grpc_port": port(MEMORY_PORT)},
    ),
    "loki": Destination(
        part="loki",
        environment={"PORT": port(3100)},
        health=f"http://{address(3100)}/ready",
        signals=["logs"],
        section={"type": "loki", "loki": {"endpoint": f"http://{address(3100)}"}},
        readings=[Reading("log records of one trace", loki_lines, lambda trace_id, _: loki_url(trace_id))],
        consumer={"max_in_flight_per_partition": 1, "batch": {"bytes_max": "1MiB"}},
    ),
    "prometheus": Destination(
        part="prometheus",
        environment={"PORT": port(9090)},
        health=f"http://{address(9090)}/-/ready",
        signals=["metrics"],
        section={"type": "prometheus_remote_write", "prometheus_remote_write": {"endpoint": f"http://{address(9090)}/api/v1/write"}},
        readings=[series_of(lambda: f"http://{address(9090)}")],
        consumer={"max_in_flight_per_partition": 1},
    ),
}


def parse(text):
    """The names in DEST, or the mistake in it."""
    names = [name.strip() for name in text.split(",")]
    known = ", ".join(sorted(DESTINATIONS))
    for name in names:
        if name not in DESTINATIONS:
            return [], f"DEST has '{name}'; use one of {known}, or several: DEST=jaeger,clickhouse"
    if len(set(names)) != len(names):
        return [], f"DEST is '{text}' and names a destination twice; name each once"
    read = [name for name in names if DESTINATIONS[name].store is not None]
    query_ports.update({name: QUERY_PORT + QUERY_PORT_STEP * i for i, name in enumerate(read)})
    return names, ""
