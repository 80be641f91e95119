"""The official SDKs, unchanged, through real Kafka into real Jaeger and Zipkin."""
import json
import os
import subprocess

import pytest
from harness.parts import require_built, run_part
from harness.pipeline import Pipeline, running
from harness.processes import http_get, wait_until
from harness.sdk import as_otlp, flatten, rich_trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter


@pytest.fixture(scope="module")
def pipeline(kafka, jaeger, zipkin, tmp_path_factory):
    destinations = {
        "jaeger": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": jaeger.endpoint}},
        "zipkin": {"type": "zipkin", "zipkin": {"endpoint": zipkin.endpoint}},
    }
    with running(Pipeline(tmp_path_factory.mktemp("sdks"), kafka.brokers, destinations)) as pipeline:
        yield pipeline


def check_jaeger(jaeger, trace_id, spans):
    found = flatten(jaeger.trace(trace_id, len(spans)))
    assert len(found) == len(spans)
    for span in spans:
        assert found[f"{span.context.span_id:016x}"] == as_otlp(span)


def zipkin_tag(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return json.dumps(list(value), separators=(",", ":"))
    return str(value)


def check_zipkin(zipkin, trace_id, spans):
    found = {span["id"]: span for span in zipkin.trace(trace_id, len(spans))}
    assert len(found) == len(spans)
    for span in spans:
        mine = found[f"{span.context.span_id:016x}"]
        assert mine["traceId"] == trace_id
        assert mine.get("parentId", "") == (f"{span.parent.span_id:016x}" if span.parent else "")
        assert mine["name"] == span.name.lower()
        assert mine.get("kind", "INTERNAL") == span.kind.name
        assert mine["timestamp"] == span.start_time // 1000
        assert mine["duration"] == max(1, (span.end_time - span.start_time) // 1000)
        assert mine["localEndpoint"]["serviceName"] == "py-shop"
        for key, value in span.attributes.items():
            assert mine["tags"][key] == zipkin_tag(value), key
        for event in span.events:
            stamps = [a["timestamp"] for a in mine["annotations"] if event.name in a["value"]]
            assert stamps == [event.timestamp // 1000]
        if span.status.status_code.name == "ERROR":
            assert mine["tags"]["otel.status_code"] == "ERROR"
            assert mine["tags"]["error"] == "deadlock detected"
        assert mine["tags"]["otel.scope.name"] == "py-scope"


def exporters(pipeline):
    return {
        "grpc": lambda: GrpcExporter(endpoint=pipeline.endpoint, insecure=True),
        "http/protobuf": lambda: HttpExporter(endpoint=pipeline.http_endpoint + "/v1/traces"),
        "http/protobuf gzip": lambda: HttpExporter(endpoint=pipeline.http_endpoint + "/v1/traces", compression=Compression.Gzip),
    }


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/protobuf gzip"])
def test_python_trace_is_the_same_in_both_backends(pipeline, jaeger, zipkin, protocol):
    trace_id, spans = rich_trace(exporters(pipeline)[protocol]())
    check_jaeger(jaeger, trace_id, spans)
    check_zipkin(zipkin, trace_id, spans)


def test_js_trace_over_http_json(pipeline, jaeger, zipkin):
    folder = run_part("sdk", "js")
    environment = dict(os.environ, NODE_PATH=f"{folder}/node_modules", ENDPOINT=pipeline.http_endpoint)
    script = os.path.join(os.path.dirname(__file__), "clients/js_client.js")
    done = subprocess.run(["node", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    trace_id = done.stdout.strip().splitlines()[-1]
    spans = {span["name"]: span for span in flatten(jaeger.trace(trace_id, 2)).values()}
    parent, child = spans["GET /cart"], spans["SELECT cart"]
    assert parent["kind"] == 2 and child["kind"] == 3 and child["parentSpanId"] == parent["spanId"]
    assert parent["attributes"] == {"http.route": "/cart", "http.response.status_code": 200, "ratio": 0.25, "cached": False, "list": ("a", "b")}
    assert child["attributes"] == {"db.system.name": "postgresql", "snowman": "☃ und Straße"}
    # Both events may carry the same millisecond, and Jaeger sorts by time only.
    events = {event[0]: event[2] for event in child["events"]}
    assert set(events) == {"retry", "exception"} and events["retry"] == {"attempt": 2}
    assert events["exception"]["exception.message"] == "deadlock"
    assert child["links"] == [(trace_id, parent["spanId"], {"why": "link"})]
    assert child["status"] == (2, "deadlock detected")
    assert parent["resource"]["service.name"] == "js-shop" and parent["resource"]["host.cores"] == 8
    assert parent["scope"][:2] == ("js-scope", "1.2.3")
    assert len(zipkin.trace(trace_id, 2)) == 2


def jaeger_traces_of(jaeger, service, limit):
    text = http_get(f"http://127.0.0.1:{jaeger.query_port}/api/traces?service={service}&limit={limit}&lookback=1h", 30)
    return json.loads(text)["data"] or []


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_java_agent(pipeline, jaeger, zipkin, protocol, tmp_path):
    agent = run_part("sdk", "java")
    service = "java-" + protocol.replace("/", "-")
    endpoint = f"http://{pipeline.endpoint}" if protocol == "grpc" else pipeline.http_endpoint
    # The agent stays off in the JDK's own tools, and running a source file counts as one.
    program = os.path.join(os.path.dirname(__file__), "clients/JavaClient.java")
    subprocess.run(["javac", "-d", tmp_path, program], check=True, timeout=120)
    done = subprocess.run(
        ["java", f"-javaagent:{agent}", f"-Dotel.service.name={service}", f"-Dotel.exporter.otlp.endpoint={endpoint}",
         f"-Dotel.exporter.otlp.protocol={protocol}", "-Dotel.metrics.exporter=none", "-Dotel.logs.exporter=none",
         "-cp", tmp_path, "JavaClient", f"http://127.0.0.1:{zipkin.port}/health"],
        capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    traces = wait_until(lambda: (t := jaeger_traces_of(jaeger, service, 10)) and len(t) >= 2 and t, 30, "the agent's traces")
    for trace in traces:
        (span,) = trace["spans"]
        tags = {tag["key"]: tag["value"] for tag in span["tags"]}
        assert tags["http.request.method"] == "GET" and tags["http.response.status_code"] == 200
        assert tags["server.port"] == zipkin.port and tags["span.kind"] == "client"


@pytest.mark.parametrize("arguments", [[], ["--otlp-http"]], ids=["grpc", "http"])
def test_telemetrygen(pipeline, jaeger, arguments):
    require_built("telemetrygen")
    service = "telemetrygen" + "".join(arguments)
    endpoint = pipeline.http_endpoint.removeprefix("http://") if arguments else pipeline.endpoint
    done = subprocess.run(
        [run_part("telemetrygen"), "traces", "--otlp-insecure", "--otlp-endpoint", endpoint, "--rate", "200",
         "--traces", "200", "--service", service, *arguments],
        capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    traces = wait_until(lambda: (t := jaeger_traces_of(jaeger, service, 1000)) and len(t) >= 200 and t, 30, "200 traces")
    assert len(traces) == 200
    assert {len(trace["spans"]) for trace in traces} == {2}
