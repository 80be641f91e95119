"""Loki's API of spanway-query over its memory: the answers of a real Loki to the same records and queries, logcli,
and a tail."""
import json
import math
import subprocess
import time

import pytest
import requests
from harness.parts import Loki, run_part
from harness.ports import free_port
from harness.processes import Service, wait_until
from harness.send import grpc_export, text
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList

TENANT = "acme"
SECOND = 10**9
# A recent minute, so that neither side refuses the records as too old.
BASE = (time.time_ns() // (60 * SECOND) - 5) * 60 * SECOND


def logs_request():
    """Lines of every kind from three services, one record each second and service."""
    request = logs_service_pb2.ExportLogsServiceRequest()
    for index, service in enumerate(["shop", "cart", "edge"]):
        outer = request.resource_logs.add()
        outer.resource.attributes.extend([text("service.name", service), text("k8s.namespace.name", "prod")])
        outer.resource.attributes.append(text("host.name", f"host-{index}"))
        scope = outer.scope_logs.add()
        scope.scope.name, scope.scope.version = "lib", "1.0"
        for i in range(60):
            record = scope.log_records.add(time_unix_nano=BASE + i * SECOND + index, observed_time_unix_nano=BASE + i * SECOND + 7)
            record.severity_number = 17 if i % 10 == 0 else 9
            record.severity_text = "ERROR" if i % 10 == 0 else "INFO"
            record.attributes.extend([text("user.id", f"u{i % 3}"), KeyValue(key="n", value=AnyValue(int_value=i))])
            if service == "shop":
                body = {"method": "GET" if i % 2 else "PUT", "status": 500 if i % 7 == 0 else 200, "took": f"{i}ms"}
                body["nested"] = {"size": f"{i}KB", "ok": i % 2 == 0}
                record.body.string_value = "no json" if i == 59 else json.dumps(body)
            elif service == "cart":
                record.body.string_value = f'level={"error" if i % 5 == 0 else "info"} n={i} took={i * 10}ms msg="item {i} added" ip=10.0.0.{i}'
            else:
                record.body.string_value = f"10.1.{i % 4}.7 - - [x] \"GET /p/{i % 3} HTTP/1.1\" {200 + i % 2} \u00e4 {i}.5"
    nested = request.resource_logs[2].scope_logs[0].log_records.add(time_unix_nano=BASE + 61 * SECOND)
    nested.body.kvlist_value.CopyFrom(KeyValueList(values=[text("b", "x"), KeyValue(key="a", value=AnyValue(int_value=1))]))
    return request


class Sides:
    def __init__(self, folder):
        self.loki = Loki(folder).start()
        self.port, self.otlp_port = free_port(), free_port()
        config = {
            "api": {"port": self.port},
            "traces_from": "memory",
            "stores": {"memory": {"grpc_port": self.otlp_port, "trust_metadata": True}},
            "tenant": {"from": "header"},
        }
        self.query = Service("query", "spanway-query", config, folder)
        self.query.start().wait_ready()
        self.ours = f"http://127.0.0.1:{self.port}"
        request = logs_request()
        sent = requests.post(
            f"{self.loki.url}/otlp/v1/logs",
            data=request.SerializeToString(),
            headers={"content-type": "application/x-protobuf", "x-scope-orgid": TENANT},
            timeout=30,
        )
        assert sent.status_code == 204, sent.text
        self.send(request)

    def send(self, request):
        grpc_export(f"127.0.0.1:{self.otlp_port}", request, metadata=[("spanway-tenant", TENANT)])

    def get(self, url, path, categorized=False, **parameters):
        headers = {"x-scope-orgid": TENANT}
        if categorized:
            headers["x-loki-response-encoding-flags"] = "categorize-labels"
        return requests.get(f"{url}/loki/api/v1/{path}", params=parameters, headers=headers, timeout=30)

    def both(self, path, **parameters):
        return [self.get(url, path, **parameters) for url in (self.loki.url, self.ours)]

    def stop(self):
        self.query.stop()
        self.loki.stop()


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    made = Sides(tmp_path_factory.mktemp("loki"))
    yield made
    made.stop()


SHOP, CART, EDGE = '{service_name="shop"}', '{service_name="cart"}', '{service_name="edge"}'
ENTRIES = [
    SHOP,
    '{service_name=~"shop|cart", k8s_namespace_name="prod"} |= "1"',
    CART + ' |= "item 1" != "added" or "17"',
    CART + ' |~ "item [0-9] " !~ "n=[57]"',
    CART + ' |= "item 3" or "item 4"',
    EDGE + ' |> "<_> - - <_> \\"GET /p/1 <_>"',
    EDGE + ' |= ip("10.1.2.0/24")',
    EDGE,
    SHOP + " | json",
    SHOP + " | json | __error__=\"\" | status=500",
    SHOP + ' | json method, size="nested.size", none="x.y"',
    SHOP + " | json | took>=50ms | nested_size<55KB",
    CART + " | logfmt",
    CART + ' | logfmt --strict | level="error" and n>20 or n=3',
    CART + ' | logfmt t="took", msg | keep t',
    CART + ' | logfmt | ip=ip("10.0.0.16/30")',
    EDGE + ' | pattern "<ip> - - <_> \\"<method> <path> <_>\\" <status> <_>"',
    EDGE + ' | regexp "/p/(?P<page>[0-9]) .* (?P<status>[0-9]+) " | status=201',
    CART + ' | logfmt | line_format "{{.level | ToUpper}} {{.msg}} {{__timestamp__ | unixEpochMillis}}"',
    CART + ' | logfmt | label_format who=user_id, what=`{{.level}}-{{div .n 10}}` | drop ip, msg',
    CART + ' | detected_level="error"',
    CART + ' | user_id="u1" | n_extracted>5 | logfmt | n>50',
    CART + ' | trace_id="" | severity_text=~"E.*"',
]
METRICS = [
    f"count_over_time({CART}[30s])",
    f'sum by (service_name) (rate({{k8s_namespace_name="prod"}}[20s]))',
    f"sum(bytes_rate({SHOP}[20s]))",
    f"sum by (level) (count_over_time({CART} | logfmt [1m]))",
    f"sum by (status) (count_over_time({SHOP} | json | __error__=`` [30s] offset 10s))",
    f"sum by (user_id) (bytes_over_time({CART}[30s]))",
    f"avg_over_time({CART} | logfmt | unwrap duration(took) [20s]) by (service_name)",
    f"quantile_over_time(0.9, {CART} | logfmt | unwrap duration_seconds(took) [30s]) by (level)",
    f"max_over_time({SHOP} | json | unwrap bytes(nested_size) | __error__=`` [30s]) by (method)",
    f"min_over_time({CART} | logfmt | unwrap n_extracted [30s]) by ()",
    f"stddev_over_time({CART} | logfmt | unwrap n_extracted [30s]) by (level)",
    f"stdvar_over_time({CART} | logfmt | unwrap n_extracted [30s]) by (level)",
    f"first_over_time({CART} | logfmt | unwrap n_extracted [30s]) by (level)",
    f"last_over_time({CART} | logfmt | unwrap n_extracted [30s]) by (level)",
    f"sum(rate_counter({CART} | logfmt | unwrap n_extracted [30s]))",
    f"sum by (level) (sum_over_time({CART} | logfmt | unwrap n_extracted [30s]))",
    'absent_over_time({service_name="missing", x=~".+"}[30s])',
    f"absent_over_time({CART}[30s])",
    f"topk(2, sum by (user_id, service_name) (count_over_time({CART} | user_id!=`u0` [30s])))",
    f"bottomk(1, sum by (level) (count_over_time({CART} | logfmt [30s])))",
    f"avg without (detected_level) (sum by (detected_level, service_name) (count_over_time({CART}[30s])))",
    f"count(count_over_time({CART}[30s]))",
    f"stddev(sum by (user_id) (count_over_time({CART} | logfmt | n_extracted>7 [30s])))",
    f"sum by (level) (rate({CART} | logfmt [20s])) / on () group_left sum(rate({CART}[20s])) * 100",
    f"sum by (level) (rate({CART} | logfmt [20s])) > bool 0.3",
    f"sum by (level) (rate({CART} | logfmt [20s])) > 0.3",
    f"sum(rate({CART}[20s])) or vector(1)",
    f"sum by (level) (rate({CART} | logfmt [20s])) unless on (level) sum by (level) (rate({CART} | logfmt | level=`info` [20s]))",
    f'label_replace(sum by (service_name) (rate({CART}[20s])), "s", "<$1>", "service_name", "(c.*)")',
    "vector(3) + 1",
    "1 + 2 * 3",
    f"sum(count_over_time({SHOP} | json [30s]))",
]
ERRORS = [
    "",
    "{",
    "{}",
    SHOP + " |",
    SHOP + " | json | unwrap x",
    f"rate({SHOP})",
    f"sum_over_time({SHOP}[5m])",
    f"topk(sum(rate({SHOP}[1m])))",
    f"count_over_time({SHOP} | json [1m])",
    f"sum by (user_id) (rate({CART}[20s])) / on (user_id) sum by (level, user_id) (rate({CART} | logfmt [20s]))",
    SHOP + " | line_format `{{.x`",
]


def entries_of(answer):
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert data["resultType"] == "streams"
    return sorted(
        (json.dumps(stream["stream"], sort_keys=True), *value[:2], json.dumps(value[2:], sort_keys=True))
        for stream in data["result"]
        for value in stream["values"]
    )


def samples_of(answer):
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    if data["resultType"] == "scalar":
        return {"scalar": float(data["result"][1])}  # The time of a real one is wrong.
    samples = {}
    for series in data["result"]:
        for at, number in series.get("values") or [series["value"]]:
            samples[json.dumps(series["metric"], sort_keys=True), at] = float(number)
    return samples


def assert_equal_samples(loki, ours):
    expected, found = samples_of(loki), samples_of(ours)
    assert found.keys() == expected.keys()
    for key, number in expected.items():
        assert math.isclose(found[key], number, rel_tol=1e-9, abs_tol=1e-12), key


@pytest.mark.parametrize("query", ENTRIES)
def test_entries_are_those_of_loki(sides, query):
    window = {"query": query, "start": BASE, "end": BASE + 120 * SECOND, "limit": 500}
    for parameters in ({}, {"categorized": True}, {"direction": "forward", "limit": 7}, {"interval": "7s"}):
        loki, ours = sides.both("query_range", **(window | parameters))
        if "categorized" not in parameters or "limit" in parameters:
            assert [s["stream"] for s in ours.json()["data"]["result"]] or not loki.json()["data"]["result"]
        assert entries_of(ours) == entries_of(loki), parameters


@pytest.mark.parametrize("query", METRICS)
def test_metrics_are_those_of_loki(sides, query):
    loki, ours = sides.both("query", query=query, time=BASE + 60 * SECOND)
    assert_equal_samples(loki, ours)
    loki, ours = sides.both("query_range", query=query, start=BASE, end=BASE + 90 * SECOND, step="13s")
    assert_equal_samples(loki, ours)


@pytest.mark.parametrize("query", ERRORS)
def test_errors_are_those_of_loki(sides, query):
    loki, ours = sides.both("query_range", query=query, start=BASE, end=BASE + 60 * SECOND, step="10s")
    assert loki.status_code in (400, 500) and ours.status_code == 400  # 500: of vectors that do not match.
    assert ours.text.split("\n")[0] == loki.text.split("\n")[0]


def test_labels_and_series_are_those_of_loki(sides):
    window = {"start": BASE, "end": BASE + 120 * SECOND}
    for path, parameters in [
        ("labels", {}),
        ("label/service_name/values", {}),
        ("label/service_name/values", {"query": '{service_name=~"c.*"}'}),
        ("label/nothing/values", {}),
        ("series", {}),
        ("series", {"match[]": [SHOP, '{k8s_namespace_name="prod", service_name!="cart"}']}),
    ]:
        loki, ours = (answer.json() for answer in sides.both(path, **(window | parameters)))
        order = lambda data: sorted(data or [], key=lambda one: json.dumps(one, sort_keys=True))
        assert order(ours.get("data")) == order(loki.get("data")), path


def test_figures_and_fields(sides):
    window = {"start": BASE - 300 * SECOND, "end": BASE + 300 * SECOND}
    stats = sides.get(sides.ours, "index/stats", query=CART, **window).json()
    assert (stats["streams"], stats["entries"]) == (1, 60)
    volume = sides.get(sides.ours, "index/volume", query='{service_name=~".+"}', **window).json()["data"]
    assert volume["resultType"] == "vector" and {s["metric"]["service_name"] for s in volume["result"]} == {"shop", "cart", "edge"}
    ranged = sides.get(sides.ours, "index/volume_range", query=CART, step="5m", **window).json()["data"]
    assert ranged["resultType"] == "matrix" and len(ranged["result"]) == 1
    fields = {f["label"]: f for f in sides.get(sides.ours, "detected_fields", query=CART, **window).json()["fields"]}
    assert fields["took"]["type"] == "duration" and fields["took"]["parsers"] == ["logfmt"]
    assert fields["user_id"]["cardinality"] == 3 and fields["user_id"]["parsers"] is None
    values = sides.get(sides.ours, "detected_field/level/values", query=CART, **window).json()["values"]
    assert values == ["error", "info"]
    labels = sides.get(sides.ours, "detected_labels", **window).json()["detectedLabels"]
    assert {"label": "service_name", "cardinality": 3} in labels
    loki, ours = sides.both("format_query", query=f"sum(  rate({SHOP}[1m])) by (x)")
    assert ours.json()["data"].replace(" ", "") == loki.json()["data"].replace(" ", "").replace("\n", "")
    assert sides.get(sides.ours, "status/buildinfo").json()["version"] == "3.7.8"


def test_logcli_runs_queries_labels_and_series(sides):
    logcli = run_part("loki", "logcli")

    def run(*arguments):
        command = [logcli, f"--addr={sides.ours}", f"--org-id={TENANT}", "--quiet", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    times = [f"--from={rfc3339(BASE)}", f"--to={rfc3339(BASE + 120 * SECOND)}"]
    lines = run("query", *times, "--limit=500", "--output=raw", CART + ' |= "item 1"').splitlines()
    assert len(lines) == 11 and all("item 1" in line for line in lines)
    instant = json.loads(run("instant-query", f"--now={rfc3339(BASE + 60 * SECOND)}", f"sum(count_over_time({CART}[1m]))"))
    assert instant[0]["value"][1] == "60"
    assert run("labels", *times, "service_name").split() == ["cart", "edge", "shop"]
    assert 'service_name="cart"' in run("series", *times, CART)


def rfc3339(nanos):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(nanos // SECOND))


def test_a_tail_gets_history_and_then_each_new_line_once(sides, tmp_path):
    start = time.time_ns() - 60 * SECOND
    tail_line = '{service_name="tailed"} |= "line"'

    def send(number):
        request = logs_service_pb2.ExportLogsServiceRequest()
        outer = request.resource_logs.add()
        outer.resource.attributes.append(text("service.name", "tailed"))
        outer.scope_logs.add().log_records.add(time_unix_nano=time.time_ns()).body.string_value = f"line {number}"
        sides.send(request)

    send(1)
    command = [run_part("loki", "logcli"), f"--addr={sides.ours}", f"--org-id={TENANT}", "--quiet", "query", "--tail"]
    command += [f"--from={rfc3339(start)}", "--output=raw", "--no-labels", tail_line]
    output = tmp_path / "tail"
    with open(output, "w") as file, subprocess.Popen(command, stdout=file) as tail:
        try:
            wait_until(lambda: output.read_text() == "line 1\n", 30, "the history of the tail")
            for number in (2, 3, 4):
                send(number)
            wait_until(lambda: output.read_text() == "line 1\nline 2\nline 3\nline 4\n", 30, "each new line once")
        finally:
            tail.kill()
    assert sides.get(sides.ours, "tail", query="{").status_code == 400
