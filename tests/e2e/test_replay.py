"""`spanway-kafka-bridge replay` on a real Kafka: dead letters back to their destination, never faster
than requested, resumed after kill -9, each letter in the ledger."""
import collections
import itertools
import json
import os
import random
import subprocess
import threading
import time

import grpc
import pytest
import test_dead_letters as dead_letters
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from harness.processes import BIN, Process, wait_until
from harness.send import text, trace_request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_numbers = itertools.count(1)


def named(name, spans=1, size=0):
    request = trace_request(spans=spans)
    for index, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        span.name = f"{name}/{index}"
        if size:
            span.attributes.append(text("payload", "x" * size))
    return request.SerializeToString()


def names_of(request):
    return [span.name for r in request.resource_spans for s in r.scope_spans for span in s.spans]


class Bench:
    """A dead-letter topic, a receiver and the command."""

    def __init__(self, kafka, receiver, folder, partitions=1, destination=None):
        self.folder, self.receiver, self.partitions = folder, receiver, partitions
        self.topic = f"replays.{next(_numbers)}.{os.urandom(2).hex()}"
        self.letters = self.topic + ".dlq"
        admin = AdminClient({"bootstrap.servers": kafka.brokers})
        for future in admin.create_topics([NewTopic(self.letters, partitions, 1)]).values():
            future.result()
        self.producer = Producer({"bootstrap.servers": kafka.brokers})
        self.config = folder / "bridge.yaml"
        self.config.write_text(
            yaml.safe_dump(
                {
                    "mode": "consume",
                    "kafka": {"brokers": [kafka.brokers], "topics": {"traces": self.topic, "metrics": self.topic + "-m", "logs": self.topic + "-l"}},
                    "consumer": {"destination": "jaeger", "signals": ["traces"]},
                    "destination": {"endpoint": destination or receiver.endpoint, "timeout": "2s"},
                }
            )
        )

    def write(self, value, partition=0, tenant="", destination="jaeger", error="too deep", time_ms=0, **headers):
        """Dead letters as the bridge writes them."""
        all_headers = {"content-type": "application/x-protobuf", "spanway-error": error, "spanway-destination": destination, **headers}
        if tenant:
            all_headers["spanway-tenant"] = tenant
        headers = [(name, text.encode()) for name, text in all_headers.items()]
        self.producer.produce(self.letters, value, partition=partition, headers=headers, timestamp=time_ms or int(time.time() * 1000))

    def flush(self):
        assert self.producer.flush(30) == 0

    def command(self, *flags):
        return [BIN / "spanway-kafka-bridge", "replay", "--config", self.config, "--topic", self.letters, "--state", self.folder / "state", *flags]

    def run(self, *flags, seconds=60):
        """(exit code, summary, standard error)"""
        done = subprocess.run([str(part) for part in self.command(*flags)], capture_output=True, text=True, timeout=seconds)
        return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr

    def received(self):
        """How often each span has come."""
        with self.receiver.lock:
            return collections.Counter(name for request, _ in self.receiver.requests for name in names_of(request))


def in_parts(payload, size):
    letter = os.urandom(8).hex()
    for begin in range(0, len(payload), size):
        end = min(begin + size, len(payload))
        yield payload[begin:end], {"spanway-letter": letter, "spanway-part": f"{begin}-{end - 1}/{len(payload)}"}


def test_letters_of_one_destination_come_back_with_their_tenants_and_parts_are_joined(kafka, receiver, tmp_path):
    bench = Bench(kafka, receiver, tmp_path, partitions=2)
    bench.write(named("one", spans=3), tenant="blue")
    large = named("large", size=200_000)
    parts = list(in_parts(large, 70_000))
    bench.write(parts[1][0], **parts[1][1])
    bench.write(named("of-another"), destination="zipkin")
    for value, headers in parts:
        bench.write(value, **headers)
    bench.write(named("two"), partition=1, tenant="red")
    bench.write(b"no otlp", partition=1)
    bench.flush()
    code, summary, errors = bench.run("--rate", "1000")
    assert (code, summary["end"]) == (3, "complete"), errors
    assert bench.received() == {"one/0": 1, "one/1": 1, "one/2": 1, "large/0": 1, "two/0": 1}
    with receiver.lock:
        assert {names_of(request)[0]: metadata.get("spanway-tenant") for request, metadata in receiver.requests} == {
            "one/0": "blue",
            "large/0": None,
            "two/0": "red",
        }
        assert [request for request, _ in receiver.requests if "large/0" in names_of(request)][0] == ExportTraceServiceRequest.FromString(large)
    assert summary["records"] == 3 and summary["items"] == 5 and summary["other_destinations"] == 1
    assert summary["refused_records"] == ["1:1"] and f"{bench.letters}:1:1" in errors

    code, summary, errors = bench.run("--rate", "1000")
    assert code == 3 and "nothing is left of this range" in errors
    assert sum(bench.received().values()) == 5, "the same command sends nothing twice"


