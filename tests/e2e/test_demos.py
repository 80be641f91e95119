"""The demos: one tree for one request, in every backend that the pipeline is configured for."""
import json
import os
import subprocess

import pytest
from harness.make import Run
from harness.parts import require_built, run_part
from harness.pipeline import Pipeline, running
from harness.ports import free_port
from harness.processes import ROOT, Process, http_get, wait_until

APPS = ROOT / "services/demo/redis"
# Service, span, parent.
TREE = {
    ("demo-client", "get", None),
    ("demo-server", "get /hello", "get"),
    ("demo-server", "publish hello", "get /hello"),
    ("demo-worker", "process hello", "publish hello"),
}


def python():
    command = [ROOT / "ci/deps/python.sh", ROOT / "services/demo/requirements.txt"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1]


class RedisDemo:
    """Server and worker beside a Redis; they send to `endpoint` and to nothing else, all their life."""

    def __init__(self, folder, endpoint):
        self.redis = {"ROOT": folder, "PORT": free_port()}
        self.port, self.python = free_port(), python()
        self.environment = dict(os.environ, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{endpoint}")
        redis_port = str(self.redis["PORT"])
        self.worker = Process("worker", [self.python, APPS / "worker.py", redis_port], folder, self.environment)
        self.server = Process("server", [self.python, APPS / "server.py", str(self.port), redis_port], folder, self.environment)

    def __enter__(self):
        run_part("redis", "start", **self.redis)
        self.worker.start()
        wait_until(lambda: "subscribed" in self.worker.log(), 30, "the worker")
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop()
        self.worker.stop()
        run_part("redis", "stop", **self.redis)

    def ask(self):
        """The id of the trace."""
        command = [self.python, APPS / "client.py", str(self.port), "reader"]

        def run():
            done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30)
            return done.returncode == 0 and done.stdout.strip()

        return wait_until(run, 60, "an answer of the server", 0.5)


def tree_in_zipkin(zipkin, trace_id):
    spans = {span["id"]: span for span in zipkin.trace(trace_id, len(TREE))}
    return edges({key: (span["localEndpoint"]["serviceName"], span["name"], span.get("parentId")) for key, span in spans.items()})


def tree_in_jaeger(jaeger, trace_id):
    spans = {}
    for resource_spans in jaeger.trace(trace_id, len(TREE)):
        attributes = {a["key"]: a["value"].get("stringValue") for a in resource_spans["resource"]["attributes"]}
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                spans[span["spanId"]] = (attributes["service.name"], span["name"].lower(), span.get("parentSpanId") or None)
    return edges(spans)


def edges(spans):
    return {(service, name, parent and spans[parent][1]) for service, name, parent in spans.values()}


def test_redis_one_tree_through_http_and_pub_sub(kafka, zipkin, jaeger, tmp_path):
    to_zipkin = {"type": "zipkin", "zipkin": {"endpoint": zipkin.endpoint}}
    to_jaeger = {"type": "otlp_grpc", "otlp_grpc": {"endpoint": jaeger.endpoint}}
    first = Pipeline(tmp_path, kafka.brokers, {"zipkin": to_zipkin})
    with RedisDemo(tmp_path, first.endpoint) as demo:
        with running(first):
            assert tree_in_zipkin(zipkin, demo.ask()) == TREE
        # The pipeline alone is changed; the applications run on and send to the same address.
        folder = tmp_path / "second"
        folder.mkdir()
        ingress = {"otlp": {"grpc": {"port": first.grpc_port}}}
        second = Pipeline(folder, kafka.brokers, {"zipkin": to_zipkin, "jaeger": to_jaeger}, ingress=ingress)
        with running(second):
            trace_id = demo.ask()
            assert tree_in_jaeger(jaeger, trace_id) == TREE
            assert tree_in_zipkin(zipkin, trace_id) == TREE
        folder = tmp_path / "third"
        folder.mkdir()
        third = Pipeline(folder, kafka.brokers, {"jaeger": to_jaeger}, ingress=ingress)
        with running(third):
            trace_id = demo.ask()
            assert tree_in_jaeger(jaeger, trace_id) == TREE
            assert not zipkin.has(trace_id), "Zipkin was swapped for Jaeger"
        assert demo.server.alive() and demo.worker.alive()


# Service, span, parent.
STUDENT_TREE = {
    ("student-api", "post /api/v1/student", None),
    ("student-api", "insert student", "post /api/v1/student"),
    ("student-api", "send student", "post /api/v1/student"),
    ("student-fees", "process student", "send student"),
    ("student-fees", "update student", "process student"),
    ("student-fees", "send student-billing", "process student"),
    ("student-billing", "student-billing receive", "send student-billing"),
}


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    yield run
    run.make("demo-down")
    run.make("down")


def links(output):
    """Destination -> the link that the demo has printed for it."""
    found = (line.strip().split(": ", 1) for line in output.splitlines())
    return {parts[0]: parts[1] for parts in found if len(parts) == 2 and parts[1].startswith("http://") and parts[0] != "up"}


def zipkin_tree(link):
    base, trace_id = link.split("/zipkin/traces/")
    spans = json.loads(http_get(f"{base}/api/v2/trace/{trace_id}"))
    return edges({span["id"]: (span["localEndpoint"]["serviceName"], span["name"], span.get("parentId")) for span in spans})


def jaeger_tree(link):
    trace = json.loads(http_get(link))["data"][0]
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    spans = {}
    for span in trace["spans"]:
        parent = next((r["spanID"] for r in span["references"] if r["refType"] == "CHILD_OF"), None)
        spans[span["spanID"]] = (services[span["processID"]], span["operationName"].lower(), parent)
    return edges(spans)


def pids(run):
    return {name: (run.folder / f"demo/{name}.pid").read_text() for name in ("student-api", "student-fees", "student-billing")}


def test_student_one_command_one_tree_in_the_backend_that_is_configured(run):
    require_built("jaeger")
    code, output = run.make("demo-student", "DEST=zipkin", seconds=400)
    assert code == 0, output
    assert zipkin_tree(links(output)["zipkin"]) == STUDENT_TREE, output
    assert "Ada Lovelace: 1200 EUR are due" in output, output
    row = psql(run, "SELECT firstname, lastname, fees FROM student")
    assert row == "Ada|Lovelace|1200"

    before = pids(run)
    code, output = run.make("demo-student", "DEST=jaeger", seconds=400)
    assert code == 0, output
    assert jaeger_tree(links(output)["jaeger"]) == STUDENT_TREE, output
    assert pids(run) == before, "the applications keep running"
    code, output = run.make("demo-down")
    assert code == 0, output


def psql(run, query):
    command = ["psql", "-h", "127.0.0.1", "-p", str(15432 + run.offset), "-U", "postgres", "-At", "-c", query]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, stdin=subprocess.DEVNULL).stdout.strip()
