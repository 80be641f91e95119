"""Spanway-query at its limits: lists over a real ClickHouse that end early say so, and clients that ask for
too much, do not read or send nonsense cost the others nothing. The most memory of each process is asserted by
harness/promises.py."""
import concurrent.futures
import re
import socket
import subprocess
import time

import pytest
import requests
from harness.parts import ClickHouse
from harness.ports import free_port
from harness.processes import BIN, Service, wait_until

WIDE_SERIES, BUCKETS = 2_000, 12
BIG_TRACE, BIG_SPANS = "ab" * 16, 200_000
# Once a span; references have the id of another.
SPAN = b'"operationName"'
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


def slow_client(port, path, headers=()):
    """A client whose sockets hold little and that reads nothing behind the first byte."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    client.sendall("\r\n".join([f"GET {path} HTTP/1.1", "host: a", *headers, "", ""]).encode())
    return client


def test_series_beyond_the_memory_of_a_query_are_refused(stack):
    with stack.query("narrow", query_memory="2MiB") as query:
        query.start().wait_ready()
        wide = requests.get(query.url + "/api/v1/series", params={"match[]": "wide", "start": END - 10, "end": END + 10}, timeout=300)
        assert wide.status_code == 422 and wide.json()["errorType"] == "execution", wide.text[:300]
        assert requests.get(query.url + "/api/v1/query?query=1", timeout=60).status_code == 200


def test_a_large_trace_and_many_clients_at_once(stack):
    with stack.query("busy", query_time="300s") as query:
        query.start().wait_ready()
        idle = query.rss_bytes()
        assert idle <= 64 << 20, f"{idle >> 20} MiB"

        with requests.get(f"{query.url}/api/traces/{BIG_TRACE}", timeout=300, stream=True) as answer:
            assert answer.status_code == 200
            spans, rest = 0, b""
            for chunk in answer.iter_content(1 << 20):
                spans += (rest + chunk).count(SPAN)
                rest = (rest + chunk)[1 - len(SPAN) :]
        assert spans == BIG_SPANS

        def one(number):
            path = ["/api/services", "/spans?limit=100", "/api/traces?service=shop&limit=5", "/api/v1/query?query=count(nothing)"][number % 4]
            return requests.get(query.url + path, timeout=300)

        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(one, range(50)))
        statuses = {answer.status_code for answer in answers}
        assert statuses <= {200, 429, 503}, {answer.status_code: answer.text[:200] for answer in answers}
        assert sum(answer.status_code == 200 for answer in answers) >= 25
        assert all(answer.headers["retry-after"] for answer in answers if answer.status_code != 200)

        wait_until(lambda: query.status()["queries"]["running"] == 0, 60, "no query")
        wait_until(lambda: query.status()["memory"]["used"] < 16 << 20, 60, "memory that is free again")


def test_readers_that_stop_are_cut(stack):
    with stack.query("slow", client_wait="1s", query_time="300s") as query:
        query.start().wait_ready()
        slow = [slow_client(query.port, f"/api/traces/{BIG_TRACE}") for _ in range(8)]
        # All workers wait for them, and are free again when these are cut.
        assert requests.get(query.url + "/api/services", timeout=300).status_code == 200
        wait_until(lambda: query.status()["queries"]["cancelled"] == len(slow), 60, "slow readers that are cut")
        for client in slow:
            client.close()


def test_a_full_queue_is_429_in_each_apis_shape(stack):
    with stack.query("full", running=1, queued=0, client_wait="30s") as query:
        query.start().wait_ready()

        def occupant():
            """A client whose query runs. A probe of the store is one, too, and may be in its way."""
            client = slow_client(query.port, f"/api/traces/{BIG_TRACE}")
            if client.recv(12) == b"HTTP/1.1 200":
                return client
            client.close()
            return None

        with wait_until(occupant, 60, "a query that runs"):
            shapes = {
                "/api/services": lambda answer: answer.json()["errors"][0]["code"] == 429,
                "/api/v3/services": lambda answer: answer.json()["error"]["httpCode"] == 429,
                "/api/v1/query?query=1": lambda answer: answer.json()["errorType"] == "too_many_requests",
                "/loki/api/v1/labels": lambda answer: "too many queries" in answer.text,
                "/tempo/api/search": lambda answer: "too many queries" in answer.text,
                "/spans": lambda answer: answer.json()["status"] == 429,
            }
            for path, is_shaped in shapes.items():
                answer = requests.get(query.url + path, timeout=20)
                assert answer.status_code == 429 and answer.headers["retry-after"], (path, answer.status_code)
                assert is_shaped(answer), (path, answer.text)
        wait_until(lambda: requests.get(query.url + "/api/services", timeout=20).status_code == 200, 60, "an answer")


def test_nonsense_is_refused_and_costs_nothing(stack):
    with stack.query("nonsense") as query:
        query.start().wait_ready()

        def post(path, **form):
            return requests.post(query.url + path, data=form, timeout=60)

        deep = 60_000
        for path, text in (
            ("/api/v1/query", "(" * deep),
            ("/api/v1/query", "-" * deep + "1"),
            ("/api/v1/query", "1" + "+1" * (deep // 2)),
            ("/api/v1/query", "sum(" * 12_000),
            ("/loki/api/v1/query", "(" * deep),
            ("/loki/api/v1/query", "sum(" * 12_000),
            ("/loki/api/v1/query_range", '{a="b"} | ' + "(" * deep),
            ("/loki/api/v1/query_range", '{a="b"} | line_format "' + "{{ if 1 }}" * 5_000 + '"'),
        ):
            answer = post(path, query=text)
            assert answer.status_code == 400, (path, text[:20], answer.status_code, answer.text[:200])
        # As much as a URL can hold, for the API without a form.
        for text in ("{" + "(" * 4000, "{" + "!" * 4000 + "true}", "({}" + " && ({}" * 500, "{} | by(" + "-" * 4000 + "1)"):
            answer = requests.get(query.url + "/tempo/api/search", params={"q": text}, timeout=60)
            assert answer.status_code in (400, 414, 431), (text[:20], answer.status_code, answer.text[:200])

        # RE2 has no pattern that takes long, and refuses what would be large.
        bombs = ["(a*)*b", "(x+x+)+y", "((a{0,100}){0,100}){0,100}", "(.{0,1000}){0,1000}", "a" * 5000, "(" * 1000 + ")" * 1000]
        for bomb in bombs:
            for answer in (
                post("/api/v1/query", query=f'count({{__name__="wide",label_1=~"{bomb}"}})', time=END),
                post("/loki/api/v1/query_range", query=f'{{service_name="shop"}} |~ "{bomb}"', start=END - 600, end=END, limit=1),
            ):
                assert answer.status_code in (200, 400), (bomb[:20], answer.status_code, answer.text[:200])

        limit = 1 << 20
        assert post("/api/v1/query", query="1", x="y" * (limit - len("query=1&x="))).status_code == 200
        for path in ("/api/v1/query", "/loki/api/v1/query", "/api/v1/traces"):
            try:
                assert post(path, query="1", x="y" * limit).status_code in (400, 413, 422)
            except requests.ConnectionError:
                pass  # Refused while the body was still on its way.
        assert query.alive() and requests.get(query.url + "/health", timeout=20).status_code == 200


def tail(port, query):
    handshake = ["connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="]
    return slow_client(port, "/loki/api/v1/tail?limit=5000&start=%d&query=%s" % (END - 86400, requests.utils.quote(query)), handshake)


def test_tails_that_are_never_read_hold_little_and_no_more_than_ten(stack):
    with stack.query("tails") as query:
        query.start().wait_ready()
        before = query.rss_bytes()
        clients = [tail(query.port, '{service_name="shop"}') for _ in range(10)]
        for client in clients:
            assert client.recv(12) == b"HTTP/1.1 101", "a tail that has begun"
        with tail(query.port, '{service_name="shop"}') as refused:
            assert refused.recv(12) == b"HTTP/1.1 429"
        # Each has its history of 5000 lines under way.
        wait_until(lambda: query.status()["queries"]["running"] == 0, 60, "no query of a tail")
        assert query.rss_bytes() - before < 96 << 20, f"{(query.rss_bytes() - before) >> 20} MiB for ten tails"
        assert requests.get(query.url + "/api/services", timeout=20).status_code == 200
        for client in clients:
            client.close()

        def has_room():
            with tail(query.port, '{service_name="shop"}') as client:
                return client.recv(12) == b"HTTP/1.1 101"

        wait_until(has_room, 60, "room for another tail")
