#!/usr/bin/env python3
"""A very long trace on the page: page.py [--spans 200000] [--depth 2000]

Sends the spans to a spanway-query with a memory store, opens the trace in Chromium, and prints the time from the
last byte of its skeleton to the first paint, and from keys to paints."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import grpc  # noqa: E402
import requests  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.processes import Service, wait_until  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc  # noqa: E402
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue  # noqa: E402

SERVICES, CHUNK, SPAN_NANOS = 20, 5_000, 1_000_000_000
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")


def span_id(number):
    return (number + 1).to_bytes(8, "big")


def parent_of(number, depth):
    """A chain as deep as `depth`, and the others below its links, one after the other."""
    return number - 1 if number < depth else number % depth


def send(stub, trace_id, spans, depth):
    begin = time.time_ns() - 60 * SPAN_NANOS
    for first in range(0, spans, CHUNK):
        request = trace_service_pb2.ExportTraceServiceRequest()
        scopes = []
        for service in range(SERVICES):
            group = request.resource_spans.add()
            group.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value=f"service-{service}")))
            scopes.append(group.scope_spans.add())
        for number in range(first, min(first + CHUNK, spans)):
            span = scopes[number % SERVICES].spans.add()
            span.trace_id, span.span_id = trace_id, span_id(number)
            if number > 0:
                span.parent_span_id = span_id(parent_of(number, depth))
            span.name, span.kind = f"operation {number % 240}", 1 + number % 5
            span.start_time_unix_nano = begin + number * 1_000
            span.end_time_unix_nano = span.start_time_unix_nano + (SPAN_NANOS if number < depth else 1_000_000)
        stub.Export(request, timeout=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("--depth", type=int, default=2_000)
    arguments = parser.parse_args()
    modules = subprocess.run([ROOT / "ci/deps/node.sh", ROOT / "tests/web"], capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        port, grpc_port = free_port(), free_port()
        store = {"grpc_port": grpc_port, "bytes": "1GiB"}
        config = {"api": {"port": port}, "traces_from": "memory", "stores": {"memory": store}, "memory_limit": "3GiB", "limits": {"query_memory": "512MiB"}}
        query = Service("query", "spanway-query", config, folder).start().wait_ready()
        try:
            trace_id = os.urandom(16)
            with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
                send(trace_service_pb2_grpc.TraceServiceStub(channel), trace_id, arguments.spans, arguments.depth)
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: requests.get(f"{url}/health", timeout=60).json()["store"]["spans"] == arguments.spans, 120, "all spans")
            subprocess.run(["node", pathlib.Path(__file__).with_name("long_trace.mjs"), modules, CHROMIUM, f"{url}/#/trace/{trace_id.hex()}"], check=True)
        finally:
            query.stop()


if __name__ == "__main__":
    main()
