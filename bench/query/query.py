#!/usr/bin/env python3
"""Questions to spanway-query over a real ClickHouse: query.py [--spans 10000000] [--repeats 30] [--keep FOLDER]

The server makes the spans itself (set R of ../load/clickhouse_tables.py, over the last 24 hours) and 3,700
series of 1 hour at 15 s. Prints for each question the median and the 95th percentile of the whole HTTP answer, the
rows, bytes and index of Spanway-Cost (medians), and at the end the most memory that spanway-query held; then how long a
statement runs on at the server once its client is gone. --keep: a folder whose data is used again, when it has
been filled.

The spans have no resources' rows: nothing here asks for these."""
import argparse
import os
import pathlib
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "bench/load")]

import requests  # noqa: E402
from clickhouse_tables import rows_of_r  # noqa: E402
from harness.parts import ClickHouse  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.processes import BIN, Service, wait_until  # noqa: E402

SERIES, POINTS, STEP = 3_700, 260, 15
BLOCK = 500_000
DAY = 86_400
KEYS = {"user.id": "str", "request.id": "str", "http.route": "str", "http.request.method": "str", "http.response.status_code": "int"}


def fill(server, spans, end):
    """Rows by time, a block after the other, as an exporter sends them."""
    begin = time.monotonic()
    blocks = max(1, spans // BLOCK)
    seconds = DAY / blocks
    for number in range(blocks):
        first = f"toDateTime64({end - DAY + number * seconds}, 9)"
        server.execute(f"INSERT INTO otel.spans {rows_of_r(BLOCK, str(number * BLOCK), first, seconds)}", timeout=600)
    day = f"toDate(toDateTime({end} - {DAY} * number))"
    for key, kind in KEYS.items():
        server.execute(f"INSERT INTO otel.attribute_keys SELECT '', {day}, 'traces', 'item', '{key}', '{kind}', 'service-1' FROM numbers(2)")
    labels = "map('service_name', concat('service-', toString(number % 20)), 'instance', toString(number), 'job', 'shop')"
    server.execute(
        f"INSERT INTO otel.series (day, metric, series_id, labels, type) SELECT toDate(toDateTime({end})), 'http_requests_total', number + 1, {labels}, "
        f"'counter' FROM numbers({SERIES})"
    )
    server.execute(
        f"INSERT INTO otel.samples (metric, series_id, ts, value) SELECT 'http_requests_total', number % {SERIES} + 1, "
        f"toDateTime64({end}, 3) - toIntervalSecond(({POINTS - 1} - intDiv(number, {SERIES})) * {STEP}), "
        f"intDiv(number, {SERIES}) * 7 + number % 13 FROM numbers({SERIES * POINTS})"
    )
    parts = server.select("SELECT count(), formatReadableSize(sum(bytes_on_disk)) FROM system.parts WHERE active AND table = 'spans'")[0]
    print(f"{blocks * BLOCK} spans in {time.monotonic() - begin:.0f} s; parts, size: {' '.join(parts)}", flush=True)


def cost_of(answer):
    text = answer.headers.get("spanway-cost", "")
    found = re.match(r"rows=(\d+),bytes=(\d+),statements=(\d+)", text)
    index = re.search(r"index=(\w+)", text)
    store = re.search(r"store_ms=([\d.]+)", text)
    numbers = [int(part) for part in found.groups()] if found else [0, 0, 0]
    return numbers, index[1] if index else "-", float(store[1]) if store else 0.0


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def measure(name, goal_ms, url, questions, is_right):
    """`questions`: path and parameters. The first is not counted: it opens connections and files."""
    session = requests.Session()
    times, stores, costs, index, size = [], [], [], "-", 0
    for number, (path, parameters) in enumerate(questions):
        begin = time.perf_counter()
        answer = session.get(url + path, params=parameters, timeout=120)
        taken = (time.perf_counter() - begin) * 1000
        assert answer.status_code == 200, (name, answer.status_code, answer.text[:300])
        assert is_right(answer.json()), (name, path, parameters, answer.text[:300])
        assert "spanway-coverage" not in answer.headers, answer.headers
        if number == 0:
            continue
        numbers, index, store = cost_of(answer)
        times.append(taken)
        stores.append(store)
        costs.append(numbers)
        size = max(size, len(answer.content))
    rows, read, statements = (int(statistics.median(column)) for column in zip(*costs))
    met = "met" if percentile(times, 0.95) <= goal_ms else "missed"
    print(
        f"| {name} | {statistics.median(times):.0f} | {percentile(times, 0.95):.0f} | {goal_ms} {met} | {statistics.median(stores):.0f} | {rows} | "
        f"{read / 1e6:.1f} | {statements} | {index} | {size / 1e3:.0f} |",
        flush=True,
    )


def ask(server, url, end, repeats):
    choose = random.Random(1)
    count = repeats + 1
    ids = [row[0] for row in server.select(f"SELECT DISTINCT lower(hex(trace_id)) FROM otel.spans WHERE sipHash64(trace_id) % 1000 = 0 LIMIT {count}")]
    request_ids = [row[0] for row in server.select(
        f"SELECT DISTINCT attr_str['request.id'] AS id FROM otel.spans WHERE sipHash64(trace_id) % 1000 = 1 AND id != '' LIMIT {count}"
    )]
    micros = {"start": (end - DAY) * 10**6, "end": end * 10**6, "limit": 20}
    operations = [(f"service-{service}", f"GET /api/v1/resource-{route}/{{id}} service-{service}") for service in range(20) for route in range(12)]
    operations = [choose.choice(operations) for _ in range(count)]
    tags = lambda key, values: [("/api/traces", {**micros, "tags": f'{{"{key}":"{value}"}}'}) for value in values]  # noqa: E731
    some = lambda answer: len(answer["data"]) > 0  # noqa: E731
    print("| question | p50 ms | p95 ms | goal | store ms | rows read | MB read | statements | index | answer kB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    measure("trace by id, no time", 50, url, [(f"/api/traces/{one}", {}) for one in ids], some)
    measure("request id, no service: 1 trace", 50, url, tags("request.id", request_ids), some)
    users = [f"u{choose.randrange(50_000)}" for _ in range(count)]
    measure("user id, no service: 20 traces", 50, url, tags("user.id", users), some)
    measure("absent value, no service", 50, url, tags("user.id", [f"absent-{one}" for one in range(count)]), lambda answer: not answer["data"])
    window = {"query.start_time_min": iso(end - DAY), "query.start_time_max": iso(end), "query.num_traces": 20}

    def slow(minimum):
        return [
            ("/api/v3/trace-summaries", {**window, "query.service_name": service, "query.operation_name": name, "query.duration_min": minimum})
            for service, name in operations
        ]

    measure("service, operation, duration, 24 h: 20 summaries", 30, url, slow("90ms"), lambda answer: len(answer["summaries"]) > 0)
    measure("the same: 20 traces", 30, url, [
        ("/api/traces", {**micros, "service": service, "operation": name, "minDuration": "90ms"}) for service, name in operations
    ], some)
    measure("the same, nothing found", 30, url, slow("10s"), lambda answer: not answer["summaries"])
    stats = ("/api/v1/services/stats", {"start_time": iso(end - DAY), "end_time": iso(end)})
    measure("RED of 20 services, 24 h", 50, url, [stats] * count, lambda answer: len(answer["services"]) == 20)
    return "sum by (service_name) (rate(http_requests_total[1m]))"


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def cancel_times(server, service, repeats):
    """Milliseconds from the end of a connection to that of its statement."""
    server.execute("CREATE DATABASE IF NOT EXISTS slow")
    server.execute(
        "CREATE OR REPLACE VIEW slow.red_service_5m AS SELECT '' AS tenant, toDateTime(now()) AS t, 'shop' AS service_name, number AS calls "
        "FROM numbers(190000000) WHERE sipHash64(repeat(toString(number), 200)) = 0"
    )
    running = "SELECT count() FROM system.processes WHERE query LIKE '%red_service_5m%' AND query NOT LIKE '%system.processes%'"
    times = []
    with service as query:
        query.start().wait_ready()
        for _ in range(repeats):
            with socket.create_connection(("127.0.0.1", query.port)) as client:
                client.sendall(b"GET /spans HTTP/1.1\r\nhost: a\r\n\r\n")
                wait_until(lambda: server.select(running) == [["1"]], 30, "a statement that runs")
            begin = time.perf_counter()
            wait_until(lambda: server.select(running) == [["0"]], 30, "no statement", interval=0.005)
            times.append((time.perf_counter() - begin) * 1000)
    print(f"cancel reaches the store: median {statistics.median(times):.0f} ms, most {max(times):.0f} ms of {repeats}; goal 500 ms")


def service_of(server, folder, name, database="otel"):
    port = free_port()
    store = {"endpoint": server.url, "username": "reader", "password": "spanway", "database": database}
    service = Service(name, "spanway-query", {"api": {"port": port}, "stores": {"clickhouse": store}}, folder)
    service.port, service.url = port, f"http://127.0.0.1:{port}"
    return service


def run(server, folder, options):
    end = int(time.time()) // 300 * 300
    config = folder / "exporter.yaml"
    config.write_text(f"destination: {{type: clickhouse, clickhouse: {{endpoint: '{server.url}'}}}}")
    subprocess.run([BIN / "spanway-exporter", "--config", config, "migrate"], check=True, stdout=subprocess.DEVNULL)
    filled = server.select("SELECT count(), toUnixTimestamp(max(toStartOfFiveMinutes(ts))) + 300 FROM otel.spans")[0]
    if int(filled[0]) == 0:
        fill(server, options.spans, end)
    else:
        end = int(filled[1])
    print(f"load {os.getloadavg()[0]:.1f}", flush=True)
    with service_of(server, folder, "query") as query:
        query.start().wait_ready()
        print(f"spanway-query idle: {query.rss_bytes() >> 20} MiB")
        promql = ask(server, query.url, end, options.repeats)
        print(f"spanway-query at most: {query.peak_bytes() >> 20} MiB")
    with service_of(server, folder, "promql") as query:
        query.start().wait_ready()
        idle = query.rss_bytes()
        steps = ("/api/v1/query_range", {"query": promql, "start": end - 3600, "end": end, "step": STEP})
        measure("sum by (rate), 3,700 series, 1 h at 15 s", 300, query.url, [steps] * (options.repeats + 1),
                lambda answer: len(answer["data"]["result"]) == 20 and len(answer["data"]["result"][0]["values"]) > 230)
        print(f"its memory: {(query.peak_bytes() - idle) >> 20} MiB above idle ({idle >> 20} MiB); goal 32 MiB")
    cancel_times(server, service_of(server, folder, "slow", "slow"), 5)
    print(f"load {os.getloadavg()[0]:.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--keep", help="a folder that outlives the run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(options.keep or folder)
        folder.mkdir(exist_ok=True)
        server = ClickHouse(folder).start()
        try:
            run(server, folder, options)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
