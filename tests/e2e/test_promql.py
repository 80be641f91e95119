"""spanway-query as a Prometheus: the same OTLP stream goes into a real one, and both answer the same questions
alike. ClickHouse and memory behind."""
import json
import subprocess
import time

import pytest
import requests
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from harness.parts import Prometheus, promtool
from harness.processes import Service
from harness.send import grpc_export
from test_query import Stack

NANOS = 1_000_000_000
STEPS, INTERVAL = 40, 15

# Sent at one time and over a range.
QUERIES = """
up_missing
queue_depth
queue_depth{job="shop/cart"}
{job=~"shop/.*",route!="/pay"}
requests_total offset 1m
requests_total @ end()
rate(requests_total[1m])
irate(requests_total[2m])
increase(requests_total{route="/"}[5m])
sum(rate(requests_total[1m]))
sum by (route) (rate(requests_total[1m]))
sum without (instance) (rate(requests_total[90s]))
avg(queue_depth) by (job)
min(queue_depth)
max(queue_depth)
stddev(queue_depth)
stdvar by (job) (queue_depth)
count(queue_depth) by (instance)
group(queue_depth) by (job)
topk(2, requests_total)
bottomk(1, queue_depth)
quantile(0.7, requests_total)
count_values("depth", queue_depth)
limitk_missing or vector(1)
requests_total / on (job, instance) group_left queue_depth
requests_total > 100
requests_total > bool 100
requests_total and on (instance) queue_depth
requests_total unless on (route) requests_total{route="/pay"}
queue_depth or requests_total
-queue_depth
queue_depth ^ 2 % 7
abs(queue_depth - 5)
clamp(queue_depth, 2, 6)
ceil(queue_depth / 3)
ln(requests_total)
deriv(queue_depth[2m])
predict_linear(queue_depth[5m], 60)
delta(queue_depth[2m])
resets(restarting_total[10m])
changes(queue_depth[5m])
avg_over_time(queue_depth[2m])
max_over_time(queue_depth[2m:30s])
quantile_over_time(0.9, queue_depth[3m])
stddev_over_time(queue_depth[3m])
last_over_time(queue_depth[3m])
present_over_time(queue_depth[3m])
absent(nothing{job="x"})
absent_over_time(queue_depth[1m])
label_replace(queue_depth, "host", "$1", "instance", "(.*)-.*")
label_join(queue_depth, "both", "/", "job", "instance")
sort_desc(queue_depth)
histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[2m])))
histogram_quantile(0.5, rate(latency_seconds_bucket[2m]))
latency_seconds_sum / latency_seconds_count
latency_seconds_bucket{le="+Inf"} - ignoring (le) latency_seconds_count
latency_seconds_bucket{le=~"0.*"}
size_bytes
histogram_quantile(0.9, rate(size_bytes[2m]))
histogram_count(sum(rate(size_bytes[2m])))
histogram_sum(size_bytes)
histogram_avg(size_bytes)
histogram_fraction(0, 100, size_bytes)
served_bytes
served_bytes_count
gone
target_info
queue_depth * on (job, instance) group_left (host_name) target_info
count({__name__=~".+"})
{__name__=~"latency.*|size.*"}
vector(time())
scalar(sum(queue_depth))
timestamp(queue_depth)
minute(vector(1767225600))
1 / 0
"text"
""".strip().splitlines()

MISTAKES = ["", "sum(", "queue_depth{", "rate(queue_depth)", "queue_depth[5m] + 1", "{}", 'x{a=~"("}', "foo bar", "1 + + ", "unknown(1)"]


def attribute(target, key, value):
    target.add(key=key).value.string_value = value


def number(metric, kind, at, value, since, **attributes):
    point = getattr(metric, kind).data_points.add(time_unix_nano=at, start_time_unix_nano=since, as_double=value)
    for key, text in attributes.items():
        attribute(point.attributes, key, text)
    return point


