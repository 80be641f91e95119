"""The demos: one tree for one request, in every backend that the pipeline is configured for."""
import os
import subprocess

from harness.parts import run_part
from harness.pipeline import Pipeline, running
from harness.processes import ROOT, Process, free_port, wait_until

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
        assert demo.server.alive() and demo.worker.alive()
