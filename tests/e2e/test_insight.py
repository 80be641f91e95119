"""The insight of spanway-query over a real ClickHouse: a planted loop of calls and a planted slow dependency come out of
its routes, whichever process computes them and however often."""
import os
import subprocess
import time

import pytest
import requests
from harness.parts import ClickHouse
from harness.ports import free_port
from harness.processes import BIN, Service, wait_until
from harness.send import grpc_export, text
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

WINDOW = 300 * 10**9
WINDOWS = 8
# Those of them that are compared; the others are a baseline, and may be out of the job's reach.
COMPUTED = 3
TABLES = ("edges_5m", "findings", "insight_windows")
SERVER, CLIENT = 2, 3


class Scene:
    """Spans by service, as one request."""

    def __init__(self):
        self.request = trace_service_pb2.ExportTraceServiceRequest()
        self.spans = {}
        for service in ("shop", "cart"):
            resource_spans = self.request.resource_spans.add()
            resource_spans.resource.attributes.append(text("service.name", service))
            self.spans[service] = resource_spans.scope_spans.add().spans

    def add(self, trace_id, service, name, kind, begin, millis, parent=b"", **attributes):
        span = self.spans[service].add(trace_id=trace_id, span_id=os.urandom(8), parent_span_id=parent, name=name, kind=kind)
        span.start_time_unix_nano, span.end_time_unix_nano = begin, begin + millis * 10**6
        for key, value in attributes.items():
            span.attributes.append(text(key.replace("_", "."), value))
        return span.span_id

    def call(self, begin, millis):
        """shop asks cart, and cart its database, which is what takes the time."""
        trace_id = os.urandom(16)
        root = self.add(trace_id, "shop", "GET /", SERVER, begin, millis + 4)
        client = self.add(trace_id, "shop", "GET", CLIENT, begin + 10**6, millis + 2, root)
        server = self.add(trace_id, "cart", "GET /cart", SERVER, begin + 2 * 10**6, millis, client)
        self.add(trace_id, "cart", "SELECT cart", CLIENT, begin + 2 * 10**6, millis, server, db_system="mysql", db_name="carts")

    def loop(self, begin):
        trace_id = os.urandom(16)
        root = self.add(trace_id, "shop", "GET /orders", SERVER, begin, 200)
        for i in range(15):
            statement = f"SELECT * FROM item WHERE id = {i}"
            at = begin + (1 + 10 * i) * 10**6
            self.add(trace_id, "shop", "SELECT", CLIENT, at, 8, root, db_system="mysql", db_name="orders", db_statement=statement)
        return trace_id.hex()


def planted(newest):
    """The newest window with spans, which is over, and those before it."""
    scene = Scene()
    for window in range(WINDOWS):
        begin = newest - (WINDOWS - 1 - window) * WINDOW
        for i in range(60):
            is_slow = window >= WINDOWS - 2
            scene.call(begin + i * 10**9, 300 + i % 5 if is_slow else 20 + i % 5)
    return scene.request, [scene.loop(newest + i * 10**9) for i in range(3)]


