"""The destinations of `make up`: how each real backend is started, what its exporter is configured with,
and how data is read back from it. pipeline.py runs them."""
import dataclasses
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Callable

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
class Destination:
    part: str  # tests/parts/<part>.sh
    environment: dict  # For it.
    health: str  # A URL that answers while the backend runs.
    signals: list
    section: dict  # `destination` of the exporter.
    # The items that can be read back: of the trace with that id, or at least as new as the time in
    # seconds since 1970 where there is no trace.
    stored: Callable[[str, float], int]
    items: str
    link: Callable[[str, float], str]  # The same, for the user.
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


def read_by_query(name):
    """stored and link of a destination that spanway-query reads."""
    return {
        "stored": lambda trace_id, since: jaeger_spans(query_url(name))(trace_id, since),
        "items": "spans of one trace",
        "link": lambda trace_id, _: f"{query_url(name)}/api/traces/{trace_id}",
    }


def zipkin_spans(trace_id, _):
    return len(json.loads(get(f"http://{address(9411)}/api/v2/trace/{trace_id}")))


def loki_url(trace_id):
    query = f'{{service_namespace="shop"}} | trace_id="{trace_id}"'
    return with_query(f"http://{address(3100)}/loki/api/v1/query_range", query=query)


def loki_lines(trace_id, _):
    return sum(len(stream["values"]) for stream in json.loads(get(loki_url(trace_id)))["data"]["result"])


def prometheus_url(query):
    return with_query(f"http://{address(9090)}/api/v1/query", query=query)


def prometheus_series(_, since):
    found = json.loads(get(prometheus_url("timestamp(shop_orders_total)")))["data"]["result"]
    return sum(float(series["value"][1]) >= since for series in found)


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
        stored=zipkin_spans,
        items="spans of one trace",
        link=lambda trace_id, _: f"http://{address(9411)}/zipkin/traces/{trace_id}",
    ),
    "jaeger": Destination(
        part="jaeger",
        environment={"OTLP_GRPC_PORT": port(24317), "OTLP_HTTP_PORT": port(24318), "QUERY_PORT": port(16686), "HEALTH_PORT": port(23133)},
        health=f"http://{address(23133)}/status",
        signals=["traces"],
        section={"type": "otlp_grpc", "otlp_grpc": {"endpoint": address(24317)}},
        stored=jaeger_spans(f"http://{address(16686)}"),
        items="spans of one trace",
        link=lambda trace_id, _: f"http://{address(16686)}/api/traces/{trace_id}",
    ),
    "clickhouse": Destination(
        part="" if CLICKHOUSE_URL else "clickhouse",
        environment={"PORT": port(8123), "TCP_PORT": port(9000)},
        health=f"http://{address(8123)}/ping",
        signals=["traces", "logs"],
        section={"type": "clickhouse", "clickhouse": clickhouse_keys()},
        **read_by_query("clickhouse"),
        consumer={"batch_identity": True},
        store=clickhouse_keys(),
    ),
    "s3": Destination(
        part="s3",
        environment={"PORT": port(7070), "ACCESS_KEY": S3_KEYS["AWS_ACCESS_KEY_ID"], "SECRET_KEY": S3_KEYS["AWS_SECRET_ACCESS_KEY"]},
        health=f"http://{address(7070)}/health",
        signals=["traces", "logs"],
        section={"type": "s3", "s3": s3_bucket()},
        **read_by_query("s3"),
        consumer={"batch_identity": True, "batch": {"items_max": 100, "linger": "5s", "bytes_max": "32MiB"}},
        keys=S3_KEYS,
        store=s3_bucket(),
    ),
    "memory": Destination(
        part="",
        environment={},
        health="",
        signals=["traces"],
        section={"type": "otlp_grpc", "otlp_grpc": {"endpoint": address(MEMORY_PORT)}},
        **read_by_query("memory"),
        store={"grpc_port": port(MEMORY_PORT)},
    ),
    "loki": Destination(
        part="loki",
        environment={"PORT": port(3100)},
        health=f"http://{address(3100)}/ready",
        signals=["logs"],
        section={"type": "loki", "loki": {"endpoint": f"http://{address(3100)}"}},
        stored=loki_lines,
        items="log records of one trace",
        link=lambda trace_id, _: loki_url(trace_id),
        consumer={"max_in_flight_per_partition": 1, "batch": {"bytes_max": "1MiB"}},
    ),
    "prometheus": Destination(
        part="prometheus",
        environment={"PORT": port(9090)},
        health=f"http://{address(9090)}/-/ready",
        signals=["metrics"],
        section={"type": "prometheus_remote_write", "prometheus_remote_write": {"endpoint": f"http://{address(9090)}/api/v1/write"}},
        stored=prometheus_series,
        items="series with new samples",
        link=lambda *_: prometheus_url("shop_orders_total"),
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
