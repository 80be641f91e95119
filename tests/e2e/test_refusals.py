"""What happens when a backend says no: each kind of refusal has its own course."""
import time

import grpc
from confluent_kafka import Consumer
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from harness.otlp_receiver import items_of
from harness.pipeline import Pipeline, running
from harness.processes import wait_until
from harness.send import grpc_export, trace_request


def dead_letters(brokers, topic, seconds=3.0):
    """Everything in `topic`.dlq now."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"test-{time.time_ns()}", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic + ".dlq"])
    found, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            found.append(message)
    consumer.close()
    return found


def to(receiver):
    return {"otlp": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}}}


def test_an_expired_token_stalls_loudly_and_fills_no_dead_letter_topic(kafka, receiver, tmp_path):
    expired = {"now": True}

    def answer(request, context):
        if expired["now"]:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "token expired")

    receiver.answer = answer
    with running(Pipeline(tmp_path, kafka.brokers, to(receiver))) as pipeline:
        sent = [trace_request(spans=5) for _ in range(20)]
        for request in sent:
            grpc_export(pipeline.endpoint, request)
        consumer = pipeline.consumers["otlp"]
        wait_until(lambda: any(p["stalled"] for p in consumer.status()["partitions"]), 20, "a stalled partition")
        assert "token expired" in str(consumer.status())
        assert consumer.metric("spanway_kafka_bridge_stalled_partitions") >= 1
        assert receiver.items() == []
        assert dead_letters(kafka.brokers, pipeline.topics["traces"]) == []
        expired["now"] = False
        wait_until(lambda: len(receiver.items()) >= 100, 60, "everything after the token was renewed")
        assert sorted(receiver.items()) == sorted(item for request in sent for item in items_of(request))
        assert dead_letters(kafka.brokers, pipeline.topics["traces"]) == []


def test_one_bad_span_costs_exactly_that_span(kafka, receiver, tmp_path):
    def answer(request, context):
        if any(span.name == "bad" for r in request.resource_spans for s in r.scope_spans for span in s.spans):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this span cannot be stored")

    receiver.answer = answer
    with running(Pipeline(tmp_path, kafka.brokers, to(receiver))) as pipeline:
        request = trace_request(spans=64)
        bad = request.resource_spans[0].scope_spans[0].spans[17]
        bad.name = "bad"
        grpc_export(pipeline.endpoint, request)
        wait_until(lambda: len(receiver.items()) >= 63, 40, "the 63 good spans")
        expected = [item for item in items_of(request) if b"bad" != bad.name.encode() or item[2] != bad.SerializeToString(deterministic=True)]
        assert sorted(receiver.items()) == sorted(expected)
        (letter,) = wait_until(lambda: dead_letters(kafka.brokers, pipeline.topics["traces"]), 30, "the dead letter")
        headers = {key: value.decode() for key, value in letter.headers()}
        assert headers["spanway-destination"] == "otlp"
        assert headers["spanway-origin"].startswith(pipeline.topics["traces"] + ":")
        assert "this span cannot be stored" in headers["spanway-error"]
        assert int(headers["spanway-attempts"]) >= 1 and headers["spanway-group"]
        lost = type(request).FromString(letter.value())
        assert [i[2] for i in items_of(lost)] == [bad.SerializeToString(deterministic=True)]
        wait_until(lambda: sum(p["lag_messages"] for p in pipeline.consumers["otlp"].status()["partitions"]) == 0, 20, "no lag left")


def test_transient_refusals_are_retried_until_they_pass(kafka, receiver, tmp_path):
    seen = {"count": 0}

    def answer(request, context):
        seen["count"] += 1
        if seen["count"] <= 5:
            detail = any_pb2.Any()
            info = error_details_pb2.RetryInfo()
            info.retry_delay.nanos = 50_000_000
            detail.Pack(info)
            status = status_pb2.Status(code=8, message="busy", details=[detail])
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")

    receiver.answer = answer
    with running(Pipeline(tmp_path, kafka.brokers, to(receiver))) as pipeline:
        request = trace_request(spans=10)
        grpc_export(pipeline.endpoint, request)
        wait_until(lambda: len(receiver.items()) >= 10, 40, "the spans after five refusals")
        assert sorted(receiver.items()) == sorted(items_of(request))
        assert dead_letters(kafka.brokers, pipeline.topics["traces"]) == []


def test_partial_success_is_not_retried_and_leaves_a_copy(kafka, receiver, tmp_path):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    calls = []

    def answer(request, context):
        if not items_of(request):
            return None  # The exporter asks with an empty request whether somebody is there.
        calls.append(request)
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = 2
        response.partial_success.error_message = "two were too old"
        return response

    receiver.answer = answer
    with running(Pipeline(tmp_path, kafka.brokers, to(receiver))) as pipeline:
        grpc_export(pipeline.endpoint, trace_request(spans=10))
        letters = wait_until(lambda: dead_letters(kafka.brokers, pipeline.topics["traces"]), 30, "the copy")
        assert {k: v.decode() for k, v in letters[0].headers()}["spanway-rejected"].startswith("2/")
        assert len(calls) == len(letters)
