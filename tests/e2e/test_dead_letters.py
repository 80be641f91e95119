"""Items that a destination refuses for good are in the dead-letter topic, to the last byte, whatever its
size, whichever client wrote the record, and whatever the topic takes."""
import base64
import itertools
import json
import os

import grpc
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from harness.otlp_receiver import items_of
from harness.processes import Service, wait_until
from harness.send import text, trace_request

MIB = 1 << 20
_numbers = itertools.count(1)


class Bench:
    """A consuming bridge before a receiver that refuses every request with a span called "bad"."""

    def __init__(self, kafka, receiver, folder, dead_letters=None, dead_letter_topic=True, dead_letter_settings=None, topic_bytes=8 * MIB):
        self.brokers, self.receiver = kafka.brokers, receiver
        self.topic = f"letters.{next(_numbers)}"
        self.group = f"spanway-{self.topic}"
        self.admin = AdminClient({"bootstrap.servers": self.brokers})
        self.create(self.topic, {"max.message.bytes": str(topic_bytes)})
        if dead_letter_topic:
            self.create(self.topic + ".dlq", dead_letter_settings)
        receiver.answer = self.answer
        self.service = Service(
            self.topic,
            "spanway-kafka-bridge",
            {
                "mode": "consume",
                "kafka": {
                    "brokers": [self.brokers],
                    "topics": {"traces": self.topic, "metrics": self.topic + "-m", "logs": self.topic + "-l"},
                },
                "consumer": {
                    "destination": self.topic,
                    "group": self.group,
                    "signals": ["traces"],
                    "start_from": "earliest",
                    "dead_letters": dead_letters or {},
                },
                "destination": {"endpoint": receiver.endpoint},
            },
            folder,
        )

    def answer(self, request, context):
        if any(span.name == "bad" for r in request.resource_spans for s in r.scope_spans for span in s.spans):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this span cannot be stored")

    def __enter__(self):
        self.service.start().wait_ready()
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                assert self.service.metric("spanway_bugs_total") == 0
                assert self.service.stop() == 0
        finally:
            self.service.__exit__()

    def create(self, topic, settings=None):
        for future in self.admin.create_topics([NewTopic(topic, 1, 1, config=settings or {})]).values():
            future.result()

    def produce(self, *records, tenant=None):
        producer = Producer({"bootstrap.servers": self.brokers, "message.max.bytes": 64 * MIB})
        for record in records:
            producer.produce(self.topic, record, partition=0, headers=[("spanway-tenant", tenant.encode())] if tenant else None)
        assert producer.flush(30) == 0

    def committed(self):
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": self.group})
        try:
            return consumer.committed([TopicPartition(self.topic, 0)], timeout=10)[0].offset
        except KafkaException:  # The group has no coordinator yet.
            return -1
        finally:
            consumer.close()

    def records_of(self, topic):
        """(headers, value) of all that is in `topic` now."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "test-" + os.urandom(4).hex(), "fetch.message.max.bytes": 64 * MIB})
        try:
            place = TopicPartition(topic, 0, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=10)
            consumer.assign([place])
            found = []
            while len(found) < end:
                message = consumer.poll(10)
                assert message is not None and message.error() is None, f"{len(found)} of {end}: {message and message.error()}"
                found.append(({k: v.decode() for k, v in message.headers()}, message.value()))
            return found
        finally:
            consumer.close()

    def partition(self):
        partitions = self.service.status()["partitions"]
        return partitions[0] if partitions else {"stalled": False, "reason": ""}

    def wait_committed(self, offset, seconds=60):
        wait_until(lambda: self.committed() == offset, seconds, f"offset {offset} committed")


def join(records):
    """As a reader joins the parts of one letter."""
    assert len({headers["spanway-letter"] for headers, _ in records}) == 1
    joined = b""
    for headers, value in sorted(records, key=lambda record: int(record[0]["spanway-part"].split("-")[0])):
        begin, end, size = map(int, headers["spanway-part"].replace("/", "-").split("-"))
        assert begin == len(joined) and end - begin + 1 == len(value), "every byte once"
        joined += value
    assert len(joined) == size
    return joined


def one_span(name, size=0):
    request = trace_request(spans=1)
    request.resource_spans[0].scope_spans[0].spans[0].name = name
    if size:
        request.resource_spans[0].scope_spans[0].spans[0].attributes.append(text("payload", "x" * size))
    return request


def nest(value, depth):
    for _ in range(depth):
        value = value.array_value.values.add()
    value.int_value = 1


def test_halving_loses_nothing_that_the_limits_of_our_ingress_would_reject(kafka, receiver, tmp_path):
    request = trace_request(spans=4)
    deep, large, bad, _ = request.resource_spans[0].scope_spans[0].spans
    nest(deep.attributes.add(key="deep").value, 40)
    large.attributes.append(text("large", "x" * (MIB + 1000)))
    bad.name = "bad"
    with Bench(kafka, receiver, tmp_path) as bench:
        bench.produce(request.SerializeToString())
        bench.wait_committed(1)
        kept = [i for i in items_of(request) if i[2] != bad.SerializeToString(deterministic=True)]
        assert sorted(receiver.items()) == sorted(kept)
        ((headers, value),) = bench.records_of(bench.topic + ".dlq")
        assert [i[2] for i in items_of(type(request).FromString(value))] == [bad.SerializeToString(deterministic=True)]


def test_a_record_without_an_item_that_is_known_becomes_a_dead_letter_with_the_reason(kafka, receiver, tmp_path):
    good = one_span("good")
    scope_spans = good.resource_spans[0].scope_spans[0].SerializeToString()

    def field(number, value):
        from google.protobuf.internal.encoder import _VarintBytes

        return _VarintBytes(number << 3 | 2) + _VarintBytes(len(value)) + value

    deprecated = field(1, field(1000, scope_spans))
    unknown = field(77, b"something of a later version")
    mixed = field(1, field(2, scope_spans) + field(1000, scope_spans))
    with Bench(kafka, receiver, tmp_path) as bench:
        bench.produce(deprecated, unknown, mixed, good.SerializeToString())
        bench.wait_committed(4)
        assert len(receiver.items()) == 2, "the known items of the third record, and the fourth"
        letters = bench.records_of(bench.topic + ".dlq")
        assert sorted(value for _, value in letters) == sorted([deprecated, unknown, mixed])
        reasons = {value: headers["spanway-error"] for headers, value in letters}
        assert "deprecated_field" in reasons[deprecated]
        assert "unknown_content" in reasons[unknown]
        assert "deprecated_field" in reasons[mixed]


@pytest.mark.parametrize("size", [3 * MIB, 20 * MIB], ids=["above-the-topic", "above-the-producer"])
def test_a_dead_letter_larger_than_its_topic_takes_goes_in_parts_that_join(kafka, receiver, tmp_path, size):
    bad, good = one_span("bad", size), one_span("good")
    with Bench(kafka, receiver, tmp_path, topic_bytes=32 * MIB) as bench:
        bench.produce(bad.SerializeToString(), good.SerializeToString())
        bench.wait_committed(2)
        assert receiver.items() == items_of(good)
        parts = bench.records_of(bench.topic + ".dlq")
        assert len(parts) == size // MIB + 1
        assert join(parts) == bad.SerializeToString()
        assert bench.service.metric("spanway_kafka_bridge_dead_letter_parts_total") == len(parts)
        assert bench.service.metric("spanway_kafka_bridge_dead_letters_total") == 1


def test_a_missing_dead_letter_topic_stalls_loudly_and_nothing_is_lost_when_it_comes(kafka, receiver, tmp_path):
    bad, good = one_span("bad"), one_span("good")
    with Bench(kafka, receiver, tmp_path, dead_letter_topic=False) as bench:
        # The good one shows that not everything is refused.
        bench.produce(bad.SerializeToString(), good.SerializeToString())
        reason = f"create the topic {bench.topic}.dlq"
        wait_until(lambda: reason in str(bench.service.status()), 60, "the reason in /statusz")
        assert bench.service.metric("spanway_kafka_bridge_dead_letter_failures_total") >= 1
        assert bench.committed() < 1
        bench.create(bench.topic + ".dlq")
        bench.wait_committed(2, 120)
        assert receiver.items() == items_of(good)
        assert [value for _, value in bench.records_of(bench.topic + ".dlq")] == [bad.SerializeToString()]


def test_a_dead_letter_that_cannot_be_written_stops_only_its_tenant(kafka, receiver, tmp_path):
    """No dead-letter topic: the other tenants of the partition are delivered meanwhile, and a restart repeats nothing of theirs."""
    with Bench(kafka, receiver, tmp_path, dead_letter_topic=False) as bench:
        for name in ("bad", "good", "good"):
            bench.produce(one_span(name).SerializeToString(), tenant="acme")
        wait_until(lambda: any("dead letters of" in s["reason"] and s["tenant"] == "acme" for s in bench.service.status()["stalls"]), 60, "the stall of the tenant")
        for _ in range(20):
            bench.produce(one_span("good").SerializeToString(), tenant="umbrella")
            bench.produce(one_span("good").SerializeToString(), tenant="acme")
        wait_until(lambda: len(receiver.items()) >= 22, 30, "all of the other tenant")
        assert len(receiver.items()) == 22 and bench.committed() < 1
        assert not bench.partition()["stalled"]
        bench.service.stop()
        bench.service.restart()
        bench.service.wait_ready()
        bench.create(bench.topic + ".dlq")
        bench.wait_committed(43, 120)
        assert len(receiver.items()) == 42, "each good span once"
        assert len(bench.records_of(bench.topic + ".dlq")) == 1


def test_the_fallback_file_takes_what_the_topic_cannot(kafka, receiver, tmp_path):
    bad, good = one_span("bad", 3 * MIB), one_span("good")
    path = tmp_path / "letters.jsonl"
    with Bench(kafka, receiver, tmp_path, {"fallback": {"file": str(path)}}, dead_letter_topic=False) as bench:
        bench.produce(bad.SerializeToString(), good.SerializeToString())
        bench.wait_committed(2)
        assert receiver.items() == items_of(good)
        (line,) = path.read_text().splitlines()
        letter = json.loads(line)
        assert base64.b64decode(letter["value"]) == bad.SerializeToString()
        assert letter["topic"] == bench.topic + ".dlq"
        assert letter["headers"]["spanway-origin"] == f"{bench.topic}:0:0"
        assert bench.service.metric("spanway_kafka_bridge_dead_letter_fallbacks_total") == 1


def test_the_fallback_topic_takes_what_the_topic_cannot(kafka, receiver, tmp_path):
    bad, good = one_span("bad"), one_span("good")
    fallback = f"fallback.{os.urandom(4).hex()}"
    # So small that not even the headers of a letter fit.
    with Bench(kafka, receiver, tmp_path, {"fallback": {"topic": fallback}}, dead_letter_settings={"max.message.bytes": "200"}) as bench:
        bench.create(fallback)
        bench.produce(bad.SerializeToString(), good.SerializeToString())
        bench.wait_committed(2)
        assert receiver.items() == items_of(good)
        assert bench.records_of(bench.topic + ".dlq") == []
        assert [value for _, value in bench.records_of(fallback)] == [bad.SerializeToString()]
