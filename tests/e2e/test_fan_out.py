"""One stream to every destination at once. Each backend in turn hangs, is killed and comes back: the
others' lag returns to zero meanwhile, and in the end every acknowledged item is in every destination; in
ClickHouse, S3, Loki and Prometheus once."""
import os
import random
import signal

import pytest
from harness.fan_out import Backends, Ledger, lag, pipeline_to
from harness.parts import require_built
from harness.pipeline import running
from harness.processes import wait_until

# SPANWAY_KILLS=200 repeats the long run of bench/README.md; SPANWAY_KILLS_SEED chooses another order.
KILLS, SEED = int(os.environ.get("SPANWAY_KILLS", "12")), int(os.environ.get("SPANWAY_KILLS_SEED", "12"))


@pytest.fixture
def backends(tmp_path):
    for part in ("loki", "prometheus", "s3"):
        require_built(part)
    with Backends(tmp_path) as backends:
        yield backends


def everything_in(ledger, names, when):
    for name in names:
        try:
            wait_until(lambda: ledger.complete(name), 120, "all items", interval=0.5)
        except AssertionError:
            pytest.fail(f"{name} {when}: {ledger.missing(name)}")


def test_a_dead_backend_stalls_only_itself_and_every_destination_gets_everything(kafka, backends, tmp_path):
    pipeline = pipeline_to(backends, kafka, tmp_path)
    ledger = Ledger(backends)

    def others_are_not_concerned(name, how):
        for _ in range(5):
            ledger.send(pipeline.endpoint)
        others = [other for other in backends.all if other != name]
        everything_in(ledger, [other for other in others if (name, other) != ("clickhouse", "s3")], f"while {name} {how}")
        for other in others:
            wait_until(lambda: lag(pipeline.consumers[other]) == 0, 30, f"no lag of {other} while {name} {how}", interval=0.2)
        assert lag(pipeline.consumers[name]) > 0

    with running(pipeline):
        ledger.send(pipeline.endpoint)
        everything_in(ledger, backends.all, "at first")
        for name, backend in backends.all.items():
            backend.signal(signal.SIGSTOP)
            try:
                others_are_not_concerned(name, "hangs")
            finally:
                backend.signal(signal.SIGCONT)
            everything_in(ledger, [name], "after it hung")
            if name == "zipkin":  # It keeps its spans in memory.
                continue
            backend.signal(signal.SIGKILL)
            others_are_not_concerned(name, "is killed")
            backend.start()
            everything_in(ledger, [name], "after it was killed")
        backends.s3.stop()
        backends.s3.start(READONLY="1")
        others_are_not_concerned("s3", "is read-only")
        backends.s3.stop()
        backends.s3.start(SECRET_KEY="another")
        others_are_not_concerned("s3", "refuses the key")
        wait_until(lambda: pipeline.consumers["s3"].status()["stalls"], 30, "a stall, no dead letters", interval=0.2)
        backends.s3.stop()
        backends.s3.start()
        everything_in(ledger, backends.all, "at the end")


def test_random_kills_lose_nothing_and_store_nothing_twice(kafka, backends, tmp_path):
    """kill -9 of the exporters and consuming bridges of ClickHouse and S3, and of both servers."""
    pipeline = pipeline_to(backends, kafka, tmp_path)
    ledger, choose = Ledger(backends), random.Random(SEED)
    victims = [services[name] for services in (pipeline.exporters, pipeline.consumers, backends.all) for name in ("clickhouse", "s3")]
    with running(pipeline):
        for _ in range(KILLS):
            for _ in range(choose.randint(1, 3)):
                ledger.send(pipeline.endpoint)
            victim = choose.choice(victims)
            victim.kill9()
            victim.start()
        everything_in(ledger, backends.all, f"after {KILLS} kills with seed {SEED}")
        # The rollups of a table are filled after it, and those of an interrupted insert by its repetition.
        wait_until(lambda: ledger.rollups() == {}, 60, f"rollups equal to their rows: {ledger.rollups()}", interval=0.5)
