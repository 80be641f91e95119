"""A real Loki behind the exporter: each record once by both protocols, and every answer of Loki's
with its meaning."""
import itertools
import os
import signal
import time

import grpc
import pytest
from harness.pipeline import Pipeline, running
from harness.ports import free_port
from harness.processes import Service, wait_until
from harness.send import grpc_export, text
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

HOUR_NS = 3600 * 10**9
_numbers = itertools.count(1)
both_protocols = pytest.mark.parametrize("protocol", ["otlp", "push"])


def logs_of(services):
    """service -> [(time, line)] as one request with a resource for each service."""
    request = ExportLogsServiceRequest()
    for service, records in services.items():
        outer = request.resource_logs.add()
        outer.resource.attributes.append(text("service.name", service))
        scope = outer.scope_logs.add()
        for when, line in records:
            scope.log_records.add(time_unix_nano=when).body.string_value = line
    return request


class Exporter:
    """An exporter for a Loki, with a tenant of its own."""

    def __init__(self, loki, protocol, folder, tenant=None, **changes):
        self.loki = loki
        self.tenant = f"t{next(_numbers)}" if tenant is None else tenant
        self.endpoint = f"127.0.0.1:{free_port()}"
        section = {"endpoint": loki.url, "protocol": protocol, **changes}
        if self.tenant:
            section["headers"] = {"x-scope-orgid": self.tenant}
        self.service = Service(
            f"exporter-{protocol}-{next(_numbers)}",
            "spanway-exporter",
            {"otlp": {"host": "127.0.0.1", "grpc": {"port": int(self.endpoint.split(":")[1])}}, "destination": {"type": "loki", "loki": section}},
            folder,
        )

    def __enter__(self):
        self.service.start().wait_listening()
        return self

    def __exit__(self, *_):
        if self.service.alive():
            self.service.kill9()

    def send(self, services):
        """How many records were rejected."""
        return grpc_export(self.endpoint, logs_of(services)).partial_success.rejected_log_records

    def refusal_of(self, services):
        with pytest.raises(grpc.RpcError) as refused:
            self.send(services)
        return refused.value.code()

    def lines(self, service):
        return sorted(line for _, _, line, _ in self.loki.entries(f'{{service_name="{service}"}}', self.tenant))


def everything(now):
    """All kinds of values, in all places where OTLP has attributes."""
    request = ExportLogsServiceRequest()
    for instance in ("a", "b"):
        outer = request.resource_logs.add()
        for key, value in (("service.name", "shop"), ("service.namespace", "eu"), ("host.name", f"node-{instance}"), ("2xx..codes", "x")):
            outer.resource.attributes.append(text(key, value))
        scope = outer.scope_logs.add()
        scope.scope.name, scope.scope.version = "library", "1.2"
        scope.scope.attributes.append(text("scope.key", "s"))
        for i in range(6):
            record = scope.log_records.add(time_unix_nano=now + i, observed_time_unix_nano=now + 7, severity_number=9, severity_text="INFO")
            record.body.string_value = f"line {instance}{i} <&> \u2028 é"
            record.attributes.append(text("http.method", "GET"))
            record.attributes.add(key="count").value.int_value = -i
            record.attributes.add(key="ratio").value.double_value = 10.0 ** (4 * i - 8)
            record.attributes.add(key="flag").value.bool_value = True
            record.attributes.add(key="blob").value.bytes_value = b"\x00\xff"
            record.attributes.add(key="none")
            nested = record.attributes.add(key="nested.list").value.kvlist_value
            nested.values.add(key="inner.key").value.string_value = "v"
            nested.values.add(key="deeper").value.kvlist_value.values.add(key="x").value.int_value = 1
            array = record.attributes.add(key="array").value.array_value
            array.values.add().string_value = "<\"\n>"
            array.values.add().double_value = 1.5
            record.trace_id, record.span_id, record.flags = os.urandom(16), os.urandom(8), 1
        body = scope.log_records.add(observed_time_unix_nano=now + 20).body.kvlist_value
        body.values.add(key="z").value.int_value = 1
        body.values.add(key="a").value.string_value = "é<"
    return request


def test_both_protocols_store_the_same(loki, tmp_path):
    request, stored = everything(time.time_ns()), {}
    for protocol in ("otlp", "push"):
        with Exporter(loki, protocol, tmp_path) as exporter:
            for _ in range(2):  # A repetition shows nothing twice.
                assert grpc_export(exporter.endpoint, request).partial_success.rejected_log_records == 0
            found = loki.entries('{service_name="shop"}', exporter.tenant)
            stored[protocol] = sorted((sorted(s.items()), t, line, sorted(m.items())) for s, t, line, m in found)
    assert len(stored["otlp"]) == 14
    assert stored["otlp"] == stored["push"]


