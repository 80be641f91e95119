"""Lists of spanway-query over a real ClickHouse that end early at a limit say so. The most memory of each process is
asserted by harness/promises.py."""
import re
import subprocess
import time

import pytest
import requests
from harness.parts import ClickHouse
from harness.ports import free_port
from harness.processes import BIN, Service

WIDE_SERIES, BUCKETS = 2_000, 12
BIG_TRACE, BIG_SPANS = "ab" * 16, 200_000
# A whole five minutes, in the past.
END = int(time.time()) // 300 * 300 - 300


def times(first, rows, rows_of_bucket):
    """Rows of `first` and its older buckets, so many in each."""
    return f"toDateTime64({END - 300 * first - 300}, 9) - toIntervalSecond(intDiv(number, {rows_of_bucket}) * 300) + toIntervalMillisecond(number % {rows_of_bucket})"


def span_rows(count, of_bucket):
    """One trace a span; five of the newest are short."""
    return f"""INSERT INTO otel.spans (ts, duration_ns, trace_id, span_id, service_name, name, kind, res_id)
        SELECT {times(0, count, of_bucket)}, if(number < 5, 500, 5000 + number % 1000), sipHash128(number, 't'),
        CAST(substring(sipHash128(number, 's'), 1, 8) AS FixedString(8)), 'shop', 'GET /', 'server', 1 FROM numbers({count})"""


def big_trace():
    return f"""INSERT INTO otel.spans (ts, duration_ns, trace_id, span_id, parent_span_id, service_name, name, kind, res_id, attr_str)
        SELECT {times(30, BIG_SPANS, BIG_SPANS)}, 1000, unhex('{BIG_TRACE}'), reinterpretAsFixedString(number + 1),
        if(number = 0, CAST('' AS FixedString(8)), reinterpretAsFixedString(toUInt64(1))), 'big', concat('step ', toString(number % 100)),
        'internal', 2, map('item', toString(number)) FROM numbers({BIG_SPANS})"""


def log_rows(count, of_bucket):
    return f"""INSERT INTO otel.logs (ts, service_name, stream_id, severity, body)
        SELECT {times(0, count, of_bucket)}, 'shop', 7, 9, if(number < 5, 'the needle', concat('hay ', toString(number), repeat(' straw', 20)))
        FROM numbers({count})"""


def series_rows():
    """Series with 40 labels of 40 bytes each."""
    day = f"toDate(toDateTime({END}))"
    labels = "mapFromArrays(arrayMap(i -> concat('label_', toString(i)), range(40)), arrayMap(i -> concat(toString(number), repeat('x', 34)), range(40)))"
    return [
        f"INSERT INTO otel.series (day, metric, series_id, labels, type) SELECT {day}, 'wide', number, {labels}, 'gauge' FROM numbers({WIDE_SERIES})",
        f"INSERT INTO otel.samples (metric, series_id, ts, value) SELECT 'wide', number, toDateTime64({END}, 3), number FROM numbers({WIDE_SERIES})",
    ]


class Stack:
    def __init__(self, folder):
        self.folder = folder
        self.server = ClickHouse(folder).start()
        config = folder / "migrate.yaml"
        config.write_text(f"destination: {{type: clickhouse, clickhouse: {{endpoint: '{self.server.url}'}}}}")
        subprocess.run([BIN / "spanway-exporter", "migrate", "--config", config], check=True, stdin=subprocess.DEVNULL)
        streams = f"INSERT INTO otel.log_streams SELECT '', 7, map('service_name', 'shop'), toDate(toDateTime({END} - {300 * BUCKETS} * number)), now() FROM numbers(2)"
        for statement in (span_rows(20_000 * BUCKETS, 20_000), big_trace(), streams, log_rows(20_000 * BUCKETS, 20_000), *series_rows()):
            self.server.execute(statement, timeout=600)

    def query(self, name, **limits):
        port = free_port()
        store = {"endpoint": self.server.url, "username": "reader", "password": "spanway"}
        service = Service(name, "spanway-query", {"api": {"port": port}, "stores": {"clickhouse": store}, "limits": limits}, self.folder)
        service.url, service.port = f"http://127.0.0.1:{port}", port
        return service


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    made = Stack(tmp_path_factory.mktemp("limits"))
    yield made
    made.server.stop()


def test_lists_that_reach_a_budget_have_what_was_found_and_say_how_far_they_came(stack):
    with stack.query("small", rows_read=200_000) as query:
        query.start().wait_ready()
        get = lambda path, **parameters: requests.get(query.url + path, params=parameters, timeout=60)  # noqa: E731
        window = {"start": (END - 86400) * 10**6, "end": END * 10**6}
        # Nothing but the spans themselves knows which are short.
        short = {"service": "shop", "maxDuration": "1us", "limit": 20}
        found = get("/api/traces", **window, **short)
        assert found.status_code == 200 and len(found.json()["data"]) == 5, found.text[:500]
        coverage = re.fullmatch(r"searched back to (\S+) only: .*rows.*", found.headers["spanway-coverage"])
        assert coverage, found.headers
        assert time.strftime("%Y-%m-%dT%H", time.gmtime(END - 86400)) < coverage[1] < time.strftime("%Y-%m-%dT%H:%M", time.gmtime(END))
        assert found.json()["errors"][0]["msg"] == found.headers["spanway-coverage"]
        cost = re.fullmatch(r"rows=(\d+),bytes=(\d+),statements=\d+,index=red_5m,store_ms=[\d.]+,engine_ms=[\d.]+", found.headers["spanway-cost"])
        assert cost and 20_000 <= int(cost[1]) <= 400_000, found.headers

        tempo = get("/tempo/api/search", q='{ name = "GET /" && duration < 1us }', start=END - 86400, end=END, limit=20)
        assert tempo.status_code == 200 and len(tempo.json()["traces"]) == 5, tempo.text[:500]
        metrics = tempo.json()["metrics"]
        assert metrics["completedJobs"] < metrics["totalJobs"] and "searched back to" in tempo.headers["spanway-coverage"]

        loki = get("/loki/api/v1/query_range", query='{service_name="shop"} |~ "need.e"', start=END - 86400, end=END, limit=20)
        assert loki.status_code == 200, loki.text
        assert len(loki.json()["data"]["result"][0]["values"]) == 5
        assert loki.json()["warnings"] == [loki.headers["spanway-coverage"]]
        rest = requests.post(query.url + "/api/v1/logs", json={"start_time": END - 86400, "end_time": END, "severity": "fatal"}, timeout=60)
        assert rest.status_code == 200 and "searched back to" in rest.headers["spanway-coverage"], (rest.text[:500], rest.headers)

        # Without a limit in the way the same lists are complete.
        complete = get("/api/traces", **window, service="shop", limit=20)
        assert len(complete.json()["data"]) == 20 and "spanway-coverage" not in complete.headers

        # Aggregates are complete or an error, in each API's shape.
        prometheus = get("/api/v1/query", query='count({__name__="wide"})', time=END)
        assert prometheus.json()["data"]["result"][0]["value"][1] == str(WIDE_SERIES)
        count = get("/loki/api/v1/query", query='sum(count_over_time({service_name="shop"} |~ "need.e" [2h]))', time=END)
        assert count.status_code == 400 and "rows" in count.text
        rate = get("/tempo/api/metrics/query_range", q="{ duration < 1us } | rate()", start=END - 86400, end=END, step="300s")
        assert rate.status_code == 422, rate.text
        trace = get(f"/api/traces/{BIG_TRACE}")
        assert trace.status_code in (200, 413)