def request_at(begin, step):
    request = ExportMetricsServiceRequest()
    at, since = (begin + step * INTERVAL) * NANOS, begin * NANOS
    for host in range(3):
        resource = request.resource_metrics.add()
        for key, text in {"service.namespace": "shop", "service.name": "cart", "service.instance.id": f"host-{host}", "host.name": f"h{host}"}.items():
            attribute(resource.resource.attributes, key, text)
        metrics = resource.scope_metrics.add().metrics
        number(metrics.add(name="queue.depth"), "gauge", at, (step * (host + 2)) % 11 + host / 8, since)
        for name in ("requests", "restarting"):
            counter = metrics.add(name=name)
            counter.sum.aggregation_temporality, counter.sum.is_monotonic = 2, True
            for i, route in enumerate(("/", "/pay")):
                value = step * (7 + i) + host * 0.5
                number(counter, "sum", at, value % 50 if name == "restarting" else value, since, route=route)
        if host == 0:
            gone = number(metrics.add(name="gone"), "gauge", at, step, since)
            gone.flags = 1 if step > STEPS - 4 else 0
        classic = metrics.add(name="latency", unit="s").histogram
        classic.aggregation_temporality = 2
        counts = [step * (host + 1), step * 2, step, step // 5]
        classic.data_points.add(
            time_unix_nano=at, start_time_unix_nano=since, count=sum(counts), sum=step * 1.25, explicit_bounds=[0.05, 0.5, 2.5], bucket_counts=counts
        )
        native = metrics.add(name="size", unit="By").exponential_histogram
        native.aggregation_temporality = 2
        buckets = [step, 0, step * 3, step // 2]
        point = native.data_points.add(
            time_unix_nano=at, start_time_unix_nano=since, count=sum(buckets) + step, sum=step * 99.0, scale=3 if step < 30 else 2, zero_count=step
        )
        point.positive.offset = 11 if step < 30 else 5
        point.positive.bucket_counts.extend(buckets)
        summary = metrics.add(name="served", unit="By").summary.data_points.add(time_unix_nano=at, count=step, sum=step * 3)
        for quantile in (0.5, 0.99):
            summary.quantile_values.add(quantile=quantile, value=quantile * step)
    return request


class Both:
    """The same metrics in a Prometheus and behind spanway-query."""

    def __init__(self, folder, kind, prometheus):
        self.stack, self.prometheus = Stack(folder, kind), prometheus
        self.begin = prometheus.begin
        self.end = self.begin + (STEPS - 1) * INTERVAL
        for step in range(STEPS):
            answer = grpc_export(f"127.0.0.1:{self.stack.otlp_port}", request_at(self.begin, step))
            assert answer.partial_success.rejected_data_points == 0
        self.url = f"http://127.0.0.1:{self.stack.port}"

    def answers(self, path, method="GET", **parameters):
        """Ours, then Prometheus's."""
        for url in (self.url, self.prometheus.url):
            if method == "GET":
                yield requests.get(url + path, params=parameters, timeout=20)
            else:
                yield requests.post(url + path, data=parameters, timeout=20)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    with Prometheus(tmp_path_factory.mktemp("prometheus")) as server:
        server.begin = int(time.time()) - STEPS * INTERVAL
        for step in range(STEPS):
            body = request_at(server.begin, step).SerializeToString()
            answer = requests.post(f"{server.url}/api/v1/otlp/v1/metrics", body, headers={"content-type": "application/x-protobuf"}, timeout=10)
            assert answer.status_code == 200, answer.text
        yield server


@pytest.fixture(scope="module", params=["memory", "clickhouse"])
def both(tmp_path_factory, prometheus, request):
    made = Both(tmp_path_factory.mktemp("promql"), request.param, prometheus)
    yield made
    made.stack.stop()


def close(ours, theirs):
    """Numbers may differ in the last digits: sums of series come in another order."""
    if isinstance(ours, str) and isinstance(theirs, str) and ours != theirs:
        try:
            return abs(float(ours) - float(theirs)) <= 1e-12 * max(abs(float(ours)), abs(float(theirs)))
        except ValueError:
            return False
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(close, ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(close(ours[key], theirs[key]) for key in ours)
    return ours == theirs


def ordered(answer, query):
    """Series have no order but in sort and topk; notes have none."""
    found = answer.json()
    for notes in ("warnings", "infos"):
        if notes in found:
            found[notes] = sorted(found[notes])
    result = found.get("data", {}).get("result") if isinstance(found.get("data"), dict) else None
    if isinstance(result, list) and result and isinstance(result[0], dict) and not query.startswith("sort"):
        result.sort(key=lambda series: json.dumps(series["metric"], sort_keys=True))
    return found


def test_queries_have_the_answers_of_a_prometheus(both):
    different = []
    for number_of_query, query in enumerate(QUERIES):
        instant = dict(query=query, time=both.end - 20)
        ranged = dict(query=query, start=both.begin + 60, end=both.end, step=(17, 60)[number_of_query % 2])
        method = "GET" if number_of_query % 2 else "POST"
        # The engine is the same over ClickHouse.
        if both.stack.kind == "clickhouse" and number_of_query % 2:
            instant = None
        for path, parameters in (("/api/v1/query", instant), ("/api/v1/query_range", ranged)):
            if parameters is None:
                continue
            ours, theirs = both.answers(path, method, **parameters)
            if ours.status_code != theirs.status_code or not close(ordered(ours, query), ordered(theirs, query)):
                different.append((path, query, ours.text[:1500], theirs.text[:1500]))
    assert not different, "\n".join(map(str, different))


def test_mistakes_have_the_answers_of_a_prometheus(both):
    if both.stack.kind == "clickhouse":
        pytest.skip("a mistake is refused before any store is read: the run over memory shows it")
    cases = [("/api/v1/query", dict(query=query, time=both.end)) for query in MISTAKES]
    ranged = dict(query="queue_depth", start=both.begin, end=both.end, step=15)
    for name, value in [("start", ""), ("end", "soon"), ("end", both.begin - 1), ("step", "0"), ("step", "x"), ("step", "0.01"), ("limit", "-1"), ("timeout", "y"), ("query", "queue_depth[1m]"), ("lookback_delta", "z")]:
        cases.append(("/api/v1/query_range", {**ranged, name: value}))
    cases += [("/api/v1/series", {}), ("/api/v1/series", {"match[]": "{}"}), ("/api/v1/labels", {"match[]": "a b"}), ("/api/v1/labels", {"limit": "-2"})]
    cases += [("/api/v1/query", dict(query="queue_depth", time="never")), ("/api/v1/metadata", {"limit": "x"})]
    cases += [("/api/v1/query", dict(query="count_values('x\\xff', queue_depth)", time=both.end))]
    cases += [("/api/v1/query", dict(query="queue_depth * on (job) queue_depth", time=both.end))]
    different = []
    for path, parameters in cases:
        ours, theirs = both.answers(path, **parameters)
        if ours.status_code != theirs.status_code or ours.json() != theirs.json():
            different.append((path, parameters, ours.status_code, ours.text, theirs.status_code, theirs.text))
    assert not different, "\n".join(map(str, different))


PARSED = [
    "-1 + 2 ^ 0.5",
    "'text'",
    "up",
    '{__name__="up",job=~"a.*",x!="",y!~"b"} offset 5m @ 1.5',
    "rate(x[5m] @ end())",
    "max_over_time((sum(x) > bool 1)[1h:5m] offset -1m)",
    "topk without (a) (3, -x)",
    "a / on (b) group_left (c, d) e and ignoring (f) g unless h",
    "histogram_quantile(0.9, sum by (le) (rate(x_bucket[1m])))",
    "time() > 3",
    "round(vector(Inf), 2) == NaN",
    "label_replace(x, 'a', '$1', 'b', '(.*)')",
    "x +",
    "unknown(x)",
]


def test_syntax_trees_are_those_of_a_prometheus(both):
    if both.stack.kind == "clickhouse":
        pytest.skip("no store is read: the run over memory shows it")
    for query in PARSED:
        ours, theirs = both.answers("/api/v1/parse_query", query=query)
        assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json()), query


def test_series_and_labels_are_those_of_a_prometheus(both):
    window = dict(start=both.begin, end=both.end)
    cases = [
        ("/api/v1/series", {"match[]": ["latency_seconds_bucket", '{job="shop/cart",__name__=~"size.*"}']}),
        ("/api/v1/series", {"match[]": "served_bytes"}),
        ("/api/v1/labels", {}),
        ("/api/v1/labels", {"match[]": "queue_depth"}),
        ("/api/v1/labels", {"limit": 3}),
        ("/api/v1/label/__name__/values", {}),
        ("/api/v1/label/__name__/values", {"match[]": '{route="/pay"}'}),
        ("/api/v1/label/le/values", {}),
        ("/api/v1/label/U__route/values", {}),
        ("/api/v1/label/instance/values", {"limit": 2}),
        ("/api/v1/label/nothing/values", {}),
        ("/api/v1/format_query", {"query": "sum by(a)(rate(x[5m]))/1"}),
        ("/api/v1/format_query", {"query": "sum by (a, b) (rate(some_long_name_total{job=\"a\"}[5m])) / ignoring (b) group_left () (sum(other_name) > 0)"}),
    ]
    for path, parameters in cases:
        ours, theirs = both.answers(path, **{**window, **parameters})
        ours, theirs = ours.json(), theirs.json()
        if path.endswith("series"):
            for answer in (ours, theirs):
                answer["data"].sort(key=lambda labels: json.dumps(labels, sort_keys=True))
        assert ours == theirs, (path, parameters)
    metadata = requests.get(both.url + "/api/v1/metadata", params={"metric": "latency_seconds"}, timeout=20).json()
    assert metadata["data"] == {"latency_seconds": [{"type": "histogram", "unit": "seconds", "help": ""}]}


def test_promtool_reads_it(both):
    if both.stack.kind == "clickhouse":
        pytest.skip("promtool speaks to the API, whatever the store: the run over memory shows it")

    def run(*arguments):
        return subprocess.run([promtool(), "query", *arguments], capture_output=True, text=True, check=True, timeout=60).stdout

    at = ["--time", str(both.end)]
    assert 'queue_depth{instance="host-0", job="shop/cart"} => ' in run("instant", *at, both.url, "queue_depth")
    window = [f"--start={both.begin}", f"--end={both.end}"]
    assert run("range", *window, "--step=60s", both.url, "sum(queue_depth)").count(" @[") > 5
    assert run("series", *window, "--match=gone", both.url).strip() == '{__name__="gone", instance="host-0", job="shop/cart"}'
    assert "latency_seconds_bucket" in run("labels", *window, both.url, "__name__").splitlines()
