"""spanway-query over a real ClickHouse: its answers, its errors, and Jaeger's answers for the same spans."""
import json
import os
import subprocess
import time

import pytest
import requests
from harness.parts import ClickHouse
from harness.processes import BIN, Service, free_port, wait_until
from harness.send import grpc_export, text, trace_request
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Status


def value(key, **one):
    return KeyValue(key=key, value=AnyValue(**one))


def full_trace():
    """Two resources and everything that a span can hold."""
    trace_id = os.urandom(16)
    request = trace_request(spans=4, trace_id=trace_id, service="shop")
    spans = request.resource_spans[0].scope_spans[0].spans
    request.resource_spans[0].resource.attributes.extend([value("replicas", int_value=3), text("host.name", "a-host")])
    request.resource_spans[0].scope_spans[0].scope.version = "1.2"
    nested = KeyValueList(values=[text("b", "<&>"), value("a", int_value=1)])
    spans[0].attributes.extend(
        [
            text("http.route", "/cart/{id}"),
            value("http.response.status_code", int_value=503),
            value("big", int_value=2**60),
            value("ratio", double_value=0.25),
            value("whole", double_value=2.0),
            value("flag", bool_value=True),
            value("bytes", bytes_value=b"\x00\xff"),
            value("list", array_value=ArrayValue(values=[AnyValue(string_value="x"), AnyValue(int_value=7)])),
            value("nested", kvlist_value=nested),
            text("long", "p" * 3000),
            text("quoted", 'it\'s "quoted"\t\\ \u00e4'),
        ]
    )
    spans[0].status.code, spans[0].status.message = Status.STATUS_CODE_ERROR, "declined"
    spans[0].trace_state = "vendor=1"
    spans[0].events.add(name="exception", time_unix_nano=time.time_ns(), attributes=[text("exception.type", "Broken")])
    spans[1].parent_span_id = spans[0].span_id
    spans[2].parent_span_id = spans[0].span_id
    spans[2].links.add(trace_id=os.urandom(16), span_id=os.urandom(8), attributes=[text("why", "batch")])
    spans[2].status.code = Status.STATUS_CODE_OK
    other = trace_request(spans=3, trace_id=trace_id, service="payment")
    request.resource_spans.append(other.resource_spans[0])
    return request, trace_id.hex()


class Stack:
    """ClickHouse, an exporter into it and spanway-query."""

    def __init__(self, folder):
        self.folder = folder
        self.clickhouse = ClickHouse(folder).start()
        store = {"endpoint": self.clickhouse.url}
        self.otlp_port, self.port = free_port(), free_port()
        self.exporter = Service(
            "exporter",
            "spanway-exporter",
            {"otlp": {"grpc": {"port": self.otlp_port}}, "destination": {"type": "clickhouse", "clickhouse": store}},
            folder,
        )
        migrate = [BIN / "spanway-exporter", "--config", self.exporter.config_path, "migrate"]
        subprocess.run(migrate, check=True, stdin=subprocess.DEVNULL)
        self.query = Service(
            "query",
            "spanway-query",
            {"api": {"port": self.port}, "stores": {"clickhouse": dict(store, username="reader", password="spanway")}},
            folder,
        )
        for service in (self.exporter, self.query):
            service.start().wait_ready()

    def get(self, path):
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=20)

    def stop(self):
        self.query.stop()
        self.exporter.stop()
        self.clickhouse.stop()


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    made = Stack(tmp_path_factory.mktemp("query"))
    yield made
    made.stop()


def by_key(entries):
    return {entry["key"]: (entry["type"], as_json(entry["value"])) for entry in entries}


def as_json(found):
    """Texts that are JSON, for arrays and lists, compare as what they hold."""
    try:
        return json.loads(found) if isinstance(found, str) and found[:1] in "[{" else found
    except ValueError:
        return found


