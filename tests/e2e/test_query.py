"""spanway-query over a real ClickHouse, a real S3 server and its own memory: its answers, its errors, and Jaeger's
answers for the same spans."""
import base64
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import grpc
import pytest
import requests
from google.protobuf.json_format import MessageToDict
from harness.jaeger_api import JaegerApi
from harness.parts import S3, ClickHouse
from harness.ports import free_port
from harness.processes import BIN, Service, wait_until
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


class Memory:
    """The memory store has no server of its own."""

    def __init__(self):
        self.port = free_port()

    def start(self):
        return self

    def stop(self):
        pass


class Stack:
    """A store, an exporter into it and spanway-query over it."""

    def __init__(self, folder, kind):
        self.folder, self.kind = folder, kind
        self.otlp_port, self.port, self.grpc_port = free_port(), free_port(), free_port()
        self.server, destination, query, keys = getattr(self, kind)()
        self.exporter = Service(
            "exporter", "spanway-exporter", {"otlp": {"grpc": {"port": self.otlp_port}}, "destination": destination}, folder, keys
        )
        if kind == "clickhouse":
            migrate = [BIN / "spanway-exporter", "--config", self.exporter.config_path, "migrate"]
            subprocess.run(migrate, check=True, stdin=subprocess.DEVNULL)
        api = {"port": self.port, "jaeger_grpc_port": self.grpc_port}
        self.query = Service("query", "spanway-query", {"api": api, "traces_from": kind, "stores": {kind: query}}, folder, keys)
        for service in (self.query, self.exporter):
            service.start().wait_ready()

    def clickhouse(self):
        server = ClickHouse(self.folder).start()
        store = {"endpoint": server.url}
        return server, {"type": "clickhouse", "clickhouse": store}, dict(store, username="reader", password="spanway"), {}

    def s3(self):
        server = S3(self.folder, "traces").start()
        bucket = {"bucket": server.bucket, "endpoint": server.url, "path_style": True}
        return server, {"type": "s3", "s3": bucket}, bucket, server.keys

    def memory(self):
        server = Memory()
        return server, {"type": "otlp_grpc", "otlp_grpc": {"endpoint": f"127.0.0.1:{server.port}"}}, {"grpc_port": server.port}, {}

    def get(self, path):
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=20)

    def stop(self):
        self.query.stop()
        self.exporter.stop()
        self.server.stop()


@pytest.fixture(scope="module", params=["clickhouse", "s3", "memory"])
def stack(tmp_path_factory, request):
    made = Stack(tmp_path_factory.mktemp("query"), request.param)
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


def as_set(answer):
    """Lists whose order no server promises."""
    return sorted((json.dumps(entry, sort_keys=True) for entry in answer["data"] or []))


