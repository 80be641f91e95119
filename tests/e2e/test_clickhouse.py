"""ClickHouse as a destination: the real binaries over Kafka into a real server."""
import os
import random
import subprocess
import time

import pytest
import requests
from harness.parts import ClickHouse
from harness.pipeline import Pipeline, running
from harness.ports import free_port
from harness.processes import BIN, Service, wait_until
from harness.send import grpc_export, logs_request, metrics_request, trace_request

DAY_NS = 86_400 * 10**9
CONSUMER = {"consumer": {"batch_identity": True, "batch": {"linger": "200ms"}, "retry": {"initial": "100ms", "max": "1s"}}}


@pytest.fixture
def clickhouse(tmp_path):
    server = ClickHouse(tmp_path).start()
    yield server
    server.stop()


def pipeline_to(clickhouse, folder, kafka, signals):
    section = {"type": "clickhouse", "clickhouse": {"endpoint": clickhouse.url, "timeout": "10s"}}
    pipeline = Pipeline(folder, kafka.brokers, {"ch": section}, consumer=CONSUMER, signals=signals)
    migrate = [BIN / "spanway-exporter", "--config", pipeline.exporters["ch"].config_path, "migrate"]
    subprocess.run(migrate, check=True, stdin=subprocess.DEVNULL)
    return pipeline


def value(clickhouse, expression, table):
    return clickhouse.select(f"SELECT {expression} FROM otel.{table}")[0]


def span_ids(request):
    return [span.span_id.hex().upper() for span in request.resource_spans[0].scope_spans[0].spans]


def stored_spans(clickhouse):
    return sorted(row[0] for row in clickhouse.select("SELECT hex(span_id) FROM otel.spans"))


def gauges(number, count):
    request = metrics_request()
    points = request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
    del points[:]
    for i in range(count):
        points.add(time_unix_nano=time.time_ns(), as_double=number * count + i)
    return request


def test_spans_and_samples_are_stored_once_across_kills(tmp_path, kafka, clickhouse):
    """kill -9 of the exporter, the consuming bridge and ClickHouse, in random order."""
    pipeline = pipeline_to(clickhouse, tmp_path, kafka, ("traces", "metrics"))
    choose = random.Random(7)
    spans, rounds, samples = [], int(os.environ.get("SPANWAY_KILLS", "12")), 40
    with running(pipeline):
        for number in range(rounds):
            for _ in range(5):
                request = trace_request(spans=20)
                grpc_export(pipeline.endpoint, request)
                spans += span_ids(request)
            grpc_export(pipeline.endpoint, gauges(number, samples))
            victim = choose.choice([pipeline.exporters["ch"], pipeline.consumers["ch"], clickhouse])
            victim.kill9()
            victim.start()
        spans.sort()
        metric = "samples WHERE metric = 'temperature_celsius'"
        wait_until(lambda: len(set(stored_spans(clickhouse))) >= len(spans), 120, "every span")
        wait_until(lambda: int(value(clickhouse, "uniqExact(value)", metric)[0]) >= rounds * samples, 120, "every sample")
        # The tables of one batch, and the rollups of a table, are filled one after the other.
        def complete():
            rows = [int(value(clickhouse, "count()", kind)[0]) for kind in ("histograms", "exemplars")]
            calls = {value(clickhouse, "sum(calls)", rollup)[0] for rollup in ("red_5m", "red_1h", "red_service_5m")}
            raw, rolled = value(clickhouse, "count()", "samples"), value(clickhouse, "sum(n)", "samples_5m")
            return all(count % rounds == 0 for count in rows) and calls == {str(len(spans))} and raw == rolled
        wait_until(complete, 60, "every table and every rollup equal to its raw rows")
        assert stored_spans(clickhouse) == spans
        assert value(clickhouse, "count()", metric) == [str(rounds * samples)]


def test_the_notes_of_stored_parts_end_after_30_days(tmp_path, kafka, clickhouse):
    pipeline_to(clickhouse, tmp_path, kafka, ("traces",))
    note = "('acme', '{}', 0, 0, 'spans', today(), now() - INTERVAL {} DAY)"
    clickhouse.execute(f"INSERT INTO otel.stored_parts VALUES {note.format('old', 31)}, {note.format('young', 29)}")
    clickhouse.execute("OPTIMIZE TABLE otel.stored_parts FINAL")
    assert value(clickhouse, "groupArray(batch)", "stored_parts") == ["['young']"]