def v1_spans(answer):
    trace = answer["data"][0]
    processes = {key: (p["serviceName"], by_key(p["tags"])) for key, p in trace["processes"].items()}
    return {
        span["spanID"]: {
            "traceID": span["traceID"],
            "operationName": span["operationName"],
            "references": span["references"],
            "startTime": span["startTime"],
            "duration": span["duration"],
            "tags": by_key(span["tags"]),
            "logs": [(log["timestamp"], by_key(log["fields"])) for log in span["logs"]],
            "process": processes[span["processID"]],
        }
        for span in trace["spans"]
    }


def attributes(message):
    return sorted(json.dumps(entry, sort_keys=True) for entry in message.get("attributes", []))


def v3_spans(answer):
    result = {}
    for resource_spans in answer["result"]["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                result[span["spanId"]] = {
                    "resource": attributes(resource_spans["resource"]),
                    "scope": {k: v for k, v in scope_spans.get("scope", {}).items()},
                    "attributes": attributes(span),
                    "events": [(e["timeUnixNano"], e.get("name"), attributes(e)) for e in span.get("events", [])],
                    "links": [(e["traceId"], e["spanId"], attributes(e)) for e in span.get("links", [])],
                    "status": span.get("status", {}),
                    **{
                        key: span.get(key)
                        for key in ("traceId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "traceState")
                    },
                }
    return result


def test_a_trace_reads_as_in_a_real_jaeger_that_got_the_same_spans(stack, jaeger):
    request, trace_id = full_trace()
    grpc_export(f"127.0.0.1:{stack.otlp_port}", request)
    grpc_export(jaeger.endpoint, request)
    jaeger.trace(trace_id, 7)
    for path, spans_of in ((f"/api/traces/{trace_id}", v1_spans), (f"/api/v3/traces/{trace_id}", v3_spans)):
        theirs = spans_of(requests.get(f"http://127.0.0.1:{jaeger.query_port}{path}", timeout=20).json())
        ours = spans_of(stack.get(path).json())
        assert ours.keys() == theirs.keys() and len(ours) == 7
        for span_id, span in theirs.items():
            assert ours[span_id] == span


def test_the_newest_spans_come_first_and_health_has_figures(stack):
    request, trace_id = full_trace()
    grpc_export(f"127.0.0.1:{stack.otlp_port}", request)
    spans = stack.get("/spans?limit=5").json()["spans"]
    assert len(spans) == 5 and {span["traceId"] for span in spans} == {trace_id}
    starts = [int(span["startTimeUnixNano"]) for span in spans]
    assert starts == sorted(starts, reverse=True)
    health = stack.get("/health").json()
    assert health["status"] == "ok" and health["store"]["spans"] >= 7


def test_errors_say_what_is_wrong(stack):
    assert stack.get("/api/traces/zz").status_code == 400
    assert stack.get("/api/v3/traces/" + "1" * 32).json()["error"]["httpCode"] == 404
    assert stack.get("/spans?limit=0").status_code == 400


def test_a_store_that_is_away_is_503_and_back_again(stack):
    stack.clickhouse.stop()
    for path in ("/health", "/spans", "/api/traces/1", "/api/v3/traces/1"):
        answer = stack.get(path)
        assert answer.status_code == 503 and answer.headers["retry-after"]
    stack.clickhouse.start()
    wait_until(lambda: stack.get("/health").status_code == 200, 20, "a healthy store")


def test_migrate_says_whether_another_try_may_succeed(stack, tmp_path):
    """The Job of a Pipeline is tried again after 1 and given up after 3."""

    def migrate(**keys):
        config = tmp_path / "migrate.json"
        config.write_text(json.dumps({"destination": {"type": "clickhouse", "clickhouse": keys}}))
        return subprocess.run(
            [BIN / "spanway-exporter", "migrate", "--config", config], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    assert migrate(endpoint=stack.clickhouse.url).returncode == 0
    away = migrate(endpoint=f"http://127.0.0.1:{free_port()}")
    assert away.returncode == 1, away.stderr
    refused = migrate(endpoint=stack.clickhouse.url, username="writer", password="not the password")
    assert refused.returncode == 3, refused.stderr
    assert "writer" in refused.stderr
