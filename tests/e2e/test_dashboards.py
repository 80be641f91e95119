"""Grafana's dashboards on real parts. A Prometheus scrapes the processes of a running pipeline, and what it has scraped
is sent into ClickHouse: each panel has the same answer from it and from spanway-query, and none is empty. The panels of
the applications' services are compared the other way round: spanway-query makes their metrics out of stored spans."""
import concurrent.futures
import re
import subprocess
import time

import grpc
import pytest
import requests
from harness.dashboards import boards, filled, queries
from harness.parts import S3, ClickHouse, Prometheus
from harness.pipeline import Pipeline
from harness.ports import free_port
from harness.processes import BIN, ROOT, Service, wait_until
from harness.scraped import as_gauges, as_scraped, raw_samples
from harness.send import grpc_export, logs_request, metrics_request, trace_request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from test_promql import close, ordered

SIGNALS = ("traces", "metrics", "logs")
SCRAPE_EVERY = 2
WINDOW = 9  # Seconds of a rate.
VARIABLES = {"namespace": "shop", "pipeline": "main", "service": ".*", "__rate_interval": f"{WINDOW}s"}

RANGE = 2  # Seconds of a panel.
# A scrape has the time of its begin, and is stored at its end.
SCRAPE_ENDS = SCRAPE_EVERY + 2
# Every process answered all scrapes that a panel reads, and both stores had data before their end.
ENOUGH = (
    f"min_over_time(up[{WINDOW + RANGE}s]) == 1 and count_over_time(up[{WINDOW + RANGE}s]) >= {WINDOW // SCRAPE_EVERY}"
    f" and on () (sum(spanway_sink_s3_stored_objects_total offset {RANGE}s) > 0)"
    f" and on () (count(spanway_sink_clickhouse_newest_row_timestamp_seconds{{table='spans'}} offset {RANGE}s) > 0)"
)

# Panels without data in this run, with the reason. One that has data fails the test.
NO_PIPELINE = "the operator has no API server here and reconciles nothing; no test evaluates its panels, their metrics are declared ones"
WITHOUT_DATA = {
    ("pipeline", "Reconciliations"): NO_PIPELINE,
    ("pipeline", "Duration of a reconciliation"): NO_PIPELINE,
    ("pipeline", "Pipelines"): NO_PIPELINE,
    ("pipeline", "Rollbacks and reverted changes"): NO_PIPELINE,
    ("pipeline", "Leaders"): NO_PIPELINE,
}


def get(url, path, **parameters):
    answer = requests.get(url + path, params=parameters, timeout=30)
    assert answer.status_code == 200, f"{path} {parameters}: {answer.text}"
    return answer.json()["data"]


def kinds():
    """Family -> counter, gauge or histogram, as the services declare them."""
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", (ROOT / "METRICS.md").read_text(), re.M))


def target(service, component, exporter="", namespace="shop", pipeline="main"):
    labels = {"namespace": namespace, "pod": service.name, "spanway_dev_component": component}
    if pipeline:
        labels["spanway_dev_pipeline"] = pipeline
    if exporter:
        labels["spanway_dev_exporter"] = exporter
    return {"targets": [f"127.0.0.1:{service.admin_port}"], "labels": labels}


def past_spans(now):
    """Spans of two services, in steps of five minutes that are over: the figures of the services' panels."""
    merged = ExportTraceServiceRequest()
    for minutes in range(12, 24):
        for service, kinds_of_spans in (("cart", (2, 3)), ("payment", (5, 4))):
            request = trace_request(spans=6, service=service)
            for i, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
                begin = int((now - minutes * 60) * 10**9) + i
                span.name, span.kind = f"operation {i % 3}", kinds_of_spans[i % 2]
                span.start_time_unix_nano, span.end_time_unix_nano = begin, begin + (i + 1) * minutes * 1_000_000
                if (i + minutes) % 4 == 0:
                    span.status.code = 2
            merged.MergeFrom(request)
    return merged


