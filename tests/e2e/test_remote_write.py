"""A real Prometheus behind the exporter: each answer of its remote-write receiver with its meaning, and
every sample once and in order through the whole pipeline."""
import itertools
import os
import signal
import time

import grpc
import pytest
from confluent_kafka import Consumer, TopicPartition
from harness.parts import Prometheus
from harness.pipeline import Pipeline, running
from harness.ports import free_port
from harness.processes import Service, wait_until
from harness.send import grpc_export, text
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

NANOS = 10**9
_numbers = itertools.count(1)
both_protocols = pytest.mark.parametrize("protocol", ["2.0", "1.0"])


def gauges(points, service="shop", temporality=None):
    """[(metric, seconds, value)] as one request; with a temporality they are sums."""
    request = ExportMetricsServiceRequest()
    outer = request.resource_metrics.add()
    outer.resource.attributes.append(text("service.name", service))
    scope = outer.scope_metrics.add()
    for name, at, value in points:
        metric = scope.metrics.add(name=name)
        data = metric.gauge
        if temporality is not None:
            data = metric.sum
            data.aggregation_temporality = temporality
        data.data_points.add(time_unix_nano=int(at * NANOS), as_double=value)
    return request


def section(prometheus, **changes):
    settings = {"endpoint": prometheus.write_url, **changes}
    return {"type": "prometheus_remote_write", "prometheus_remote_write": settings}


class Exporter:
    def __init__(self, folder, destination):
        self.endpoint = f"127.0.0.1:{free_port()}"
        self.service = Service(
            f"exporter-{next(_numbers)}",
            "spanway-exporter",
            {"otlp": {"host": "127.0.0.1", "grpc": {"port": int(self.endpoint.split(":")[1])}}, "destination": destination},
            folder,
        )

    def __enter__(self):
        self.service.start().wait_listening()
        return self

    def __exit__(self, *_):
        if self.service.alive():
            self.service.kill9()

    def send(self, request):
        """How many points were rejected, and why."""
        partial = grpc_export(self.endpoint, request).partial_success
        return partial.rejected_data_points, partial.error_message

    def refusal_of(self, request):
        with pytest.raises(grpc.RpcError) as refused:
            self.send(request)
        return refused.value.code()


def values(prometheus, metric, now):
    """[value] of the only series of `metric`, in the order of time."""
    found = prometheus.samples(now, metric)
    assert len(found) <= 1
    return [float(value) for series, _ in found.values() for _, value in series]


@both_protocols
def test_what_is_refused_for_good_is_rejected_and_all_else_is_stored(tmp_path, protocol):
    now = int(time.time())
    with Prometheus(tmp_path, window="0s") as prometheus, Exporter(tmp_path, section(prometheus, protocol=protocol)) as exporter:
        names = [f"g{i}" for i in range(20)]
        assert exporter.send(gauges([(name, now - 100, 1.0) for name in names])) == (0, "")
        batch = [(name, now - 50, 2.0) for name in names]
        batch[3] = ("g3", now - 200, 2.0)  # Out of order.
        batch[7] = ("g7", now + 3600, 2.0)  # In the future.
        batch[11] = ("g11", now - 100, 3.0)  # Another value at the same time.
        rejected, why = exporter.send(gauges(batch))
        assert rejected == 3
        assert "out of order" in why or "out of bounds" in why or "duplicate sample" in why
        for i, name in enumerate(names):
            assert values(prometheus, name, now) == ([1.0] if i in (3, 7, 11) else [1.0, 2.0]), name


@both_protocols
def test_a_batch_that_comes_again_changes_nothing(tmp_path, protocol):
    now = int(time.time())
    with Prometheus(tmp_path) as prometheus, Exporter(tmp_path, section(prometheus, protocol=protocol)) as exporter:
        first, second = (gauges([(f"g{i}", now - at, at) for i in range(5)]) for at in (100, 50))
        for request in (first, second, first, second):
            assert exporter.send(request) == (0, "")
        for i in range(5):
            assert values(prometheus, f"g{i}", now) == [100.0, 50.0]


@both_protocols
def test_a_batch_that_is_old_as_a_whole_is_rejected_at_once(tmp_path, protocol):
    """A repetition after a crash, at a receiver without a window: no endless halving, no stall."""
    now = int(time.time())
    with Prometheus(tmp_path, window="0s") as prometheus, Exporter(tmp_path, section(prometheus, protocol=protocol)) as exporter:
        for at in (100, 50):
            assert exporter.send(gauges([(f"g{i}", now - at, 1.0) for i in range(40)])) == (0, "")
        rejected, why = exporter.send(gauges([(f"g{i}", now - 100, 1.0) for i in range(40)]))
        assert rejected == 40
        assert "out of order" in why


def test_a_receiver_of_1_0_only_is_found_out(tmp_path):
    now = int(time.time())
    only_v1 = "--web.remote-write-receiver.accepted-protobuf-messages=prometheus.WriteRequest"
    with Prometheus(tmp_path, arguments=only_v1) as prometheus:
        with Exporter(tmp_path, section(prometheus)) as exporter:
            request = gauges([("g", now - 10, 1.0)])
            try:
                exporter.send(request)
            except grpc.RpcError as refused:  # Unless the exporter's probe was first.
                assert refused.code() == grpc.StatusCode.UNAVAILABLE
            assert exporter.send(request) == (0, "")
            assert values(prometheus, "g", now) == [1.0]
        with Exporter(tmp_path, section(prometheus, protocol="2.0")) as exporter:
            assert exporter.refusal_of(request) == grpc.StatusCode.UNIMPLEMENTED