def test_what_the_bridge_has_dead_lettered_comes_back_once_the_cause_is_mended(kafka, receiver, tmp_path):
    with dead_letters.Bench(kafka, receiver, tmp_path, dead_letter_settings={"max.message.bytes": "4000"}) as bridge:
        bridge.produce(*[dead_letters.one_span(f"good{i}").SerializeToString() for i in range(3)], tenant="blue")
        bridge.produce(dead_letters.one_span("bad", size=20_000).SerializeToString(), tenant="blue")
        bridge.produce(*[dead_letters.one_span(f"good{i}").SerializeToString() for i in range(3, 6)], tenant="blue")
        bridge.wait_committed(7)
        assert len(bridge.records_of(bridge.topic + ".dlq")) > 4, "in parts"
        receiver.answer = None
        receiver.requests.clear()
        command = [BIN / "spanway-kafka-bridge", "replay", "--config", bridge.service.config_path, "--topic", bridge.topic + ".dlq", "--rate", "100", "--state", tmp_path / "state"]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        ((request, metadata),) = receiver.requests
        assert names_of(request) == ["bad"] and metadata["spanway-tenant"] == "blue"


def test_a_range_of_times_or_offsets(kafka, receiver, tmp_path):
    bench = Bench(kafka, receiver, tmp_path)
    start = 1_767_225_600  # 2026-01-01T00:00:00Z
    for i in range(10):
        bench.write(named(f"s{i}"), time_ms=(start + i) * 1000)
    bench.flush()
    ranges = [
        (["--from", "2", "--to", "4"], ["s2/0", "s3/0"]),
        (["--from", "8"], ["s8/0", "s9/0"]),
        (["--to", "1"], ["s0/0"]),
        (["--from", "2026-01-01T00:00:03Z", "--to", "2026-01-01T00:00:05Z"], ["s3/0", "s4/0"]),
        (["--from", "2027-01-01T00:00:00Z"], []),
        (["--from", "5", "--to", "2026-01-01T00:00:06Z"], ["s5/0"]),
    ]
    for flags, expected in ranges:
        receiver.requests.clear()
        (bench.folder / "state").unlink(missing_ok=True)
        code, _, errors = bench.run("--rate", "1000", *flags)
        assert code == 0, errors
        assert sorted(bench.received()) == expected, flags


def test_dry_run_counts_by_reason_and_tenant_and_sends_nothing(kafka, receiver, tmp_path):
    bench = Bench(kafka, receiver, tmp_path)
    for i in range(3):
        bench.write(named(f"a{i}", spans=2), tenant="blue", error="too old")
    bench.write(named("b"), tenant="red", error="too deep", **{"spanway-rejected": "1/3"})
    for value, headers in in_parts(named("c", size=5000), 2000):
        bench.write(value, error="too large", **headers)
    bench.write(named("d"), destination="zipkin")
    bench.flush()
    code, summary, errors = bench.run("--dry-run")
    assert code == 0, errors
    groups = {(group["reason"], group["tenant"]): (group["records"], group["items"], group["copies"]) for group in summary["groups"]}
    assert groups == {("too old", "blue"): (3, 6, 0), ("too deep", "red"): (1, 1, 1), ("too large", ""): (1, 1, 0)}
    assert summary["other_destinations"] == 1 and summary["records"] == 5
    assert not bench.received() and not (tmp_path / "state").exists()