class Run:
    """A pipeline into ClickHouse, S3 and a Prometheus, which scrapes all processes, and spanway-query over
    ClickHouse."""

    def __init__(self, folder, kafka):
        self.folder, self.kafka, self.parts = folder, kafka, []

    def started(self, part):
        self.parts.append(part)
        return part.start()

    def start(self):
        folder = self.folder
        self.clickhouse, self.s3 = self.started(ClickHouse(folder)), self.started(S3(folder, "telemetry"))
        self.prometheus = Prometheus(folder)
        destinations = {
            "clickhouse": {"type": "clickhouse", "clickhouse": {"endpoint": self.clickhouse.url}},
            "s3": {"type": "s3", "s3": {"bucket": self.s3.bucket, "endpoint": self.s3.url, "path_style": True}},
            "prometheus": {"type": "prometheus_remote_write", "prometheus_remote_write": {"endpoint": self.prometheus.write_url}},
        }
        self.pipeline = Pipeline(
            folder, self.kafka.brokers, destinations, consumer={"consumer": {"batch_identity": True, "batch": {"linger": "200ms"}}}, signals=SIGNALS,
            consumers={"prometheus": {"consumer": {"signals": ["metrics"]}}}, environments={"s3": self.s3.keys},
        )
        exporter = self.pipeline.exporters["clickhouse"]
        self.otlp = f"127.0.0.1:{exporter.config['otlp']['grpc']['port']}"
        subprocess.run([BIN / "spanway-exporter", "--config", exporter.config_path, "migrate"], check=True, stdin=subprocess.DEVNULL)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        store = {"endpoint": self.clickhouse.url, "username": "reader", "password": "spanway"}
        self.query = Service("query", "spanway-query", {"api": {"port": port}, "traces_from": "clickhouse", "stores": {"clickhouse": store}}, folder)
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(
            "{clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: a, user: {token: a}}],"
            " contexts: [{name: a, context: {cluster: a, user: a}}], current-context: a}"
        )
        self.operator = Service("operator", "spanway-operator", {}, folder, {"KUBECONFIG": str(kubeconfig)})
        targets = [target(self.pipeline.ingress, "ingress"), target(self.pipeline.bridge, "kafka-bridge"), target(self.query, "query")]
        targets += [target(service, "exporter", name) for name, service in self.pipeline.exporters.items()]
        targets += [target(service, "consumer", name) for name, service in self.pipeline.consumers.items()]
        targets.append(target(self.operator, "operator", namespace="spanway-system", pipeline=""))
        self.targets = len(targets)
        scrape = [{"job_name": "spanway", "scrape_interval": f"{SCRAPE_EVERY}s", "scrape_timeout": f"{SCRAPE_EVERY}s", "static_configs": targets}]
        self.prometheus.scrape(scrape)
        for part in (self.prometheus, self.operator, self.query, self.pipeline):
            self.started(part)
        self.query.wait_ready()
        self.operator.wait_listening()

    def work(self):
        """Telemetry in, questions and mistakes, until Prometheus has enough samples of each process."""

        def enough():
            for request in (trace_request(), metrics_request(), logs_request()):
                try:
                    grpc_export(self.pipeline.endpoint, request)
                except grpc.RpcError as error:  # As long as Kafka makes the topics, the answer is to come again.
                    assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            for path in ("/api/v1/query?query=up", "/api/v1/query?query=sum(", "/api/services", "/loki/api/v1/labels", "/api/traces/12"):
                requests.get(self.url + path, timeout=20)
            requests.post(f"{self.pipeline.http_endpoint}/v1/traces", b"no protobuf", headers={"content-type": "application/x-protobuf"}, timeout=20)
            self.end = int(time.time()) - SCRAPE_ENDS
            answer = get(self.prometheus.url, "/api/v1/query", query=ENOUGH, time=self.end)
            return len(answer["result"]) == self.targets

        wait_until(enough, 180, "scrapes of every process", 0.3)

    def copy(self):
        """Sends all that Prometheus has scraped into ClickHouse by OTLP."""
        names = set()
        for board in boards().values():
            for _, expression in queries(board, VARIABLES):
                names |= set(re.findall(r"\b(?:spanway|process|otel)_\w+", expression))
        names = {name for name in names if not name.startswith("spanway_dev_")} | {"spanway_build_info"}
        families = {re.sub(r"_bucket$", "", name) for name in names}
        pattern = "|".join(sorted(names | {f"{name}_{part}" for name in families for part in ("sum", "count", "bucket")}))
        found = raw_samples(self.prometheus.url, get, f'{{job="spanway",__name__=~"{pattern}"}}', self.end, 600)
        for request in as_scraped(found, kinds()):
            answer = grpc_export(self.otlp, request, timeout=60)
            assert answer.partial_success.rejected_data_points == 0, answer
        grpc_export(self.otlp, past_spans(self.end), timeout=60)

    def stop(self):
        for part in reversed(self.parts):
            part.stop()