def test_a_wrong_configuration_is_no_data_error(tmp_path):
    request = gauges([("g", time.time(), 1.0)])
    with Prometheus(tmp_path) as prometheus:
        with Exporter(tmp_path, section(prometheus, endpoint=prometheus.url + "/wrong")) as exporter:
            assert exporter.refusal_of(request) == grpc.StatusCode.NOT_FOUND
        prometheus.stop()
        with Exporter(tmp_path, section(prometheus)) as exporter:
            assert exporter.refusal_of(request) == grpc.StatusCode.UNAVAILABLE


def pipeline_to(prometheus, kafka, folder, **changes):
    consumer = {"consumer": {"max_in_flight_per_partition": 1}}
    return Pipeline(folder, kafka.brokers, {"prometheus": section(prometheus, **changes)}, consumer=consumer, signals=("metrics",))


def dead_letters(kafka, topic):
    """Headers of all records of `topic`, in whatever partition."""
    consumer = Consumer({"bootstrap.servers": kafka.brokers, "group.id": "test-" + os.urandom(4).hex()})
    try:
        known = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        found = []
        for partition in known:
            place = TopicPartition(topic, partition, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=10)
            consumer.assign([place])
            for _ in range(end):
                message = consumer.poll(10)
                assert message is not None and message.error() is None
                found.append({key: value.decode() for key, value in message.headers()})
        return found
    finally:
        consumer.close()


@both_protocols
def test_samples_stay_in_order_without_a_window(kafka, tmp_path, protocol):
    """Any sample that overtakes another one of its series would be refused."""
    now = int(time.time())
    with Prometheus(tmp_path, window="0s") as prometheus:
        pipeline = pipeline_to(prometheus, kafka, tmp_path, protocol=protocol)
        with running(pipeline):
            for at in range(100):
                for service in ("alpha", "beta", "gamma"):
                    grpc_export(pipeline.endpoint, gauges([("m", now - 500 + at, at)], service))
            stored = lambda: sum(len(series) for series, _ in prometheus.samples(now, "m").values())  # noqa: E731
            wait_until(lambda: stored() == 300, 60, "all samples in Prometheus", interval=0.3)
            assert dead_letters(kafka, pipeline.topics["metrics"] + ".dlq") == []


def test_refused_samples_are_dead_letters_with_their_reason(kafka, tmp_path):
    now = int(time.time())
    with Prometheus(tmp_path, window="0s") as prometheus:
        pipeline = pipeline_to(prometheus, kafka, tmp_path)
        topic = pipeline.topics["metrics"] + ".dlq"
        with running(pipeline):
            grpc_export(pipeline.endpoint, gauges([("m", now - 10, 1.0)]))
            wait_until(lambda: values(prometheus, "m", now) == [1.0], 60, "the sample in Prometheus", interval=0.2)
            grpc_export(pipeline.endpoint, gauges([("m", now - 100, 1.0), ("n", now - 100, 1.0)]))
            (letter,) = wait_until(lambda: dead_letters(kafka, topic), 60, "a dead letter", 0.2)
            assert letter["spanway-rejected"] == "1/2"
            assert "out of order sample" in letter["spanway-error"]
            assert values(prometheus, "n", now) == [1.0]
            grpc_export(pipeline.endpoint, gauges([("d", now - 5, 1.0)], temporality=1))
            wait_until(lambda: len(dead_letters(kafka, topic)) == 2, 60, "the dead letter of a delta", 0.2)
            assert any("delta temporality" in letter["spanway-error"] for letter in dead_letters(kafka, topic))


@both_protocols
def test_each_sample_once_after_kills_and_a_backend_that_hangs(kafka, tmp_path, protocol):
    now = int(time.time())
    with Prometheus(tmp_path) as prometheus:
        pipeline = pipeline_to(prometheus, kafka, tmp_path, protocol=protocol, timeout="2s")
        exporter, consumer = pipeline.exporters["prometheus"], pipeline.consumers["prometheus"]
        sent = 0

        def send(count):
            nonlocal sent
            for _ in range(count):
                for service in ("alpha", "beta"):
                    grpc_export(pipeline.endpoint, gauges([(f"m{i}", now - 900 + sent, sent) for i in range(10)], service))
                sent += 1

        with running(pipeline):
            for _ in range(3):
                send(10)
                exporter.kill9()
                send(5)
                exporter.restart()
                consumer.kill9()
                consumer.restart()
            prometheus.signal(signal.SIGSTOP)
            try:
                send(40)
                # The group assigns nothing until the sessions of the consumers that were killed have ended.
                wait_until(lambda: exporter.metric("spanway_sink_http_answers_total", **{"class": "none"}), 90, "requests hang")
                rss = exporter.peak_bytes()
            finally:
                prometheus.signal(signal.SIGCONT)
            assert rss < 256 << 20
            expected = [float(i) for i in range(sent)]

            def stored():
                found = prometheus.samples(now, '{__name__=~"m.*"}').values()
                return len(found) == 20 and all([float(value) for _, value in series] == expected for series, _ in found)

            wait_until(stored, 90, "all samples in Prometheus, each once", interval=0.5)
            assert dead_letters(kafka, pipeline.topics["metrics"] + ".dlq") == []
