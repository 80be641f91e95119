"""Nothing that was acknowledged is lost: kill -9 of each service and restarts of Kafka under load.

Each kill happens while the broker is frozen or the backend slow, so that the queues are not empty:
without that such a test proves nothing.
"""
import signal
import time

import pytest
from harness.load import Load, Sink, compare
from harness.pipeline import Pipeline, running
from harness.processes import wait_until


def to(sink):
    return {"sink": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": sink.endpoint}}}


@pytest.fixture
def sink(tmp_path):
    with Sink(tmp_path).start() as sink:
        yield sink


def settle(sink, ledger, seconds=60):
    """Waits until nothing acknowledged is missing; returns the comparison."""
    result = {}

    def check():
        result.update(compare(sink, ledger))
        return result["missing"] == 0

    try:
        wait_until(check, seconds, "all that was acknowledged", 0.5)
    except AssertionError:
        raise AssertionError(f"acknowledged but not delivered: {result}") from None
    return result


def test_without_a_fault_nothing_is_lost_and_nothing_comes_twice(kafka, sink, tmp_path):
    with running(Pipeline(tmp_path, kafka.brokers, to(sink))) as pipeline:
        load = Load(tmp_path, pipeline.endpoint, 20_000, 5).start()
        assert load.wait(60) == 0, load.log()
        result = settle(sink, load.ledger)
        assert result["acknowledged"] == 100_000 and result["duplicates"] == 0 and result["unseen"] == 0, result


@pytest.mark.parametrize("victim", ["ingress", "bridge", "consumer-sink", "exporter-sink"])
def test_kill_9_under_load_with_the_broker_frozen(kafka, sink, tmp_path, victim):
    with running(Pipeline(tmp_path, kafka.brokers, to(sink))) as pipeline:
        service = next(s for s in pipeline.services() if s.name == victim)
        load = Load(tmp_path, pipeline.endpoint, 5_000, 12).start()
        for _ in range(2):
            time.sleep(2)
            kafka.signal(signal.SIGSTOP)
            time.sleep(1)
            service.kill9()
            kafka.signal(signal.SIGCONT)
            service.restart()
            service.wait_ready()
        assert load.wait(90) == 0, load.log()
        result = settle(sink, load.ledger)
        assert result["acknowledged"] > 10_000, result


def test_kill_9_of_the_consumer_while_the_backend_is_slow(kafka, tmp_path):
    with Sink(tmp_path, "slow-sink", "--delay-ms", "300").start() as sink:
        with running(Pipeline(tmp_path, kafka.brokers, to(sink))) as pipeline:
            consumer = pipeline.consumers["sink"]
            load = Load(tmp_path, pipeline.endpoint, 5_000, 10).start()
            for _ in range(2):
                time.sleep(3)
                consumer.kill9()
                consumer.restart()
                consumer.wait_ready()
            assert load.wait(90) == 0, load.log()
            settle(sink, load.ledger)


def test_kafka_restarted_under_load(kafka, sink, tmp_path):
    with running(Pipeline(tmp_path, kafka.brokers, to(sink))) as pipeline:
        load = Load(tmp_path, pipeline.endpoint, 5_000, 15).start()
        time.sleep(3)
        kafka.stop()
        time.sleep(2)
        kafka.start()
        time.sleep(3)
        kafka.kill9()
        kafka.start()
        assert load.wait(120) == 0, load.log()
        result = settle(sink, load.ledger, 90)
        assert result["acknowledged"] > 10_000, result
        assert all(service.alive() for service in pipeline.services())


def test_a_dead_backend_is_waited_for_and_clients_do_not_notice(kafka, sink, tmp_path):
    with running(Pipeline(tmp_path, kafka.brokers, to(sink))) as pipeline:
        load = Load(tmp_path, pipeline.endpoint, 5_000, 8).start()
        time.sleep(2)
        sink.freeze()
        time.sleep(4)
        sink.thaw()
        assert load.wait(60) == 0, load.log()
        result = settle(sink, load.ledger)
        assert result["acknowledged"] == 40_000, result


def test_sigterm_under_load_drains_and_ends_with_0(kafka, sink, tmp_path):
    with running(Pipeline(tmp_path, kafka.brokers, to(sink))) as pipeline:
        load = Load(tmp_path, pipeline.endpoint, 5_000, 14).start()
        for service in (pipeline.consumers["sink"], pipeline.exporters["sink"], pipeline.bridge, pipeline.ingress):
            time.sleep(1.5)
            assert service.stop() == 0, service.log()[-2000:]
            service.restart()
            service.wait_ready()
        assert load.wait(90) == 0, load.log()
        settle(sink, load.ledger)


def test_memory_stays_bounded_while_kafka_is_away(kafka, sink, tmp_path):
    with running(Pipeline(tmp_path, kafka.brokers, to(sink))) as pipeline:
        kafka.signal(signal.SIGSTOP)
        try:
            load = Load(tmp_path, pipeline.endpoint, 60_000, 12).start()
            peak = 0
            while load.alive() and peak < 2**30:
                peak = max(peak, pipeline.ingress.rss_bytes(), pipeline.bridge.rss_bytes())
                time.sleep(0.2)
                if load.process.poll() is None and time.monotonic() - load.started > 12:
                    break
        finally:
            kafka.signal(signal.SIGCONT)
        assert peak < 350 * 2**20, f"{peak >> 20} MiB"
        load.wait(120)
        settle(sink, load.ledger)