def test_searches_answer_as_a_real_jaeger_that_got_the_same_spans(stack, jaeger):
    request, trace_id = full_trace()
    run = os.urandom(4).hex()
    for index, name in enumerate(("shop", "payment")):
        service = next(a for a in request.resource_spans[index].resource.attributes if a.key == "service.name")
        service.value.string_value = f"{name}-{run}"
    root = request.resource_spans[0].scope_spans[0].spans[0]
    child = request.resource_spans[1].scope_spans[0].spans[0]
    child.parent_span_id = root.span_id
    # Jaeger adds a warning to a child that seems to run outside of its parent.
    child.start_time_unix_nano, child.end_time_unix_nano = root.start_time_unix_nano, root.end_time_unix_nano
    grpc_export(f"127.0.0.1:{stack.otlp_port}", request)
    grpc_export(jaeger.endpoint, request)
    jaeger.trace(trace_id, 7)

    def both(path, **parameters):
        theirs = requests.get(f"http://127.0.0.1:{jaeger.query_port}{path}", params=parameters, timeout=20)
        ours = requests.get(f"http://127.0.0.1:{stack.port}{path}", params=parameters, timeout=20)
        assert ours.status_code == theirs.status_code, (path, parameters, ours.text, theirs.text)
        return ours.json(), theirs.json()

    found = 0
    for tags in (
        {},
        {"http.response.status_code": "503"},
        {"http.response.status_code": "504"},
        {"http.response.status_code": "503", "flag": "true"},
        {"flag": "false"},
        {"ratio": "0.25"},
        {"whole": "2"},
        {"replicas": "3"},
        {"host.name": "a-host"},
        {"exception.type": "Broken"},
        {"exception.type": "Other"},
        {"error": "true"},
        {"error": "false"},
        {"quoted": 'it\'s "quoted"\t\\ \u00e4'},
    ):
        ours, theirs = both("/api/traces", service=f"shop-{run}", tags=json.dumps(tags))
        assert len(ours["data"]) == len(theirs["data"]), tags
        found += len(ours["data"])
        for ours_data, theirs_data in zip(ours["data"], theirs["data"]):
            assert v1_spans({"data": [ours_data]}) == v1_spans({"data": [theirs_data]})
    assert found >= 10
    for parameters in ({"operation": root.name}, {"operation": "none"}, {"minDuration": "1h"}, {"maxDuration": "1h"}):
        ours, theirs = both("/api/traces", service=f"shop-{run}", **parameters)
        assert len(ours["data"]) == len(theirs["data"]), parameters
    both("/api/traces", service=f"shop-{run}", minDuration="soon")
    both("/api/traces", service=f"shop-{run}", limit="many")

    for service in (f"shop-{run}", f"payment-{run}", "unknown"):
        for path in (f"/api/services/{service}/operations", f"/api/operations?service={service}"):
            ours, theirs = both(path)
            assert as_set(ours) == as_set(theirs)
        ours, theirs = both("/api/dependencies", endTs=str(int(time.time() * 1000) + 60000), service=service)
        assert as_set(ours) == as_set(theirs)
    ours, theirs = both("/api/services")
    assert {f"shop-{run}", f"payment-{run}"} <= set(ours["data"])

    window = {"query.start_time_min": "2020-01-01T00:00:00Z", "query.start_time_max": "2100-01-01T00:00:00Z"}
    named = {"query.service_name": f"payment-{run}", "query.num_traces": "5", "query.raw_traces": "true"}
    ours, theirs = both("/api/v3/traces", **window, **named)
    assert v3_spans(ours) == v3_spans(theirs)
    both("/api/v3/traces", **window, **{**named, "query.service_name": "unknown"})
    ours, theirs = both("/api/v3/operations", service=f"shop-{run}")
    assert sorted(map(str, ours["operations"])) == sorted(map(str, theirs["operations"]))
    summary = stack.get(f"/api/v3/trace-summaries?query.service_name=shop-{run}&" + "&".join(f"{k}={v}" for k, v in window.items()))
    assert summary.json()["summaries"][0]["spanCount"] == 7


def as_otlp_json(message):
    """A message's JSON as that of OTLP: its ids are no base64, and a whole number has no point."""
    if isinstance(message, list):
        return [as_otlp_json(entry) for entry in message]
    if not isinstance(message, dict):
        return int(message) if isinstance(message, float) and message.is_integer() else message
    return {
        key: base64.b64decode(entry).hex() if key in ("traceId", "spanId", "parentSpanId") else as_otlp_json(entry)
        for key, entry in message.items()
    }


def grpc_spans(messages):
    parts = [as_otlp_json(MessageToDict(message, use_integers_for_enums=True)) for message in messages]
    return v3_spans({"result": {"resourceSpans": [resource for part in parts for resource in part["resourceSpans"]]}})


