"""A backend that refuses: the evidence of others decides."""
import time

import grpc
from confluent_kafka import Consumer
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from harness.otlp_receiver import items_of
from harness.pipeline import Pipeline, running
from harness.processes import wait_until
from harness.send import grpc_export, logs_request, text, trace_request
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

TENANT_HEADER = "x-scope-orgid"


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
            return None  # The exporter probes with an empty request.
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


def _stalls(consumer):
    return consumer.status()["stalls"]


def test_one_refused_signal_does_not_starve_the_others(kafka, receiver, tmp_path):
    """Logs are answered 404, traces pass: traces continue, although far more logs wait than memory holds."""

    def answer(request, context):
        if isinstance(request, logs_service_pb2.ExportLogsServiceRequest) and items_of(request):
            context.abort(grpc.StatusCode.NOT_FOUND, "no logs here")

    receiver.answer = answer
    with running(Pipeline(tmp_path, kafka.brokers, to(receiver), signals=("traces", "logs"))) as pipeline:
        consumer = pipeline.consumers["otlp"]
        big = logs_request(records=2000)
        for record in big.resource_logs[0].scope_logs[0].log_records:
            record.attributes.append(text("filling", "x" * 400))
        for _ in range(60):
            grpc_export(pipeline.endpoint, big)
        wait_until(lambda: any(s["signal"] == "logs" for s in _stalls(consumer)), 30, "the stall of logs")
        for _ in range(50):
            grpc_export(pipeline.endpoint, trace_request(spans=20))
        wait_until(lambda: len(receiver.items()) >= 1000, 30, "all spans")
        # Until the first span is taken the whole destination seems to refuse.
        (stall,) = wait_until(lambda: [s for s in _stalls(consumer) if s["signal"] == "logs" and s["scope"] == "signal"], 10, "the scope")
        assert "no logs here" in stall["reason"] and stall["seconds"] > 0
        assert not any(s["signal"] == "traces" for s in _stalls(consumer))
        assert consumer.metric("spanway_kafka_bridge_stalled_streams", signal="logs") == 1
        assert dead_letters(kafka.brokers, pipeline.topics["logs"]) == []
        receiver.answer = None
        wait_until(lambda: len(receiver.items()) >= 1000 + 60 * 2000, 90, "the logs after the destination was mended")
        assert len(receiver.items()) == 1000 + 60 * 2000


def test_one_refused_tenant_does_not_stop_the_others(kafka, receiver, tmp_path):
    """One tenant is answered 403: the others of the same partition continue, and a restart repeats nothing of theirs."""

    def answer(request, context):
        if any(r.resource.attributes[0].value.string_value == "evil" for r in request.resource_spans):
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no such tenant")

    receiver.answer = answer
    change = {"topics": {"partitions": 1}}
    pipeline = Pipeline(tmp_path, kafka.brokers, to(receiver), bridge=change, consumer=change,
                        ingress={"tenant": {"from": "header"}})
    with running(pipeline):
        consumer = pipeline.consumers["otlp"]

        def send(tenant, count):
            for _ in range(count):
                grpc_export(pipeline.endpoint, trace_request(spans=5, service=tenant), metadata=[(TENANT_HEADER, tenant)])

        send("evil", 1)
        wait_until(lambda: _stalls(consumer), 20, "the stall")
        for _ in range(10):
            send("good", 10)
            send("evil", 2)
        wait_until(lambda: len(receiver.items()) >= 500, 30, "all spans of the good tenant")
        (stall,) = wait_until(lambda: [s for s in _stalls(consumer) if s["scope"] == "tenant"], 10, "the scope")
        assert stall["tenant"] == "evil" and "no such tenant" in stall["reason"]
        assert not any(p["stalled"] for p in consumer.status()["partitions"])
        time.sleep(1.5)  # One commit interval.
        consumer.stop()
        consumer.restart()
        consumer.wait_ready()
        send("good", 10)
        wait_until(lambda: len(receiver.items()) >= 550, 30, "what came after the restart")
        assert len(receiver.items()) == 550, "the restart repeated nothing"
        receiver.answer = None
        wait_until(lambda: len(receiver.items()) >= 655, 60, "the refused tenant's, once it is let in")
        assert len(receiver.items()) == 655
        assert dead_letters(kafka.brokers, pipeline.topics["traces"]) == []
        wait_until(lambda: sum(p["lag_messages"] for p in consumer.status()["partitions"]) == 0, 20, "no lag left")


