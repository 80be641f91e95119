#!/usr/bin/env python3
"""The cost of the tables of ClickHouse, without an exporter: the server makes the spans itself.

clickhouse_tables.py bytes [--traces 100000]
    Bytes a span of two data sets in our table, and in those of Jaeger and of the OpenTelemetry
    Collector, whose DDL comes out of their Go modules; each table merged into one part.
clickhouse_tables.py merges [--rate 20000] [--minutes 10]
    One INSERT a second. Each minute: CPU seconds of the server a million spans, with what making the
    rows costs taken off, parts, and bytes a span.

R: eight spans a trace over two hours, 20 services, 240 operations, 8.6 attributes in the names of the
semantic conventions. J: ten spans a trace, 11 of 97 attributes with 1000 random values each, the worst
case of Jaeger's own generator."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness.parts import ClickHouse, run_part  # noqa: E402
from harness.processes import BIN  # noqa: E402

JAEGER = ("github.com/jaegertracing/jaeger@v1.76.0", "internal/storage/v2/clickhouse/sql/create_spans_table.sql")
COLLECTOR = (
    "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/clickhouseexporter@v0.161.0",
    "internal/sqltemplates/traces_table.sql",
)
NO_NULLS = "arrayFilter(x -> isNotNull(x.2), [{}])"
PROMOTED = {
    "http.request.method": "http_request_method", "http.route": "http_route", "url.path": "url_path",
    "server.address": "server_address", "db.system": "db_system", "db.statement": "db_statement", "thread.name": "thread_name",
}


def ids(spans):
    """Expressions of the ids of span `number`, of a trace of so many spans."""
    own = "CAST(substring(sipHash128({}, 's'), 1, 8) AS FixedString(8))"
    parent = f"intDiv(number, {spans}) * {spans} + intDiv(number % {spans} - 1, 2)"
    return {
        "trace_id": f"sipHash128(intDiv(number, {spans}), 't')",
        "span_id": own.format("number"),
        "parent_span_id": f"if(number % {spans} = 0, CAST('' AS FixedString(8)), {own.format(f'toUInt64({parent})')})",
    }


def rows_of_r(count, first="0", begin="toDateTime64('2026-11-01 10:00:00', 9)", seconds=7200):
    hashed = "sipHash64(number, {})"
    is_client = "number % 2 = 1"
    # Both belong to the trace.
    user = "concat('u', toString(sipHash64(intDiv(number, 8), 7) % 50000))"
    request = "lower(hex(sipHash128(intDiv(number, 8), 'r')))"
    columns = {
        "ts": f"{begin} + toIntervalNanosecond(toInt64(intDiv(number - {first}, 8) * {seconds * 8}e9 / {count}) + number % 8 * 1000000)",
        "duration_ns": f"100000 + {hashed.format(1)} % 100000000",
        **ids(8),
        "service_name": "concat('service-', toString(sipHash64(intDiv(number, 2)) % 20))",
        "http_route": f"concat('/api/v1/resource-', toString({hashed.format(2)} % 12), '/{{id}}')",
        "name": "concat('GET ', assumeNotNull(http_route), ' ', service_name)",
        "kind": f"if({is_client}, 'client', 'server')",
        "status": f"if({hashed.format(3)} % 50 = 0, 'error', 'unset')",
        "res_id": "sipHash64(service_name)",
        "scope_name": "'io.opentelemetry.http'",
        "http_request_method": "'GET'",
        "http_response_status_code": f"if({hashed.format(3)} % 50 = 0, 500, 200)",
        "url_path": f"replaceOne(assumeNotNull(http_route), '{{id}}', toString({hashed.format(4)} % 1000000))",
        "server_address": "concat(service_name, '.example.com')",
        "db_system": f"if({is_client}, 'postgresql', NULL)",
        "db_statement": f"if({is_client}, concat('SELECT * FROM t', toString({hashed.format(2)} % 12), ' WHERE id = $1'), NULL)",
        "thread_name": f"concat('worker-', toString({hashed.format(5)} % 16))",
        "attr_str": f"""if({hashed.format(6)} % 10 < 6, map('user.id', {user}, 'request.id', {request}), map('user.id', {user}))""",
    }
    return select(columns, count, first)


def rows_of_j(count):
    columns = {
        "ts": f"toDateTime64('2026-11-01 10:00:00', 9) + toIntervalNanosecond(toInt64(intDiv(number, 10) * 72000e9 / {count}))",
        "duration_ns": "100000 + sipHash64(number, 1) % 100000000",
        **ids(10),
        "service_name": "concat('service-', toString(sipHash64(number, 2) % 20))",
        "name": "concat('operation-', toString(sipHash64(number, 3) % 50))",
        "kind": "'server'",
        "res_id": "sipHash64(service_name)",
        "attr_str": """mapFromArrays(arrayMap(i -> concat('key_', toString((sipHash64(number, 4) + i * 13) % 97)), range(11)),
            arrayMap(i -> concat('value_', toString(sipHash64(number, 5, i) % 1000)), range(11)))""",
    }
    return select(columns, count, "0")


def select(columns, count, first):
    expressions = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    inner = f"SELECT {expressions} FROM numbers({first}, {count})"
    return f"({', '.join(columns)}) SELECT {', '.join(columns)} FROM ({inner})"


def ddl(module, path):
    """The text of a file of a Go module."""
    go = run_part("go")
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run([go, "mod", "download", "-json", module], cwd=folder, env={**os.environ, "GOFLAGS": "-mod=mod"},
                                stdout=subprocess.PIPE, check=True, text=True)
    return (pathlib.Path(json.loads(answer.stdout)["Dir"]) / path).read_text()


def attributes(as_text):
    pairs = [f"tuple('{key}', CAST({column} AS Nullable(String)))" for key, column in PROMOTED.items()]
    if as_text:
        pairs.append("tuple('http.response.status_code', CAST(http_response_status_code AS Nullable(String)))")
    own = "arrayMap((k, v) -> tuple(toString(k), CAST(v AS Nullable(String))), mapKeys(attr_str), mapValues(attr_str))"
    return f"arrayConcat({NO_NULLS.format(', '.join(pairs))}, {own})"


def copies():
    """Name -> (statement that creates a table like our spans, statement that fills it)."""
    hexed = "lower(hex({}))"
    keys, values = "arrayMap(x -> x.1, {})", "arrayMap(x -> assumeNotNull(x.2), {})"
    jaeger = {
        "id": hexed.format("span_id"), "trace_id": hexed.format("trace_id"), "parent_span_id": hexed.format("parent_span_id"),
        "name": "name", "kind": "toString(kind)", "start_time": "ts", "status_code": "toString(status)", "duration": "duration_ns",
        "str_attributes.key": keys.format(attributes(False)), "str_attributes.value": values.format(attributes(False)),
        "int_attributes.key": "if(isNull(http_response_status_code), [], ['http.response.status_code'])",
        "int_attributes.value": "if(isNull(http_response_status_code), [], [assumeNotNull(http_response_status_code)])",
        "service_name": "service_name", "scope_name": "scope_name",
    }
    collector = {
        "Timestamp": "ts", "TraceId": hexed.format("trace_id"), "SpanId": hexed.format("span_id"),
        "ParentSpanId": hexed.format("parent_span_id"), "SpanName": "name", "SpanKind": "toString(kind)", "ServiceName": "service_name",
        "ResourceAttributes": "map('service.name', service_name)", "ScopeName": "scope_name",
        "SpanAttributes": f"mapFromArrays({keys.format(attributes(True))}, {values.format(attributes(True))})",
        "Duration": "duration_ns", "StatusCode": "toString(status)",
    }
    fill = "INSERT INTO peers.{} (" + "{}) SELECT {} FROM otel.spans"
    otelcol = ddl(*COLLECTOR).replace("%q.%q %s", "peers.otelcol", 1).replace("= %s", "= MergeTree", 1).replace("%s", "", 1)
    return {
        "jaeger": (ddl(*JAEGER).replace(" spans (", " peers.jaeger (", 1), fill.format("jaeger", ", ".join(jaeger), ", ".join(jaeger.values()))),
        "otelcol": (otelcol, fill.format("otelcol", ", ".join(collector), ", ".join(collector.values()))),
    }


def execute(server, statement):
    server.execute(statement, timeout=1800)


def bytes_of(server, database, table):
    execute(server, f"OPTIMIZE TABLE {database}.{table} FINAL")
    columns = "round(sum(bytes_on_disk) / sum(rows), 1), round(sum(secondary_indices_compressed_bytes) / sum(rows), 1), sum(rows)"
    return server.select(f"SELECT {columns} FROM system.parts WHERE database = '{database}' AND table = '{table}' AND active")[0]


def measure_bytes(server, traces):
    for name, rows in (("R", rows_of_r(traces * 8)), ("J", rows_of_j(traces * 8))):
        execute(server, "TRUNCATE TABLE otel.spans")
        execute(server, f"INSERT INTO otel.spans {rows}")
        print(name, "spanway: B/span, of it indexes, spans:", *bytes_of(server, "otel", "spans"), flush=True)
        execute(server, "DROP DATABASE IF EXISTS peers")
        execute(server, "CREATE DATABASE peers")
        for peer, (create, fill) in copies().items():
            execute(server, create)
            execute(server, fill)
            print(name, f"{peer}: B/span, of it indexes, spans:", *bytes_of(server, "peers", peer), flush=True)


def cpu_seconds(server):
    fields = pathlib.Path(f"/proc/{server.pid_file.read_text().strip()}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_merges(server, rate, minutes):
    execute(server, "CREATE TABLE otel.nothing AS otel.spans ENGINE = Null")
    before = cpu_seconds(server)
    for number in range(20):
        execute(server, f"INSERT INTO otel.nothing {rows_of_r(rate, str(number * rate), 'now64(9)', 1)}")
    making = (cpu_seconds(server) - before) / 20
    begin, done, before = time.monotonic(), 0, cpu_seconds(server)
    for minute in range(minutes):
        while time.monotonic() < begin + (minute + 1) * 60:
            time.sleep(max(0.0, begin + done - time.monotonic()))
            execute(server, f"INSERT INTO otel.spans {rows_of_r(rate, str(done * rate), 'now64(9)', 1)}")
            done += 1
        spent = cpu_seconds(server) - before - making * done
        size, parts = server.select("SELECT round(sum(bytes_on_disk) / sum(rows), 1), count() FROM system.parts WHERE active AND table = 'spans'")[0]
        print(f"minute {minute + 1}: {done} inserts, server CPU-s/M {spent / done / rate * 10**6:.1f}, parts {parts}, B/span {size}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("bytes", "merges"))
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--minutes", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = ClickHouse(folder).start()
        try:
            config = pathlib.Path(folder) / "exporter.yaml"
            config.write_text(json.dumps({"destination": {"type": "clickhouse", "clickhouse": {"endpoint": server.url}}}))
            subprocess.run([BIN / "spanway-exporter", "--config", config, "migrate"], check=True, stdout=subprocess.DEVNULL)
            execute(server, "ALTER TABLE otel.spans REMOVE TTL")  # The sets have fixed dates.
            if options.what == "bytes":
                measure_bytes(server, options.traces)
            else:
                measure_merges(server, options.rate, options.minutes)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
