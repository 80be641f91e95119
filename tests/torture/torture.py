#!/usr/bin/env python3
"""torture.py [--minutes N] [--seed N] [--folder PATH]: see README.md. Ends with 1 when a promise broke."""
import argparse
import pathlib
import random
import shutil
import sys
import threading
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import faults  # noqa: E402
from chain import REFUSED_TENANT, TENANT_HEADER, Chain  # noqa: E402
from confluent_kafka import Consumer  # noqa: E402
from harness import promises  # noqa: E402
from harness.load import compare  # noqa: E402
from harness.processes import wait_until  # noqa: E402

SETTLE_SECONDS = 300


class Schedule:
    """Draws faults from one seed: a main line, and beside it those that touch no process."""

    def __init__(self, chain, seed, seconds):
        self.chain, self.random, self.found = chain, random.Random(seed), []
        self.started, self.end = time.monotonic(), time.monotonic() + seconds
        self.broken = threading.Event()

    def say(self, text):
        print(f"{time.monotonic() - self.started:7.1f}  {text}", flush=True)

    def wait(self, seconds):
        self.broken.wait(min(seconds, max(0.0, self.end - time.monotonic())))

    def run(self):
        lines = [threading.Thread(target=self.line, args=(choices, random.Random(self.random.random())))
                 for choices in (faults.ALL, faults.BESIDE)]
        for line in lines:
            line.start()
        for line in lines:
            line.join()
        return self.found

    def line(self, choices, dice):
        while time.monotonic() < self.end and not self.broken.is_set():
            self.wait(dice.uniform(2, 10))
            fault = dice.choice(choices)
            self.say(fault.__name__)
            try:
                wrong = fault(self.chain, random.Random(dice.random()), self.wait)
            except Exception as error:  # noqa: BLE001: whatever a fault cannot do is a finding
                traceback.print_exc()
                wrong = [f"{fault.__name__}: {error!r}"]
                self.broken.set()
            for text in wrong:
                self.say(f"BROKEN  {text}")
            self.found += wrong


def dead_letters(chain, seconds=15.0):
    """The values in the dead-letter topic of traces."""
    consumer = Consumer({"bootstrap.servers": chain.kafka.brokers, "group.id": "torture-check", "auto.offset.reset": "earliest"})
    consumer.subscribe([chain.pipeline.topics["traces"] + ".dlq"])
    found, quiet_since = [], time.monotonic()
    while time.monotonic() - quiet_since < seconds:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            found.append(message.value())
            quiet_since = time.monotonic()
    consumer.close()
    return found


def settle(chain):
    """Waits until all that was acknowledged has arrived."""
    found = []
    for load in chain.loads:
        load.process.wait(900)
        result = {}

        def complete():
            result.update(compare(chain.sink, load.ledger))
            return result["missing"] == 0

        try:
            wait_until(complete, SETTLE_SECONDS, "all that was acknowledged", 2)
        except AssertionError:
            found.append(f"{load.folder.name}: {result['missing']} acknowledged items are missing")
        print(f"{load.folder.name}: " + ", ".join(f"{k} {result[k]}" for k in ("acknowledged", "missing", "duplicates", "failed")), flush=True)
    letters = b"".join(dead_letters(chain))
    lost = [name for name in chain.poisoned if name.encode() not in letters]
    print(f"poisoned spans: {len(chain.poisoned)}, in the dead-letter topic {len(chain.poisoned) - len(lost)}", flush=True)
    if lost:
        found.append(f"{len(lost)} poisoned spans are no dead letters: {', '.join(lost)}")
    return found


def torture(folder, seconds, seed):
    promises.begin()
    chain = Chain(folder)
    chain.poisoned = []
    try:
        chain.start_load("traces", 300, round(seconds))
        chain.start_load("logs", 150, round(seconds), "--signal", "logs")
        chain.start_load("refused", 50, round(seconds), "--header", f"{TENANT_HEADER}={REFUSED_TENANT}")
        found = Schedule(chain, seed, seconds).run()
        chain.kafka.heal()
        found += settle(chain)
        found += chain.stop()
        return found + promises.broken()
    finally:
        chain.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--folder", type=pathlib.Path, default=HERE.parents[1] / "build/torture")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"torture: {arguments.minutes:g} minutes, seed {seed}; logs in {arguments.folder}", flush=True)
    shutil.rmtree(arguments.folder, ignore_errors=True)
    arguments.folder.mkdir(parents=True)
    (arguments.folder / "kafka").mkdir()
    found = torture(arguments.folder, arguments.minutes * 60, seed)
    for text in found:
        print(f"BROKEN  {text}")
    print(f"torture: {'BROKEN' if found else 'all promises held'}, seed {seed}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