def test_a_span_that_always_times_out_becomes_a_dead_letter_and_stops_nothing(kafka, receiver, tmp_path):
    def answer(request, context):
        if any(span.name == "slow" for r in request.resource_spans for s in r.scope_spans for span in s.spans):
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "took too long")

    receiver.answer = answer
    change = {"topics": {"partitions": 1}}
    consumer_change = {"topics": {"partitions": 1}, "consumer": {"retry": {"unknown_tries": 3, "max": "500ms"}}}
    with running(Pipeline(tmp_path, kafka.brokers, to(receiver), bridge=change, consumer=consumer_change)) as pipeline:
        poisoned = trace_request(spans=16)
        poisoned.resource_spans[0].scope_spans[0].spans[5].name = "slow"
        grpc_export(pipeline.endpoint, poisoned)
        sent, letters, deadline = 15, [], time.monotonic() + 90
        while not letters and time.monotonic() < deadline:
            for _ in range(20):
                grpc_export(pipeline.endpoint, trace_request(spans=1))
                sent += 1
            letters = dead_letters(kafka.brokers, pipeline.topics["traces"], 2.0)
        assert len(letters) == 1 and b"slow" in letters[0].value()
        wait_until(lambda: len(receiver.items()) >= sent, 30, "everything else")
        assert len(receiver.items()) == sent
        wait_until(lambda: sum(p["lag_messages"] for p in pipeline.consumers["otlp"].status()["partitions"]) == 0, 20, "no lag left")


def test_a_span_on_which_the_backend_hangs_becomes_a_dead_letter_and_stops_nothing(kafka, receiver, tmp_path):
    """The backend needs 30 s for one span and says nothing: the client's own timeout is all there is."""
    given_up = []

    def answer(request, context):
        if any(span.name == "hangs" for r in request.resource_spans for s in r.scope_spans for span in s.spans):
            deadline = time.monotonic() + 30
            while context.is_active() and time.monotonic() < deadline:
                time.sleep(0.05)
            given_up.append(time.monotonic() < deadline)
            context.abort(grpc.StatusCode.CANCELLED, "not stored")

    receiver.answer = answer
    destination = to(receiver)
    destination["otlp"]["otlp_grpc"]["timeout"] = "1s"
    change = {"topics": {"partitions": 1}}
    consumer_change = {"topics": {"partitions": 1}, "consumer": {"retry": {"unknown_tries": 2, "max": "500ms"}}}
    with running(Pipeline(tmp_path, kafka.brokers, destination, bridge=change, consumer=consumer_change)) as pipeline:
        poisoned = trace_request(spans=16)
        poisoned.resource_spans[0].scope_spans[0].spans[5].name = "hangs"
        grpc_export(pipeline.endpoint, poisoned)
        sent, letters, deadline = 15, [], time.monotonic() + 120
        while not letters and time.monotonic() < deadline:
            for _ in range(10):
                grpc_export(pipeline.endpoint, trace_request(spans=1))
                sent += 1
            letters = dead_letters(kafka.brokers, pipeline.topics["traces"], 1.0)
        assert len(letters) == 1 and b"hangs" in letters[0].value()
        assert given_up and all(given_up), "each time the client gave up, the backend never answered"
        wait_until(lambda: len(receiver.items()) >= sent, 30, "everything else")
        assert len(receiver.items()) == sent
        wait_until(lambda: sum(p["lag_messages"] for p in pipeline.consumers["otlp"].status()["partitions"]) == 0, 20, "no lag left")


def test_an_expired_key_answered_as_400_writes_no_dead_letter(kafka, receiver, tmp_path):
    expired = {"now": False}

    def answer(request, context):
        if expired["now"] and items_of(request):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "API key expired")

    receiver.answer = answer
    with running(Pipeline(tmp_path, kafka.brokers, to(receiver))) as pipeline:
        consumer = pipeline.consumers["otlp"]
        sent = 0

        def send(count):
            nonlocal sent
            for _ in range(count):
                grpc_export(pipeline.endpoint, trace_request(spans=8))
                sent += 8

        send(50)
        expired["now"] = True
        for _ in range(10):
            send(20)
            time.sleep(0.3)
        wait_until(lambda: _stalls(consumer), 20, "the stall")
        assert "API key expired" in _stalls(consumer)[0]["reason"]
        assert dead_letters(kafka.brokers, pipeline.topics["traces"]) == []
        expired["now"] = False
        wait_until(lambda: len(receiver.items()) >= sent, 60, "everything, once the key is renewed")
        assert len(receiver.items()) == sent
        assert dead_letters(kafka.brokers, pipeline.topics["traces"]) == []