@both_protocols
def test_what_loki_ignores_in_one_stream_is_counted_whatever_became_of_the_others(loki, tmp_path, protocol):
    """Loki answers for the last stream of a request: 204 to one that stored nothing of the first."""
    now = time.time_ns()
    with Exporter(loki, protocol, tmp_path) as exporter:
        assert exporter.send({"first": [(now, "new")], "last": [(now, "new")]}) == 0
        rejected = exporter.send({"first": [(now - 5 * HOUR_NS, "old"), (now + 1, "ok")], "last": [(now + 1, "ok")]})
        assert rejected == 1
        assert exporter.lines("first") == exporter.lines("last") == ["new", "ok"]


@both_protocols
def test_an_entry_that_loki_does_not_count_is_a_data_error_and_the_rest_is_stored(loki, tmp_path, protocol):
    now = time.time_ns()
    with Exporter(loki, protocol, tmp_path) as exporter:
        services = {"shop": [(now, "good"), (now + 10 * HOUR_NS, "too new")]}
        assert exporter.refusal_of(services) == grpc.StatusCode.INVALID_ARGUMENT
        assert exporter.send({"shop": services["shop"][:1]}) == 0  # The half that is good.
        assert exporter.lines("shop") == ["good"]


@both_protocols
def test_a_stream_over_its_rate_is_sent_again_and_shown_once(loki, tmp_path, protocol):
    now = time.time_ns()
    records = [(now + i, f"{i:03}" + "x" * 100_000) for i in range(12)]
    with Exporter(loki, protocol, tmp_path) as exporter:
        assert exporter.refusal_of({"loud": records, "calm": [(now, "x")]}) == grpc.StatusCode.RESOURCE_EXHAUSTED

        halves = [{"loud": records[:6]}, {"loud": records[6:], "calm": [(now, "x")]}]

        def taken():
            try:
                while halves:
                    assert exporter.send(halves[0]) == 0
                    halves.pop(0)
                return True
            except grpc.RpcError as refused:
                assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
                return False

        # Refused tries use up the rate too: half a megabyte must come back between them.
        wait_until(taken, 90, "Loki takes all records", interval=4)
        assert [line[:3] for line in exporter.lines("loud")] == [line[:3] for _, line in records]
        assert exporter.lines("calm") == ["x"]


@both_protocols
def test_a_batch_without_records_finds_out_whether_loki_is_up(loki, tmp_path, protocol):
    with Exporter(loki, protocol, tmp_path) as exporter:
        assert exporter.send({}) == 0
        assert exporter.service.status()["destination"]["reachable"] is True


@both_protocols
def test_a_wrong_configuration_is_no_data_error(loki, tmp_path, protocol):
    record = {"shop": [(time.time_ns(), "x")]}
    with Exporter(loki, protocol, tmp_path, tenant="") as anonymous:
        assert anonymous.refusal_of(record) == grpc.StatusCode.UNAUTHENTICATED
    with Exporter(loki, protocol, tmp_path, endpoint=loki.url + "/wrong") as wrong:
        assert wrong.refusal_of(record) == grpc.StatusCode.NOT_FOUND


@both_protocols
def test_each_record_once_after_kills_and_a_backend_that_hangs(kafka, loki, tmp_path, protocol):
    tenant = f"t{next(_numbers)}"
    destination = {"type": "loki", "loki": {"endpoint": loki.url, "protocol": protocol, "headers": {"x-scope-orgid": tenant}, "timeout": "2s"}}
    pipeline = Pipeline(tmp_path, kafka.brokers, {"loki": destination}, signals=("logs",))
    sent = set()

    def send(count):
        for _ in range(count):
            now, number = time.time_ns(), len(sent)
            lines = [f"record {number + i}" for i in range(20)]
            half = [(now + i, line) for i, line in enumerate(lines)]
            grpc_export(pipeline.endpoint, logs_of({"left": half[:10], "right": half[10:]}))
            sent.update(lines)

    with running(pipeline):
        for _ in range(3):
            send(10)
            pipeline.exporters["loki"].kill9()
            send(5)
            pipeline.exporters["loki"].restart()
            pipeline.consumers["loki"].kill9()
            pipeline.consumers["loki"].restart()
        loki.signal(signal.SIGSTOP)
        try:
            send(40)
            # The group assigns nothing until the sessions of the consumers that were killed have ended.
            hanging = {"class": "none"}
            wait_until(lambda: pipeline.exporters["loki"].metric("spanway_sink_http_answers_total", **hanging), 90, "requests hang")
            rss = pipeline.exporters["loki"].peak_bytes()
        finally:
            loki.signal(signal.SIGCONT)
        assert rss < 256 << 20

        def stored():
            return [line for service in ("left", "right") for _, _, line, _ in loki.entries(f'{{service_name="{service}"}}', tenant)]

        wait_until(lambda: set(stored()) == sent, 90, "all records in Loki", interval=0.5)
        assert sorted(stored()) == sorted(sent)