def test_no_day_of_a_refused_batch_is_stored_twice(tmp_path, kafka, clickhouse):
    """One span is refused: the bridge halves its batch of two days until it is alone. All others once."""
    pipeline = pipeline_to(clickhouse, tmp_path, kafka, ("traces",))
    clickhouse.execute("ALTER TABLE otel.spans ADD CONSTRAINT no_poison CHECK name != 'poison'")
    request = trace_request(spans=64)
    spans = request.resource_spans[0].scope_spans[0].spans
    for span in spans[::2]:
        span.start_time_unix_nano -= DAY_NS
        span.end_time_unix_nano -= DAY_NS
    spans[21].name = "poison"
    good = sorted(identity for i, identity in enumerate(span_ids(request)) if i != 21)
    with running(pipeline):
        grpc_export(pipeline.endpoint, request)
        wait_until(lambda: len(set(stored_spans(clickhouse))) >= len(good), 60, "every good span")
        # Others are accepted meanwhile, so that the refused one is known to be alone.
        other = trace_request(spans=5)
        grpc_export(pipeline.endpoint, other)
        wait_until(lambda: set(span_ids(other)) <= set(stored_spans(clickhouse)), 60, "the other batch")
        assert stored_spans(clickhouse) == sorted(good + span_ids(other))
        # The server writes rollups after the rows that an INSERT makes visible.
        wait_until(lambda: value(clickhouse, "sum(calls)", "red_1h") == [str(len(good) + 5)], 20, "the rollup of each span once")


def test_a_server_whose_days_are_not_those_of_utc(tmp_path):
    """One batch on both sides of the server's midnight, and telemetry of the night of UTC read back."""
    midnight, night, hour = 10, 3, 3600 * 10**9  # Of Honolulu and of UTC, in hours of UTC.
    server = ClickHouse(tmp_path).start(TZ="Pacific/Honolulu")
    otlp, api = free_port(), free_port()
    section = {"type": "clickhouse", "clickhouse": {"endpoint": server.url}}
    exporter = Service("exporter", "spanway-exporter", {"otlp": {"grpc": {"port": otlp}}, "destination": section}, tmp_path)
    query = Service("query", "spanway-query", {"api": {"port": api}, "stores": {"clickhouse": {"endpoint": server.url}}}, tmp_path)
    subprocess.run([BIN / "spanway-exporter", "--config", exporter.config_path, "migrate"], check=True, stdin=subprocess.DEVNULL)
    day = (time.time_ns() // DAY_NS - 5) * DAY_NS
    spans, logs, metrics = trace_request(spans=4), logs_request(records=4), metrics_request()
    for i, span in enumerate(spans.resource_spans[0].scope_spans[0].spans):
        span.start_time_unix_nano = day + midnight * hour + (i - 2) * 10**9
        span.end_time_unix_nano = span.start_time_unix_nano + 10**6
    for record in logs.resource_logs[0].scope_logs[0].log_records:
        record.time_unix_nano = day + night * hour
    for point in metrics.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points:
        point.time_unix_nano = day + night * hour

    def read(path, **parameters):
        answer = requests.get(f"http://127.0.0.1:{api}/{path}", params=parameters, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    try:
        exporter.start().wait_ready()
        query.start().wait_ready()
        for request in (spans, logs, metrics):
            grpc_export(f"127.0.0.1:{otlp}", request)
        assert stored_spans(server) == sorted(span_ids(spans))
        assert value(server, "sum(calls)", "red_1h") == ["4"]
        at = day + night * hour
        lines = read("loki/api/v1/query_range", query='{service_name="made-by-hand"}', start=at - hour, end=at + hour)
        assert sum(len(stream["values"]) for stream in lines["result"]) == 4
        points = read("api/v1/query", query="temperature_celsius", time=at // 10**9 + 1)
        assert len(points["result"]) == 3
    finally:
        query.stop()
        exporter.stop()
        server.stop()