def test_grpc_answers_as_http(stack):
    request, trace_id = full_trace()
    run = os.urandom(4).hex()
    for index, name in enumerate(("shop", "payment")):
        service = next(a for a in request.resource_spans[index].resource.attributes if a.key == "service.name")
        service.value.string_value = f"{name}-{run}"
    grpc_export(f"127.0.0.1:{stack.otlp_port}", request)
    now = int(time.time())
    window = {"start_time_min": {"seconds": now - 3600}, "start_time_max": {"seconds": now + 3600}}
    with JaegerApi(stack.grpc_port) as api:
        trace = grpc_spans(api.call("GetTrace", trace_id=trace_id))
        assert len(trace) == 7 and trace == v3_spans(stack.get(f"/api/v3/traces/{trace_id}").json())
        for conditions, count in (
            ({}, 7),
            ({"attributes": {"http.response.status_code": "503"}}, 7),
            ({"attributes": {"http.response.status_code": "503", "flag": "false"}}, 0),
            ({"attributes": {"host.name": "a-host", "error": "true"}}, 7),
            ({"operation_name": "none"}, 0),
            ({"duration_min": {"seconds": 3600}}, 0),
        ):
            query = {"query": {"service_name": f"shop-{run}", **conditions, **window}}
            found = grpc_spans(api.call("FindTraces", **query))
            assert found == (trace if count else {}), query
            summaries = [summary for message in api.call("FindTraceSummaries", **query) for summary in message.summaries]
            assert [(summary.trace_id, summary.span_count) for summary in summaries] == ([(trace_id, 7)] if count else []), query
        for service in (f"shop-{run}", f"payment-{run}", "unknown"):
            operations = [(one.name, one.span_kind) for one in api.call("GetOperations", service=service)[0].operations]
            theirs = stack.get(f"/api/v3/operations?service={service}").json()["operations"]
            assert operations == [(one["name"], one["spanKind"]) for one in theirs] and bool(operations) == (service != "unknown")
        assert {f"shop-{run}", f"payment-{run}"} <= set(api.call("GetServices")[0].services)
        assert api.call("GetTrace", trace_id="1" * 32) == []
        with pytest.raises(grpc.RpcError) as refused:
            api.call("GetTrace", trace_id="zz")
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_searches_by_rest_find_traces_and_figures_of_services(stack):
    request, trace_id = full_trace()
    grpc_export(f"127.0.0.1:{stack.otlp_port}", request)
    url = f"http://127.0.0.1:{stack.port}/api/v1/"
    traces = requests.post(url + "traces", json={"service_name": "shop", "limit": 1}, timeout=20).json()["traces"]
    assert traces[0]["traceId"] == trace_id and traces[0]["spanCount"] == 7
    stats = stack.get("/api/v1/services/stats").json()["services"]
    assert {"shop", "payment"} <= {service["name"] for service in stats}
    assert requests.post(url + "traces", json={"limit": 0}, timeout=20).headers["content-type"] == "application/problem+json"


def test_the_newest_spans_come_first_and_health_has_figures(stack):
    request, trace_id = full_trace()
    grpc_export(f"127.0.0.1:{stack.otlp_port}", request)
    spans = stack.get("/spans?limit=5").json()["spans"]
    assert len(spans) == 5 and {span["traceId"] for span in spans} == {trace_id}
    starts = [int(span["startTimeUnixNano"]) for span in spans]
    assert starts == sorted(starts, reverse=True)
    health = stack.get("/health").json()
    assert health["status"] == "ok" and health["store"]["type"] == stack.kind and health["store"]["spans"] >= 7
    status = stack.query.status()
    assert status["store"]["reachable"] and status["queries"]["answered"] >= 2


def test_errors_say_what_is_wrong(stack):
    assert stack.get("/api/traces/zz").status_code == 400
    assert stack.get("/api/v3/traces/" + "1" * 32).json()["error"]["httpCode"] == 404
    assert stack.get("/spans?limit=0").status_code == 400


def test_a_store_that_is_away_is_503_and_back_again(stack):
    # Nothing can be stopped there that leaves the process to answer.
    if stack.kind == "memory":
        pytest.skip("the memory store is a part of the process")
    assert stack.get("/health").status_code == 200
    assert stack.query.status()["store"]["reachable"] is True
    stack.server.stop()
    for path in ("/health", "/spans", "/api/traces/1", "/api/v3/traces/1"):
        answer = stack.get(path)
        assert answer.status_code == 503 and answer.headers["retry-after"]
    store = stack.query.status()["store"]
    assert store["type"] == stack.kind and store["reachable"] is False
    assert store["last_error"] and store["last_error_time"] and store["last_query"]
    # The pod stays ready: another replica has the same store.
    assert stack.query.ready() and "degraded" in stack.query.status()["reason"]
    stack.server.start()
    wait_until(lambda: stack.get("/health").status_code == 200, 20, "a healthy store")
    assert stack.query.status()["store"]["reachable"] is True


def slow_database(server):
    """Tables whose newest spans take minutes to read."""
    server.execute("CREATE DATABASE IF NOT EXISTS slow")
    server.execute(
        "CREATE OR REPLACE VIEW slow.red_service_5m AS SELECT '' AS tenant, toDateTime(now()) AS t, 'shop' AS service_name, number AS calls "
        "FROM numbers(190000000) WHERE sipHash64(repeat(toString(number), 200)) = 0"
    )