class Stack:
    def __init__(self, folder):
        self.folder = folder
        self.newest = (time.time_ns() // WINDOW - 2) * WINDOW
        self.server = ClickHouse(folder).start()
        otlp = free_port()
        destination = {"type": "clickhouse", "clickhouse": {"endpoint": self.server.url}}
        exporter = Service("exporter", "spanway-exporter", {"otlp": {"grpc": {"port": otlp}}, "destination": destination}, folder)
        subprocess.run([BIN / "spanway-exporter", "--config", exporter.config_path, "migrate"], check=True, stdin=subprocess.DEVNULL)
        exporter.start().wait_ready()
        request, self.loops = planted(self.newest)
        grpc_export(f"127.0.0.1:{otlp}", request)
        exporter.stop()
        self.started = []

    def query(self, **insight):
        """A process of its own."""
        port = free_port()
        store = {"endpoint": self.server.url, "username": "reader", "password": "spanway"}
        own = {"interval": "100ms", "delay": "0s", "final_delay": "0s", "catch_up": "30m", **insight}
        config = {"api": {"port": port}, "stores": {"clickhouse": store}, "insight": own}
        service = Service(f"query-{len(self.started)}", "spanway-query", config, self.folder)
        service.url = f"http://127.0.0.1:{port}"
        self.started.append(service)
        service.start().wait_ready()
        return service

    def count(self, table):
        first, last = ((self.newest - back * WINDOW) // 10**9 for back in (COMPUTED - 1, 0))
        where = f"toUnixTimestamp(t) BETWEEN {first} AND {last}"
        return int(self.server.select(f"SELECT uniqExact(t) FROM otel.{table} WHERE {where}")[0][0])

    def rows(self):
        """The rows of the windows that are compared: others come and go with the hour."""
        first, last = ((self.newest - back * WINDOW) // 10**9 for back in (COMPUTED - 1, 0))
        where = f"toUnixTimestamp(t) BETWEEN {first} AND {last}"
        return {table: sorted(map(str, self.server.select(f"SELECT * FROM otel.{table} FINAL WHERE {where}"))) for table in TABLES}

    def wait_computed(self):
        wait_until(lambda: self.count("insight_windows") == COMPUTED, 120, "the windows are computed", interval=0.3)
        return self.rows()

    def forget(self):
        for table in TABLES:
            self.server.execute(f"TRUNCATE TABLE otel.{table}")

    def get(self, service, route, **parameters):
        times = {"start_time": (self.newest - (COMPUTED - 1) * WINDOW) // 10**9, "end_time": (self.newest + WINDOW) // 10**9}
        answer = requests.get(f"{service.url}/api/v1/{route}", params=times | parameters, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stop(self):
        for service in self.started:
            service.stop()
        self.server.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    made = Stack(tmp_path_factory.mktemp("insight"))
    yield made
    made.stop()


WRITER = {"username": "writer", "password": "spanway"}


def test_planted_causes_come_out_and_stay_the_same_in_every_process(stack):
    first = stack.query(**WRITER)
    rows = stack.wait_computed()
    graph, findings = stack.get(first, "graph", step=300), stack.get(first, "findings")
    assert graph["kept"] == "store" and [window["state"] for window in graph["windows"]] == ["final"] * COMPUTED
    edges = {(edge["parent"], edge["child"], edge["link"]): edge for edge in graph["edges"]}
    assert edges.keys() == {("shop", "cart", "call"), ("cart", "mysql/carts", "db"), ("shop", "mysql/orders", "db")}
    assert edges["shop", "cart", "call"]["callsByStep"] == [60] * COMPUTED
    assert edges["shop", "mysql/orders", "db"]["callsByStep"] == [0] * (COMPUTED - 1) + [45]
    p95 = edges["cart", "mysql/carts", "db"]["durationP95MsByStep"]
    assert max(p95[:-2]) < 40 and min(p95[-2:]) > 250
    kinds = {node["name"]: node["kind"] for node in graph["nodes"]}
    assert kinds == {"shop": "service", "cart": "service", "mysql/carts": "database", "mysql/orders": "database"}
    (loop,) = stack.get(first, "findings", kind="n_plus_one")["findings"]
    assert loop["service"] == "shop" and loop["operation"] == "GET /orders" and loop["observed"] == 15
    assert sorted(loop["traceIds"]) == sorted(stack.loops) and loop["isOpen"]
    slow = {finding["subject"] for finding in findings["findings"] if finding["kind"] == "latency_regression"}
    assert slow == {"shop GET /", "shop GET (client)", "cart GET /cart", "cart SELECT cart (client)"}
    assert "spanway_insight_kept_in_memory_status 0" in first.admin("/metrics")

    # Another process computes the same windows once more, over the rows that are there, and dies in the middle; its
    # successor computes the others.
    first.stop()
    stack.server.execute("TRUNCATE TABLE otel.insight_windows")
    second = stack.query(**WRITER)
    wait_until(lambda: stack.count("insight_windows") > 0, 120, "a window is written", interval=0.02)
    second.kill9()
    third = stack.query(**WRITER)
    assert stack.wait_computed() == rows
    assert stack.get(third, "graph", step=300) == graph
    third.stop()

    # Without the right to write, results are the same, and kept by the process.
    stack.forget()
    reader = stack.query()
    kept = wait_until(
        lambda: (now := stack.get(reader, "graph", step=300)) and {w["state"] for w in now["windows"]} == {"final"} and now,
        120,
        "the windows are computed",
        interval=0.3,
    )
    assert kept == graph | {"kept": "memory"}
    assert not any(stack.rows().values())
    assert "spanway_insight_kept_in_memory_status 1" in reader.admin("/metrics")
