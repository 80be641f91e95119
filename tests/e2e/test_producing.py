"""Clients that are refused leave nothing behind: a request is written completely or not at all."""
import collections
import concurrent.futures
import signal
import time

import grpc
from confluent_kafka import Consumer, TopicPartition
from harness.load import Load, Sink, compare
from harness.pipeline import Pipeline, running
from harness.processes import wait_until
from harness.send import grpc_export, text, trace_request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def spans_in(brokers, topic):
    """How many spans lie in each partition of `topic`: everything up to the ends as they are now."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "test-reader", "enable.auto.commit": False})
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.list_topics(topic, 10).topics[topic].partitions]
        ends = {p.partition: consumer.get_watermark_offsets(p, 10)[1] for p in partitions}
        consumer.assign([TopicPartition(topic, p, 0) for p, end in ends.items() if end > 0])
        found, left = collections.Counter(), {p for p, end in ends.items() if end > 0}
        deadline = time.monotonic() + 60
        while left:
            assert time.monotonic() < deadline, f"partitions {left} were not read to their ends"
            message = consumer.poll(1)
            if message is None or message.error() is not None:
                continue
            request = ExportTraceServiceRequest.FromString(message.value())
            found[message.partition()] += sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)
            if message.offset() >= ends[message.partition()] - 1:
                left.discard(message.partition())
        return found
    finally:
        consumer.close()


def large_request(mebibytes):
    """Many traces, each span with a value of 8 KiB."""
    request = ExportTraceServiceRequest()
    value = "x" * 8192
    for _ in range(mebibytes * 8):
        part = trace_request(spans=16)
        for span in part.resource_spans[0].scope_spans[0].spans:
            span.attributes.append(text("filler", value))
        request.MergeFrom(part)
    return request


def test_of_two_large_requests_at_once_none_is_written_in_part(kafka, tmp_path):
    with running(Pipeline(tmp_path, kafka.brokers, {}, bridge={"memory_limit": "640MiB"})) as pipeline:
        request = large_request(38)
        spans = sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)
        kafka.signal(signal.SIGSTOP)  # Both wait in the producer's queue.
        try:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                calls = [pool.submit(grpc_export, f"127.0.0.1:{pipeline.bridge_port}", request) for _ in range(2)]
                wait_until(lambda: pipeline.bridge.metric("spanway_kafka_produce_queue_bytes") > 30 << 20 or any(c.done() for c in calls), 20, "a queue")
                time.sleep(1)  # The second request arrives while the first fills the queue.
                kafka.signal(signal.SIGCONT)
                answers = [call.exception() for call in calls]
        finally:
            kafka.signal(signal.SIGCONT)
        taken = sum(answer is None for answer in answers)
        assert taken >= 1, answers
        for answer in filter(None, answers):
            assert answer.code() == grpc.StatusCode.UNAVAILABLE and "ueue" in answer.details(), answer
        assert sum(spans_in(kafka.brokers, pipeline.topics["traces"]).values()) == taken * spans
        assert pipeline.bridge.metric("spanway_kafka_bridge_possible_duplicate_items_total") == 0


def leaders(kafka3, topic):
    return {number: p.leader for number, p in kafka3.metadata().topics[topic].partitions.items()}


def to(sink):
    return {"sink": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": sink.endpoint}}}


def settle(sink, ledger):
    def complete():
        result = compare(sink, ledger)
        return result["missing"] == 0 and result

    return wait_until(complete, 90, "all that was acknowledged", 0.5)


def test_while_one_leader_is_out_of_reach_retries_write_nothing(kafka3, tmp_path):
    """One copy of each partition: no other broker can lead those of the frozen one. Every request has
    spans for all partitions; what is repeated is what was in flight, however long the outage."""
    alone = {"partitions": 6, "replication_factor": 1, "min_insync_replicas": 1}
    with Sink(tmp_path).start() as sink:
        bridge, consumer = {"topics": alone}, {"topics": alone}
        with running(Pipeline(tmp_path, kafka3.brokers, to(sink), kafka={"brokers": kafka3.addresses}, bridge=bridge, consumer=consumer)) as pipeline:
            victim = leaders(kafka3, pipeline.topics["traces"])[0]
            load = Load(tmp_path, pipeline.endpoint, 300, 50).start()
            time.sleep(4)  # Of load with every leader there.
            kafka3.signal(victim, signal.SIGSTOP)
            try:
                time.sleep(35)  # The length of the outage: duplicates used to grow with it.
            finally:
                kafka3.signal(victim, signal.SIGCONT)
            assert load.wait(120) == 0, load.log()
            result = settle(sink, load.ledger)
            print(result)
            # 300 a second until the partition counts as stalled, and one probe at a time.
            assert result["duplicates"] <= 900, result


def set_quota(kafka, client, bytes_per_second):
    change = ["--delete-config", "producer_byte_rate"] if bytes_per_second is None else ["--add-config", f"producer_byte_rate={bytes_per_second}"]
    kafka.tool("kafka.admin.ConfigCommand", "--bootstrap-server", kafka.brokers, "--alter", "--entity-type", "clients", "--entity-name", client, *change)


def test_under_a_brokers_quota_work_follows_what_it_takes(kafka, tmp_path):
    """The load is several times the quota: what is not taken is refused before it is written."""
    client = "held-back"
    set_quota(kafka, client, 150_000)
    with Sink(tmp_path).start() as sink:
        section = {"client_id": client}
        with running(Pipeline(tmp_path, kafka.brokers, to(sink), kafka=section)) as pipeline:
            load = Load(tmp_path, pipeline.endpoint, 1000, 20, "--batch", "100").start()
            time.sleep(25)  # The load of 20 s and what the quota holds up behind it.
            set_quota(kafka, client, None)
            assert load.wait(150) == 0, load.log()
            result = settle(sink, load.ledger)
            print(result)
            refused = pipeline.bridge.metric("spanway_kafka_bridge_refused_requests_total", reason="kafka_backlog")
            assert refused > 0, "the quota was not felt"
            assert result["duplicates"] <= result["acknowledged"] / 20, result


def test_what_a_stricter_bridge_rejects_is_answered_to_the_client_that_sent_it(kafka, tmp_path):
    """Requests of two clients, joined by the ingress; the bridge allows less nesting."""
    ingress = {"runtime": {"io_threads": 1}, "merge": {"linger": "100ms"}}
    with running(Pipeline(tmp_path, kafka.brokers, {}, ingress=ingress, bridge={"limits": {"value_depth_max": 2}})) as pipeline:
        deep = trace_request(spans=3)
        value = deep.resource_spans[0].scope_spans[0].spans[1].attributes.add(key="deep").value
        for _ in range(4):
            value = value.array_value.values.add()
        value.string_value = "x"
        joined = 0
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for _ in range(20):  # Until two have arrived within the linger.
                calls = [pool.submit(grpc_export, pipeline.endpoint, request) for request in (trace_request(spans=5), deep)]
                rejected = [call.result().partial_success.rejected_spans for call in calls]
                assert rejected == [0, 1]
                joined = pipeline.ingress.metric("spanway_ingress_merged_batches_total", signal="traces")
                if joined >= 3:
                    break
        assert joined >= 3, "never joined"
        assert pipeline.ingress.metric("spanway_ingress_merge_unattributed_rejected_items_total", signal="traces") == 0