@pytest.mark.parametrize("stack", ["clickhouse"], indirect=True)
def test_a_client_that_goes_away_before_the_first_byte_ends_its_statement(stack, tmp_path):
    slow_database(stack.server)
    port = free_port()
    store = {"endpoint": stack.server.url, "database": "slow", "username": "reader", "password": "spanway"}
    # Far longer than this test waits.
    config = {"api": {"port": port}, "stores": {"clickhouse": store}, "limits": {"query_time": "300s"}}
    running = "SELECT count() FROM system.processes WHERE query LIKE '%red_service_5m%' AND query NOT LIKE '%system.processes%'"
    with Service("slow", "spanway-query", config, tmp_path) as query:
        query.start().wait_ready()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /spans HTTP/1.1\r\nhost: a\r\n\r\n")
            wait_until(lambda: stack.server.select(running) == [["1"]], 20, "a statement that runs")
            assert query.status()["queries"]["running"] == 1
        wait_until(lambda: stack.server.select(running) == [["0"]], 20, "no statement")
        wait_until(lambda: query.status()["queries"]["cancelled"] == 1, 20, "a cancelled query")
        assert query.status()["queries"]["running"] == 0


@pytest.mark.parametrize("stack", ["clickhouse"], indirect=True)
def test_a_grpc_call_that_is_cancelled_or_late_ends_its_statement(stack, tmp_path):
    slow_database(stack.server)
    port = free_port()
    store = {"endpoint": stack.server.url, "database": "slow", "username": "reader", "password": "spanway"}
    # Far longer than this test waits.
    config = {"api": {"port": 0, "jaeger_grpc_port": port}, "stores": {"clickhouse": store}, "limits": {"query_time": "300s"}}
    running = "SELECT count() FROM system.processes WHERE query LIKE '%red_service_5m%' AND query NOT LIKE '%system.processes%'"
    with Service("slow", "spanway-query", config, tmp_path) as query, JaegerApi(port) as api:
        query.start().wait_ready()
        for seconds, code in ((300, grpc.StatusCode.CANCELLED), (5, grpc.StatusCode.DEADLINE_EXCEEDED)):
            call = api.begin("GetServices", timeout=seconds)
            if code == grpc.StatusCode.CANCELLED:
                wait_until(lambda: stack.server.select(running) == [["1"]], 20, "a statement that runs")
                call.cancel()
            with pytest.raises(grpc.RpcError) as ended:
                next(call)
            assert ended.value.code() == code
            wait_until(lambda: stack.server.select(running) == [["0"]], 20, "no statement")
        wait_until(lambda: query.status()["queries"]["cancelled"] == 2, 20, "two cancelled queries")


def is_stopped(pid):
    """Every thread of it: the signal is on its way when kill() has returned."""
    states = [task.read_text().rpartition(")")[2].split()[0] for task in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


@pytest.mark.parametrize("stack", ["s3"], indirect=True)
def test_a_server_that_stalls_holds_no_query_without_a_client(stack):
    before = stack.query.status()["queries"]["cancelled"]
    stack.server.signal(signal.SIGSTOP)
    try:
        wait_until(lambda: is_stopped(int(stack.server.pid_file.read_text())), 20, "a stopped server")
        with socket.create_connection(("127.0.0.1", stack.port)) as client:
            client.sendall(b"GET /api/traces/1 HTTP/1.1\r\nhost: a\r\n\r\n")
            wait_until(lambda: stack.query.status()["queries"]["running"] == 1, 20, "a query that waits")
        # Before a request to the server times out, after 30 s, and the query.
        wait_until(lambda: stack.query.status()["queries"]["cancelled"] == before + 1, 20, "a cancelled query")
        assert stack.query.status()["queries"]["running"] == 0
    finally:
        stack.server.signal(signal.SIGCONT)
    assert stack.get("/health").status_code == 200


@pytest.mark.parametrize("stack", ["clickhouse"], indirect=True)
def test_migrate_says_whether_another_try_may_succeed(stack, tmp_path):
    """The Job of a Pipeline is tried again after 1 and given up after 3."""

    def migrate(**keys):
        config = tmp_path / "migrate.json"
        config.write_text(json.dumps({"destination": {"type": "clickhouse", "clickhouse": keys}}))
        return subprocess.run(
            [BIN / "spanway-exporter", "migrate", "--config", config], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    assert migrate(endpoint=stack.server.url).returncode == 0
    away = migrate(endpoint=f"http://127.0.0.1:{free_port()}")
    assert away.returncode == 1, away.stderr
    refused = migrate(endpoint=stack.server.url, username="writer", password="not the password")
    assert refused.returncode == 3, refused.stderr
    assert "writer" in refused.stderr
