"""The page of spanway-query in a browser, over a memory store with the telemetry of a small shop."""
import os
import shutil
import subprocess

import grpc
import pytest
import requests
import yaml
from harness.ports import free_port
from harness.processes import ROOT, Service, wait_until
from harness.send import trace_request
from harness.shop import telemetry
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
WALK_SECONDS = 500
NODE_MIN = 20


class Shop:
    def __init__(self, folder):
        self.port, self.grpc_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        store = {"memory": {"grpc_port": self.grpc_port}}
        config = {"api": {"port": self.port}, "traces_from": "memory", "stores": store, "insight": {"enabled": True}}
        self.query = Service("query", "spanway-query", config, folder)
        # Its own state is on its page, beside that of a service that is away.
        admin = f"http://127.0.0.1:{self.query.admin_port}"
        services = {"pipeline": {"services": {"query": admin, "ingress": "http://127.0.0.1:1"}}}
        self.query.config_path.write_text(yaml.safe_dump(self.query.config | services))
        self.query.start().wait_ready()
        made, self.failed, self.repeated = telemetry()
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            trace_service_pb2_grpc.TraceServiceStub(channel).Export(made.traces, timeout=20)
            logs_service_pb2_grpc.LogsServiceStub(channel).Export(made.logs, timeout=20)
            metrics_service_pb2_grpc.MetricsServiceStub(channel).Export(made.metrics, timeout=20)
        self.spans = len([span for group in made.traces.resource_spans for scope in group.scope_spans for span in scope.spans])
        wait_until(lambda: self.get("/health").json()["store"]["spans"] == self.spans, 20, "all spans in the store")

    def get(self, path, **options):
        return requests.get(self.url + path, timeout=20, **options)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    made = Shop(tmp_path_factory.mktemp("page"))
    yield made
    made.query.stop()


def test_files_are_cached_for_ever_and_the_page_is_revalidated(shop):
    page = shop.get("/")
    if page.status_code == 404:
        pytest.skip("built without the page (SPANWAY_WEB=OFF, or npm could not fetch its libraries)")
    assert page.headers["content-security-policy"].startswith("default-src 'self';")
    assert page.headers["cache-control"] == "no-cache"
    assert "<style" not in page.text and " style=" not in page.text and "<script>" not in page.text
    assert shop.get("/", headers={"if-none-match": page.headers["etag"]}).status_code == 304
    main = next(part for part in page.text.split('"') if part.endswith("/main.js"))
    script = shop.get("/" + main)
    assert "immutable" in script.headers["cache-control"] and script.headers["content-encoding"] == "gzip"
    assert "http://" not in script.text and "https://" not in script.text


def test_the_state_of_the_pipeline_is_that_of_the_admin_ports(shop):
    ingress, query = shop.get("/api/v1/pipeline").json()["services"]
    assert ingress["name"] == "ingress" and not ingress["answered"] and ingress["error"]
    state = query["services"][0]
    assert query["answered"] and state["ready"] and state["store"]["type"] == "memory" and state["memory"]["limit"] > 0
    assert "errors" not in state and "queries" not in state


def test_the_skeleton_of_a_trace_and_one_of_its_spans(shop):
    path = f"/api/v1/traces/{shop.repeated}"
    answer = shop.get(path + "/skeleton")
    skeleton = answer.json()
    assert skeleton["spanCount"] == len(skeleton["columns"]["parent"]) > 340
    assert "content-encoding" not in answer.headers  # A short one is sent as it is.
    span = skeleton["columns"]["spanId"][:16]
    full = shop.get(f"{path}/spans/{span}").json()["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert full["spanId"] == span and full["name"] == "POST /checkout" and full["attributes"]
    assert shop.get(f"{path}/spans/{'1' * 16}").status_code == 404
    assert shop.get("/api/v1/traces/xyz/skeleton").status_code == 400


def test_the_skeleton_of_a_long_trace_is_compressed(shop):
    trace_id = os.urandom(16)
    with grpc.insecure_channel(f"127.0.0.1:{shop.grpc_port}") as channel:
        trace_service_pb2_grpc.TraceServiceStub(channel).Export(trace_request(2000, trace_id), timeout=20)
    path = f"/api/v1/traces/{trace_id.hex()}/skeleton"
    answer = wait_until(lambda: shop.get(path) if shop.get(path).status_code == 200 else None, 20, "the trace")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["spanCount"] == 2000
    plain = shop.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.json() == answer.json()
    assert int(answer.headers["content-length"]) / 2000 < 20


def test_every_view_opens_and_can_be_used_by_keys(shop):
    if shop.get("/").status_code == 404:
        pytest.skip("built without the page (SPANWAY_WEB=OFF, or npm could not fetch its libraries)")
    if not CHROMIUM:
        pytest.skip("Chromium is not installed (Debian: chromium-headless-shell)")
    if int(subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0]) < NODE_MIN:
        pytest.skip(f"playwright-core needs node {NODE_MIN} or newer")
    node = subprocess.run([ROOT / "ci/deps/node.sh", ROOT / "tests/web"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if node.returncode != 0:
        pytest.skip("npm could not install playwright-core: " + node.stderr.strip()[-200:])
    command = ["node", ROOT / "tests/web/walk.mjs", node.stdout.strip(), CHROMIUM, shop.url, shop.failed, shop.repeated]
    pictures = os.environ.get("SPANWAY_PICTURES")
    done = subprocess.run([*command, *([pictures] if pictures else [])], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=WALK_SECONDS)
    assert done.returncode == 0, done.stderr