@pytest.fixture(scope="module")
def run(request, tmp_path_factory, kafka):
    made = Run(tmp_path_factory.mktemp("dashboards"), kafka)
    request.addfinalizer(made.stop)
    made.start()
    made.work()
    made.copy()
    return made


def both(run, path, **parameters):
    """The answers of spanway-query and of Prometheus. A busy machine answers 503 with the time to come back."""

    def answer(url):
        found = requests.get(url + path, params=parameters, timeout=60)
        return [found] if found.status_code not in (429, 503) else None

    return [wait_until(lambda: answer(url), 120, f"{path} {parameters}", 1)[0] for url in (run.url, run.prometheus.url)]


def compare(run, places):
    """Mistakes among (board, panel, expression, range), and the panels without data."""

    def one(place):
        board, title, expression, window = place
        ours, theirs = both(run, "/api/v1/query_range", query=expression, **window)
        if not (ours.ok and theirs.ok and close(ordered(ours, expression), ordered(theirs, expression))):
            return f"{board}: {title}: {expression}\n ours   {ours.text[:1200]}\n theirs {theirs.text[:1200]}", None
        return None, None if theirs.json()["data"]["result"] else (board, title)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, places))
    return [different for different, _ in answers if different], {empty for _, empty in answers if empty}


def test_panels_of_our_processes_have_the_answers_of_a_prometheus(run):
    window = {"start": run.end - RANGE, "end": run.end, "step": RANGE}
    places = [
        (name, panel["title"], expression, window)
        for name, board in boards().items() if name != "services"
        for panel, expression in queries(board, VARIABLES)
    ]
    different, empty = compare(run, places)
    assert not different, "\n".join(different)
    assert empty == set(WITHOUT_DATA), f"without data, and not listed: {empty - set(WITHOUT_DATA)}; listed, and with data: {set(WITHOUT_DATA) - empty}"


def test_panels_of_services_have_the_answers_of_a_prometheus(run):
    """spanway-query has no samples of these, but spans: its series are given to the Prometheus and both evaluate them."""
    window = {"start": run.end - 13 * 60, "end": run.end - 8 * 60, "step": 60}
    reach = window["end"] - window["start"] + 10 * 60  # As far back as the first rate reads.
    for name in ("traces_spanmetrics_calls_total", "traces_spanmetrics_latency_bucket", "traces_spanmetrics_latency_sum", "traces_spanmetrics_latency_count"):
        found = raw_samples(run.url, get, name, window["end"], reach)
        assert found, name
        body = as_gauges(found).SerializeToString()
        answer = requests.post(f"{run.prometheus.url}/api/v1/otlp/v1/metrics", body, headers={"content-type": "application/x-protobuf"}, timeout=30)
        assert answer.status_code == 200, answer.text
    board = boards()["services"]
    different, empty = compare(run, [("services", panel["title"], expression, window) for panel, expression in queries(board, VARIABLES)])
    assert not different, "\n".join(different)
    assert not empty


def test_variables_have_the_values_of_a_prometheus(run):
    for name, board in boards().items():
        for variable in board["templating"]["list"]:
            if variable["type"] != "query":
                continue
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", filled(variable["query"]["query"], VARIABLES)).groups()
            ours, theirs = both(run, f"/api/v1/label/{label}/values", **{"match[]": selector, "start": run.end - 1800, "end": run.end})
            ours, theirs = ours.json()["data"], theirs.json()["data"]
            if name == "services":  # Out of spans, which Prometheus does not have.
                assert {"cart", "payment"} <= set(ours), ours
            else:
                assert theirs and ours == theirs, (name, variable["name"], ours, theirs)
