"""Tenants of one partition do not depend on each other (P8), and a clean restart repeats nothing (P4)."""
import collections
import random
import threading

import grpc
import pytest
from confluent_kafka import Consumer
from harness.pipeline import Pipeline, running
from harness.processes import wait_until
from harness.send import grpc_export, text, trace_request
from harness.tenant_backend import TENANT_HEADER, TenantBackend, span_names
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2


@pytest.fixture
def backend():
    backend = TenantBackend()
    yield backend
    backend.stop()


def pipeline_to(backend, kafka, tmp_path, partitions, destination=None, consumer=None):
    topics = {"topics": {"partitions": partitions}}
    otlp_http = {"endpoint": backend.url, "tenant_header": TENANT_HEADER, **(destination or {})}
    return Pipeline(tmp_path, kafka.brokers, {"backend": {"type": "otlp_http", "otlp_http": otlp_http}},
                    bridge=topics, consumer={**topics, **(consumer or {})}, ingress={"tenant": {"from": "header"}})


class Sender(threading.Thread):
    """Sends spans of one tenant until it is stopped; `acknowledged` has the names."""

    def __init__(self, pipeline, tenant, seed, name_of=lambda tenant, n: f"{tenant}-{n}"):
        super().__init__(daemon=True)
        self.pipeline, self.tenant, self.name_of = pipeline, tenant, name_of
        self.random = random.Random(seed)
        self.acknowledged = set()
        self.next = 0
        self.ended = threading.Event()

    def send(self, spans):
        request = trace_request(spans=spans, service=self.tenant)
        for span in request.resource_spans[0].scope_spans[0].spans:
            span.name = self.name_of(self.tenant, self.next)
            span.attributes.append(text("filling", "x" * self.random.randrange(500)))
            self.next += 1
        grpc_export(self.pipeline.endpoint, request, metadata=[(TENANT_HEADER, self.tenant)], timeout=20)
        self.acknowledged.update(span_names(request))

    def run(self):
        while not self.ended.wait(0.03):
            try:
                self.send(self.random.choice([1, 3, 16]))
            except grpc.RpcError:
                pass  # Not acknowledged.

    def stop(self):
        self.ended.set()
        self.join()


def dead_letters(brokers, topic, count):
    """Names of `count` dead spans at least, and of those that come within two seconds."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"letters-{topic}", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic + ".dlq"])
    names = []

    def read():
        message = consumer.poll(0.2)
        while message is not None:
            if message.error() is None:
                names.extend(span_names(trace_service_pb2.ExportTraceServiceRequest.FromString(message.value())))
            message = consumer.poll(2)
        return len(names) >= count

    wait_until(read, 60, "the dead letters")
    consumer.close()
    return names


def bad_spans(names):
    return 400 if any(name.endswith("-bad") for name in names) else 200


def test_restarts_while_several_tenants_stall_repeat_nothing(kafka, tmp_path, backend):
    """P4: one tenant is refused, one gets no answer, single spans of a third are refused; the consumer is
    restarted again and again in the midst of it, and then the backend accepts everything."""
    backend.behave = {"refused": lambda _: 403, "hangs": lambda _: None, "picky": bad_spans}
    pipeline = pipeline_to(backend, kafka, tmp_path, 3, {"timeout": "3s"},
                           {"consumer": {"retry": {"unknown_tries": 3, "max": "500ms", "stalled_max": "2s"}}})

    def name_of(tenant, n):
        return f"{tenant}-{n}" + ("-bad" if tenant == "picky" and n % 97 == 5 else "")

    with running(pipeline):
        consumer = pipeline.consumers["backend"]
        senders = [Sender(pipeline, tenant, seed, name_of)
                   for seed, tenant in enumerate(("refused", "hangs", "picky", "good"))]
        for sender in senders:
            sender.start()
        chaos = random.Random(9)
        wait_until(lambda: any(s["tenant"] == "refused" for s in consumer.status()["stalls"]), 60, "the stall")
        for _ in range(8):
            goal = len(backend.names("good")) + chaos.randrange(20, 400)
            wait_until(lambda: len(backend.names("good")) >= goal, 60, "the delivery of the good tenant")
            assert consumer.stop() == 0
            consumer.restart()
            consumer.wait_ready()
        for sender in senders:
            sender.stop()
        acknowledged = set().union(*(sender.acknowledged for sender in senders))
        bad = {name for name in acknowledged if name.endswith("-bad")}
        backend.behave = {"picky": bad_spans}
        backend.release()
        wait_until(lambda: sum(p["lag_messages"] or 0 for p in consumer.status()["partitions"]) == 0, 120, "no lag left")
        letters = dead_letters(kafka.brokers, pipeline.topics["traces"], len(bad))
        accepted = collections.Counter(backend.accepted)
        assert acknowledged <= set(accepted) | set(letters)
        assert not {name: count for name, count in accepted.items() if count > 1}
        assert sorted(letters) == sorted(bad)


@pytest.mark.parametrize("hanging", [1, 3])
def test_tenants_that_get_no_answer_hold_up_no_other(kafka, tmp_path, backend, hanging):
    """P8: all spans of another tenant are delivered while no request of those that hang has ended, and the
    status says which tenants hold what. The bridge's own timeout ends such a request after 30 s."""
    tenants = [f"hangs{n}" for n in range(hanging)]
    backend.behave = {tenant: lambda _: None for tenant in tenants}
    with running(pipeline_to(backend, kafka, tmp_path, 1, {"timeout": "60s"})) as pipeline:
        consumer = pipeline.consumers["backend"]
        good = Sender(pipeline, "good", 0)
        others = [Sender(pipeline, tenant, 1) for tenant in tenants]
        good.send(5)
        wait_until(lambda: len(backend.names("good")) == 5, 30, "the first spans")
        refusals = consumer.metric("spanway_kafka_bridge_refusals_total")
        # Each waits for an answer of its own: together they hold more than there are slots and connections.
        for n in range(16):
            for other in others:
                other.send(1)
        wait_until(lambda: set(backend.unanswered) == set(tenants), 30, "requests of each")
        for _ in range(50):
            good.send(4)
        wait_until(lambda: len(backend.names("good")) == 205, 25, "all spans of the good tenant", 0.1)

        def held():
            (partition,) = consumer.status()["partitions"]
            found = {t["tenant"]: t for t in partition.get("tenants", ())}
            return found if set(found) == set(tenants) else None

        state = wait_until(held, 5, "the tenants that hold what they have")
        assert all(t["slow"] and t["in_flight"] > 0 and t["unanswered_seconds"] >= 1 for t in state.values()), state
        status = consumer.status()
        assert not status["stalls"] and not status["partitions"][0]["stalled"]
        assert consumer.metric("spanway_kafka_bridge_refusals_total") == refusals, "no request of the others has ended"
        backend.behave = {}
        backend.release()
        wait_until(lambda: all(set(backend.names(o.tenant)) == o.acknowledged for o in others), 90, "the rest")
        wait_until(lambda: sum(p["lag_messages"] for p in consumer.status()["partitions"]) == 0, 30, "no lag left")
        assert all(count == 1 for count in collections.Counter(backend.accepted).values())
