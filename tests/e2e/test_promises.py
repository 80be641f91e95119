"""The harness itself: a broken promise of a service fails any test (harness/promises.py)."""
import pytest
from harness import promises
from harness.pipeline import Pipeline, running
from harness.processes import wait_until
from harness.send import grpc_export, trace_request


def test_a_bug_or_memory_above_the_limit_is_found():
    metrics = '# HELP spanway_bugs_total Bugs\nspanway_bugs_total 1\n'
    counted = promises.Observation("bridge", metrics, {}, 256 << 20, 100 << 20)
    assert promises.broken_of(counted) == ["bridge counted 1 bugs of its own (spanway_bugs_total)"]
    large = promises.Observation("ingress", "spanway_bugs_total 0\n", {}, 256 << 20, 300 << 20)
    assert promises.broken_of(large) == ["ingress held 300 MiB, its memory_limit is 256 MiB"]
    sound = promises.Observation("ingress", "spanway_bugs_total 0\n", {}, 256 << 20, 200 << 20)
    assert promises.broken_of(sound) == []
    items = {"signal": "traces", "read": 10, "delivered": 4, "rejected": 1, "dead_lettered": 2, "released": 0, "in_flight": 3}
    complete = promises.Observation("consumer", "", {"items": [items]}, None, 0)
    assert promises.broken_of(complete) == []
    (line,) = promises.broken_of(promises.Observation("consumer", "", {"items": [dict(items, in_flight=2)]}, None, 0))
    assert "has read 10 items of traces, 9 are accounted for" in line


@pytest.mark.parametrize("text, expected", [("memory_limit: 256MiB\n", 256 << 20), ('{\n  "memory_limit": "1GiB"', 1 << 30), ("log: {}\n", None)])
def test_the_limit_is_taken_from_the_configuration_in_force(text, expected):
    assert promises.parse_limit(text) == expected


def test_services_are_observed_before_they_end_and_sums_are_compared(kafka, receiver, tmp_path):
    pipeline = Pipeline(tmp_path, kafka.brokers, {"otlp": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": receiver.endpoint}}})
    with running(pipeline):
        grpc_export(pipeline.endpoint, trace_request(spans=10))
        wait_until(lambda: len(receiver.items()) == 10, 40, "the spans")
        consumer = pipeline.consumers["otlp"]
        wait_until(lambda: promises.broken_sums(pipeline.bridge, consumer) == [], 20, "an idle pipeline whose sum adds up")

        class Forgetful:
            lives, name, config, status = 1, consumer.name, consumer.config, consumer.status

            def admin(self, path):
                return consumer.admin(path).replace("spanway_kafka_bridge_delivered_items_total", "spanway_other")

        lines = promises.broken_sums(pipeline.bridge, Forgetful())
        assert "has read 10 items" in lines[0] and "Kafka confirmed 10 items" in lines[1]
    for service in pipeline.services():
        (seen,) = service.observations
        assert seen.sum("spanway_bugs_total") == 0 and seen.peak > 0
        assert seen.limit == promises.parse_limit("memory_limit: " + ("512MiB" if "bridge" in str(service.command[0]) else "256MiB")), service.name
