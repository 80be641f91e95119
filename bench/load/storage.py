#!/usr/bin/env python3
"""The cost of storing spans: storage.py [--spans 40000] [--batches 20] [--large]

One exporter is sent batches of equal size over OTLP/gRPC, one after the other, into ClickHouse tables
of the engine Null (encoding and sending alone), into the real tables, and into S3. Prints the CPU time
of the exporter and of ClickHouse a million spans, and the bytes of a span where it is stored. --large: spans
of about 770 bytes, with the texts that HTTP and database spans carry."""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import grpc  # noqa: E402
from harness.parts import S3, ClickHouse  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.processes import BIN, Service  # noqa: E402
from harness.send import text  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: E402
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue  # noqa: E402

SERVICES, SPANS_OF_A_TRACE = 8, 8
ROUTES = [f"/api/v1/{word}/{{id}}" for word in "cart user order item price stock ship bill mail auth".split()]
RESOURCE = {"service.namespace": "shop", "host.name": "node-1", "k8s.pod.name": "shop-abc", "telemetry.sdk.language": "java"}


AGENTS = [f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36" for major in range(120, 140)]
QUERY = "SELECT i.id, i.name, i.price, s.amount FROM items AS i JOIN stock AS s ON s.item_id = i.id WHERE i.{} = $1 ORDER BY i.name"


def large_attributes(choose, span, route):
    number = choose.randrange(10**6)
    texts = {
        "user_agent.original": choose.choice(AGENTS),
        "url.full": f"https://shop.example.com{route.replace('{id}', str(number))}?page={number % 20}&sort=price",
        "db.system": "postgresql",
        "db.statement": QUERY.format(route.split("/")[3]),
        "code.function": "shop." + route.split("/")[3] + ".Repository.findAll",
    }
    span.attributes.extend(text(key, value) for key, value in texts.items())


def attributes(choose, span, route, index):
    texts = {
        "http.request.method": "GET",
        "http.route": route,
        "url.path": route.replace("{id}", str(choose.randrange(10**4))),
        "server.address": "shop.example.com",
        "user.id": f"u{choose.randrange(5000)}",
        "thread.name": f"worker-{index}",
        "client.address": f"10.0.{choose.randrange(8)}.{choose.randrange(250)}",
    }
    span.attributes.extend(text(key, value) for key, value in texts.items())
    numbers = {"http.response.status_code": choose.choice((200, 200, 200, 404, 500)), "thread.id": index}
    span.attributes.extend(KeyValue(key=key, value=AnyValue(int_value=value)) for key, value in numbers.items())


def batch(choose, spans, minutes_ago, is_large):
    request = trace_service_pb2.ExportTraceServiceRequest()
    now = time.time_ns() - minutes_ago * 60 * 10**9
    for service in range(SERVICES):
        outer = request.resource_spans.add()
        outer.resource.attributes.extend(text(k, v) for k, v in {"service.name": f"service-{service}", **RESOURCE}.items())
        scope = outer.scope_spans.add()
        for _ in range(spans // SERVICES // SPANS_OF_A_TRACE):
            trace_id, parent, start = choose.randbytes(16), b"", now + choose.randrange(10**10)
            for index in range(SPANS_OF_A_TRACE):
                route = choose.choice(ROUTES)
                span = scope.spans.add(trace_id=trace_id, span_id=choose.randbytes(8), parent_span_id=parent, name="GET " + route)
                span.kind, parent = 2 + index % 2, span.span_id
                span.start_time_unix_nano = start + index * 10**6
                span.end_time_unix_nano = span.start_time_unix_nano + choose.randrange(10**8)
                attributes(choose, span, route, index)
                if is_large:
                    large_attributes(choose, span, route)
    return request.SerializeToString()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Exporter:
    def __init__(self, folder, name, destination, environment=None):
        port = free_port()
        listen = {"host": "127.0.0.1", "grpc": {"port": port}}
        config = {"otlp": listen, "destination": destination, "memory_limit": "1GiB"}
        self.service = Service(name, "spanway-exporter", config, folder, environment)
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_send_message_length", -1)])
        method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        self.export = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)

    def migrate(self):
        subprocess.run([BIN / "spanway-exporter", "--config", self.service.config_path, "migrate"], check=True, stdout=subprocess.DEVNULL)

    def cost(self, batches, spans, *others):
        """CPU-s a million spans of the exporter and the other processes; the first batch warms up."""
        self.service.start().wait_ready()
        self.export(batches[0], timeout=120)
        pids = [self.service.process.pid, *others]
        before = [cpu_seconds(pid) for pid in pids]
        for body in batches[1:]:
            self.export(body, timeout=120)
        millions = (len(batches) - 1) * spans / 10**6
        result = [round((cpu_seconds(pid) - start) / millions, 2) for pid, start in zip(pids, before)]
        self.service.stop()
        return result


def clickhouse(folder, batches, spans, null):
    server = ClickHouse(folder).start()
    try:
        exporter = Exporter(folder, f"clickhouse-{null}", {"type": "clickhouse", "clickhouse": {"endpoint": server.url, "timeout": "60s"}})
        exporter.migrate()
        if null:
            for statement in ("DROP VIEW otel.red_5m_mv", "CREATE TABLE otel.nothing AS otel.spans ENGINE = Null",
                              "DROP TABLE otel.spans", "RENAME TABLE otel.nothing TO otel.spans"):
                server.execute(statement)
            print("ClickHouse, Null tables: exporter CPU-s/M", *exporter.cost(batches, spans))
            return
        own, servers = exporter.cost(batches, spans, int(server.pid_file.read_text()))
        print("ClickHouse: exporter CPU-s/M", own, "server CPU-s/M", servers)
        server.execute("OPTIMIZE TABLE otel.spans FINAL", timeout=600)
        columns = "sum(bytes_on_disk) / sum(rows), sum(secondary_indices_compressed_bytes) / sum(rows)"
        where = "database = 'otel' AND table = 'spans' AND active"
        print("ClickHouse: B/span, of it indexes", *server.select(f"SELECT {columns} FROM system.parts WHERE {where}")[0])
    finally:
        server.stop()


def s3(folder, batches, spans):
    server = S3(folder, "traces").start()
    try:
        section = {"bucket": "traces", "endpoint": server.url, "path_style": True}
        print("S3: exporter CPU-s/M", *Exporter(folder, "s3", {"type": "s3", "s3": section}, server.keys).cost(batches, spans))
        files = list((server.data / "data/traces").rglob("*.parquet"))
        print("S3: B/span", sum(file.stat().st_size for file in files) / (len(files) * spans))
    finally:
        server.stop()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--spans", type=int, default=40_000, help="spans of a batch")
    arguments.add_argument("--batches", type=int, default=20)
    arguments.add_argument("--large", action="store_true", help="spans of about 770 bytes")
    options = arguments.parse_args()
    choose = random.Random(1)
    batches = [batch(choose, options.spans, number % 50, options.large) for number in range(options.batches)]
    print("OTLP: B/span", len(batches[0]) / options.spans)
    for name in ("null", "tables", "s3"):
        with tempfile.TemporaryDirectory() as folder:
            if name == "s3":
                s3(pathlib.Path(folder), batches, options.spans)
            else:
                clickhouse(pathlib.Path(folder), batches, options.spans, name == "null")


if __name__ == "__main__":
    main()