def test_kill_9_in_the_middle_loses_nothing_repeats_a_moment_and_keeps_to_the_rate(kafka, receiver, tmp_path):
    bench = Bench(kafka, receiver, tmp_path, partitions=3)
    rate, expected = 200, set()
    numbers = random.Random(7)
    for i in range(300):
        spans = 1 + numbers.randrange(4)
        expected |= {f"l{i}/{k}" for k in range(spans)}
        bench.write(named(f"l{i}", spans=spans), partition=i % 3)
        if i % 40 == 0:
            expected.add(f"large{i}/0")
            first, *rest = in_parts(named(f"large{i}", size=6000), 2500)
            bench.write(first[0], partition=i % 3, **first[1])
            bench.write(named(f"between{i}"), partition=i % 3)
            expected.add(f"between{i}/0")
            for value, headers in rest:
                bench.write(value, partition=i % 3, **headers)
    bench.flush()
    arrivals, lives, arrived = [], [], threading.Event()

    def count(request, _):
        arrivals.append((time.monotonic(), len(names_of(request))))
        arrived.set()

    receiver.answer = count
    for life in range(6):
        seen = len(arrivals)
        replay = Process(f"replay{life}", bench.command("--rate", str(rate)), tmp_path)
        lives.append((time.monotonic(), seen))
        with replay.start():
            wait_until(lambda: len(arrivals) > seen + 5 + numbers.randrange(30) or not replay.alive(), 30, "progress")
            assert replay.alive(), replay.log()
    lives.append((time.monotonic(), len(arrivals)))
    code, summary, errors = bench.run("--rate", str(rate))
    assert code == 0, errors
    received = bench.received()
    assert set(received) == expected
    # At most what was delivered in the 50 ms before the kill, and the letter in flight.
    repeated = sum(times - 1 for times in received.values())
    assert repeated <= 6 * (rate * 0.05 + 4 + 4), received
    # A life has sent no more than the rate allows for its time.
    for (begin, first), (_, last) in zip(lives, lives[1:] + [(0, len(arrivals))]):
        items = 0
        for at, count in arrivals[first:last]:
            items += count
            assert items <= rate * (at - begin) + 1, f"{items} items after {at - begin} s"
    assert summary["records"] == 300 + 2 * 8


def test_an_outage_of_the_destination_is_waited_for(kafka, receiver, tmp_path):
    bench = Bench(kafka, receiver, tmp_path)
    for i in range(5):
        bench.write(named(f"s{i}"))
    bench.flush()
    refusals = []

    def refuse(_, context):
        refusals.append(1)
        if len(refusals) <= 4:
            context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")

    receiver.answer = refuse
    code, _, errors = bench.run("--rate", "1000")
    assert code == 0, errors
    assert bench.received() == {f"s{i}/0": 1 for i in range(5)}


@pytest.mark.parametrize("answer", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAVAILABLE])
def test_a_destination_that_refuses_all_stops_the_replay_and_the_same_command_resumes_it(kafka, receiver, tmp_path, answer):
    bench = Bench(kafka, receiver, tmp_path)
    for i in range(9):
        bench.write(named(f"s{i}"))
    bench.flush()
    receiver.answer = lambda request, context: context.abort(answer, "not today") if names_of(request) != ["s0/0"] else None
    flags = ["--rate", "1000", "--refused-max", "5", "--give-up-after", "1s"]
    code, summary, errors = bench.run(*flags)
    assert (code, summary["end"]) == (4, "destination_failed") and "not today" in errors
    receiver.answer = None
    code, summary, errors = bench.run(*flags)
    assert (code, summary["end"]) == (0, "complete"), errors
    assert bench.received() == {f"s{i}/0": 1 for i in range(9)}


def test_sigterm_stops_and_the_same_command_resumes(kafka, receiver, tmp_path):
    bench = Bench(kafka, receiver, tmp_path)
    for i in range(40):
        bench.write(named(f"s{i}"))
    bench.flush()
    with Process("replay", bench.command("--rate", "20"), tmp_path) as replay:
        replay.start()
        wait_until(bench.received, 30, "the first span")
        locked, _, errors = bench.run("--rate", "20")
        assert locked == 1 and "another process replays" in errors
        assert replay.stop() == 130
    assert 0 < len(bench.received()) < 40
    code, _, errors = bench.run("--rate", "1000")
    assert code == 0, errors
    assert bench.received() == {f"s{i}/0": 1 for i in range(40)}


def test_failures_of_kafka_and_of_the_command_line_are_not_the_destinations(kafka, receiver, tmp_path):
    bench = Bench(kafka, receiver, tmp_path)
    bench.write(named("one"))
    bench.flush()
    code, _, errors = bench.run("--rate", "fast")
    assert code == 2 and "--rate fast: expected" in errors
    code, _, errors = bench.run("--rate", "1", "--from", "yesterday")
    assert code == 2 and "--from 'yesterday'" in errors
    code, _, errors = bench.run("--rate", "1", "--state", str(tmp_path / "missing" / "state"))
    assert code == 1 and "missing/state.lock" in errors
    (tmp_path / "state").write_text("something else")
    code, _, errors = bench.run("--rate", "1")
    assert code == 2 and "this is not the state of a replay" in errors
    (tmp_path / "state").unlink()
    assert bench.run("--rate", "1")[0] == 0
    code, _, errors = bench.run("--rate", "1", "--to", "1")
    assert code == 2 and "is the state of another replay" in errors
    (tmp_path / "state").unlink()
    code, _, errors = bench.run("--rate", "1", "--topic", bench.topic)
    assert code == 1 and "Unknown topic" in errors, errors
    bench.config.write_text(bench.config.read_text().replace(kafka.brokers, "127.0.0.1:1"))
    code, _, errors = bench.run("--rate", "1")
    assert code == 1, errors
