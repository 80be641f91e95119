"""Others read our topics and we read theirs; what goes in comes out unaltered."""
import os
import subprocess
import time

import requests
from confluent_kafka.admin import AdminClient, NewTopic
from harness.otlp_receiver import items_of
from harness.parts import ROOT, require_built, run_part
from harness.pipeline import Pipeline, running
from harness.ports import free_port
from harness.processes import Process, wait_until
from harness.records import records_of
from harness.send import grpc_export, logs_request, metrics_request, trace_request
from opentelemetry.proto.trace.v1.trace_pb2 import Span


def java_partitions(keys, count):
    """The partition that the Java producer's default partitioner chooses."""
    jars = run_part("kafka", "get") or os.path.expanduser(os.environ.get("SPANWAY_CACHE", "~/.cache/spanway"))
    program = ROOT / "tests/e2e/clients/JavaPartition.java"
    done = subprocess.run(
        ["java", "-cp", f"{jars}/kafka-4.3.1/libs/*", program, str(count), *keys], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def test_plain_consumer_reads_keys_partitions_headers_and_payloads(kafka, tmp_path):
    pipeline = Pipeline(tmp_path, kafka.brokers, {}, bridge={"producer": {"record_key": "trace_id"}},
                        ingress={"tenant": {"from": "header", "header": "x-scope-orgid"}})
    with running(pipeline):
        sent = {}
        for _ in range(24):
            trace_id = os.urandom(16)
            sent[trace_id.hex()] = trace_request(spans=4, trace_id=trace_id)
            grpc_export(pipeline.endpoint, sent[trace_id.hex()], metadata=(("x-scope-orgid", "acme"),))
        records = records_of(kafka.brokers, pipeline.topics["traces"])
        assert len(records) == 24
        admin = AdminClient({"bootstrap.servers": kafka.brokers})
        partitions = len(admin.list_topics(pipeline.topics["traces"]).topics[pipeline.topics["traces"]].partitions)
        keys = [record.key().decode() for record in records]
        assert [record.partition() for record in records] == java_partitions(keys, partitions)
        for record in records:
            headers = dict(record.headers())
            assert headers == {"content-type": b"application/x-protobuf", "spanway-tenant": b"acme"}
            request = sent[record.key().decode()]
            assert items_of(type(request).FromString(record.value())) == items_of(request)


def test_all_spans_of_a_trace_lie_in_one_partition_without_keys(kafka, tmp_path):
    with running(Pipeline(tmp_path, kafka.brokers, {})) as pipeline:
        traces = [os.urandom(16) for _ in range(40)]
        request = trace_request(spans=0)
        for _ in range(3):
            for trace_id in traces:
                request.MergeFrom(trace_request(spans=2, trace_id=trace_id))
            grpc_export(pipeline.endpoint, request)
        expected = 3 * (80 + 160 + 240) // 3
        where, spans = {}, 0
        for record in records_of(kafka.brokers, pipeline.topics["traces"]):
            assert record.key() is None
            for outer in type(request).FromString(record.value()).resource_spans:
                for span in (s for inner in outer.scope_spans for s in inner.spans):
                    where.setdefault(span.trace_id, set()).add(record.partition())
                    spans += 1
        assert spans == expected
        assert set(where) == set(traces) and all(len(partitions) == 1 for partitions in where.values())


def test_metrics_and_logs_arrive_unaltered(kafka, receiver, tmp_path):
    destination = {"otlp": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}}}
    with running(Pipeline(tmp_path, kafka.brokers, destination, signals=("traces", "metrics", "logs"))) as pipeline:
        sent = []
        for _ in range(10):
            for request in (metrics_request(), logs_request(), trace_request()):
                grpc_export(pipeline.endpoint, request)
                sent += items_of(request)
        for path, request in (("/v1/metrics", metrics_request()), ("/v1/logs", logs_request())):
            answer = requests.post(
                pipeline.http_endpoint + path, request.SerializeToString(), headers={"content-type": "application/x-protobuf"}, timeout=20
            )
            assert answer.status_code == 200 and answer.content == b""
            sent += items_of(request)
        wait_until(lambda: len(receiver.items()) >= len(sent), 40, f"{len(sent)} items")
        assert sorted(receiver.items()) == sorted(sent)


def spans_of(items):
    """The spans, sorted, without the empty status that the Collector writes into each."""
    found = []
    for _, _, item in items:
        span = Span.FromString(item)
        if span.status.ByteSize() == 0:
            span.ClearField("status")
        found.append(span.SerializeToString(deterministic=True))
    return sorted(found)


def collector_config(folder, body):
    path = folder / "collector.yaml"
    path.write_text(body)
    return path


def start_collector(folder, receivers, exporters, ready):
    require_built("jaeger")
    config = collector_config(
        folder,
        f"""
service:
  pipelines: {{traces: {{receivers: [{receivers.split(':')[0].strip()}], exporters: [{exporters.split(':')[0].strip()}]}}}}
  telemetry: {{metrics: {{level: none}}, logs: {{level: info}}}}
receivers:
  {receivers}
exporters:
  {exporters}
""",
    )
    process = Process("collector", [run_part("jaeger", "binary"), "--config", config], folder).start()
    wait_until(lambda: ready in process.log(), 20, "the collector's start")
    return process


def test_the_collectors_kafka_receiver_reads_our_topics(kafka, receiver, tmp_path):
    with running(Pipeline(tmp_path, kafka.brokers, {})) as pipeline:
        sent = [trace_request(spans=7) for _ in range(10)]
        for request in sent:
            grpc_export(pipeline.endpoint, request)
        collector = start_collector(
            tmp_path,
            f"kafka: {{brokers: [{kafka.brokers}], traces: {{topic: {pipeline.topics['traces']}, encoding: otlp_proto}}, initial_offset: earliest, group_id: collector-{time.time_ns()}}}",
            f"otlp: {{endpoint: {receiver.endpoint}, tls: {{insecure: true}}}}",
            "Everything is ready",
        )
        try:
            wait_until(lambda: len(receiver.items()) >= 70, 40, "70 spans through the Collector")
            assert spans_of(receiver.items()) == spans_of(item for request in sent for item in items_of(request))
        finally:
            collector.stop()


def test_we_read_topics_that_the_collector_wrote(kafka, receiver, tmp_path):
    destination = {"otlp": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}}}
    pipeline = Pipeline(tmp_path, kafka.brokers, destination)
    topic = pipeline.topics["traces"]
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    admin.create_topics([NewTopic(topic, 3, 1)])[topic].result(20)
    port = free_port()
    collector = start_collector(
        tmp_path,
        f"otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:{port}}}}}}}",
        f"kafka: {{brokers: [{kafka.brokers}], traces: {{topic: {topic}, encoding: otlp_proto}}, partition_traces_by_id: true}}",
        "Everything is ready",
    )
    try:
        sent = [trace_request(spans=5) for _ in range(20)]
        for request in sent:
            grpc_export(f"127.0.0.1:{port}", request)
        with running(pipeline):
            wait_until(lambda: len(receiver.items()) >= 100, 40, "100 spans that the Collector wrote")
            assert spans_of(receiver.items()) == spans_of(item for request in sent for item in items_of(request))
    finally:
        collector.stop()
