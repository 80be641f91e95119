#!/usr/bin/env python3
"""CPU, memory, latency and loss of whole paths, on real Kafka.

The system under test is pinned to core 0; the load tool, Kafka and the counting sink share core 1.
CPU is utime + stime of the system's processes between the first and the last request, from
/proc/PID/stat. Every run checks by count that nothing was lost and nothing came twice. Figures of a
path are the median of --runs runs; the machines are noisy, so compare within one run only.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from harness.load import Load, Sink, compare  # noqa: E402
from harness.parts import Kafka  # noqa: E402
from harness.processes import Service, free_port, wait_until  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def pin(pid, core):
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {core})


def pinned(service, core):
    """Starts the service with all its threads on one core."""
    service.command = ["taskset", "-c", str(core), *service.command]
    return service


def cpu_seconds(services):
    total = 0
    for service in services:
        fields = pathlib.Path(f"/proc/{service.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def rss_peak(services):
    total = 0
    for service in services:
        for line in pathlib.Path(f"/proc/{service.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1]) * 1024
    return total


class Path:
    """One way through the system: builds its services, knows where load goes in and what leaves."""

    def __init__(self, name, title, build, consumes):
        self.name, self.title, self.build, self.consumes = name, title, build, consumes


def kafka_section(brokers, number):
    return {"brokers": [brokers], "topics": {s: f"bench.{s}.{number}" for s in ("traces", "metrics", "logs")}}


def listener(port):
    return {"host": "127.0.0.1", "grpc": {"port": port}}


def build_fused_produce(folder, kafka, sink, port):
    return [
        Service(
            "spanway",
            "spanway",
            {
                "run": ["ingress", "bridge"],
                "ingress": {"otlp": {**listener(port), "http": {"enabled": False}}},
                "bridge": {"mode": "produce", "kafka": kafka, "create_topics": True},
                "runtime": {"io_threads": 1},
            },
            folder,
        )
    ]


def build_two_services(folder, kafka, sink, port):
    behind = free_port()
    return [
        Service("bridge", "spanway-kafka-bridge", {"mode": "produce", "kafka": kafka, "create_topics": True, "otlp": listener(behind), "runtime": {"io_threads": 1}}, folder),
        Service("ingress", "spanway-ingress", {"otlp": {**listener(port), "http": {"enabled": False}}, "next": {"endpoint": f"127.0.0.1:{behind}"}, "runtime": {"io_threads": 1}}, folder),
    ]


def consumer(folder, kafka, endpoint):
    return Service(
        "consumer",
        "spanway-kafka-bridge",
        {"mode": "consume", "kafka": kafka, "create_topics": True, "consumer": {"destination": "sink", "signals": ["traces"], "start_from": "earliest"}, "destination": {"endpoint": endpoint}, "runtime": {"io_threads": 1}},
        folder,
    )


def build_straight_consume(folder, kafka, sink, port):
    return [consumer(folder, kafka, sink.endpoint)]


def build_consume_through_exporter(folder, kafka, sink, port):
    behind = free_port()
    exporter = Service(
        "exporter",
        "spanway-exporter",
        {"otlp": listener(behind), "destination": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": sink.endpoint}}, "runtime": {"io_threads": 1}},
        folder,
    )
    return [exporter, consumer(folder, kafka, f"127.0.0.1:{behind}")]


PATHS = [
    Path("produce-fused", "OTLP/gRPC -> Kafka, ingress and bridge fused", build_fused_produce, False),
    Path("produce-split", "OTLP/gRPC -> Kafka, two services", build_two_services, False),
    Path("consume-straight", "Kafka -> OTLP/gRPC, bridge straight to the backend", build_straight_consume, True),
    Path("consume-exporter", "Kafka -> OTLP/gRPC through the exporter", build_consume_through_exporter, True),
]


def run_once(path, kafka, arguments, number):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="spanway-bench-"))
    port = free_port()
    section = kafka_section(kafka.brokers, number)
    sink = pinned(Sink(folder), 1).start()
    services = [pinned(service, 0) for service in path.build(folder, section, sink, port)]
    helpers = []
    try:
        for service in services:
            service.start()
        if path.consumes:
            # What is measured reads; an unmeasured fused producer on core 1 feeds the topics.
            helpers = [pinned(service, 1) for service in build_fused_produce(folder, section, sink, port)]
            helpers[0].name = "feeder"
        else:
            helpers = [pinned(consumer(folder, section, sink.endpoint), 1)] if arguments.verify else []
        for helper in helpers:
            helper.start()
        for service in services + helpers:
            service.wait_ready(40)
        # Warm up: connections, metadata, first assignment.
        warm = pinned(Load(folder, f"127.0.0.1:{port}", 2000, 2, "--item-bytes", arguments.item_bytes), 1).start()
        assert warm.wait(60) == 0, warm.log()
        time.sleep(1)
        before, started = cpu_seconds(services), time.monotonic()
        load = Load(folder, f"127.0.0.1:{port}", arguments.rate, arguments.seconds, "--item-bytes", arguments.item_bytes)
        load.ledger = folder / "measured"
        load.command = ["taskset", "-c", "1", *[str(load.ledger) if part.endswith("/ledger") else part for part in load.command]]
        load.log_path = folder / "measured.log"
        load.start()
        assert load.wait(arguments.seconds + 60) == 0, load.log()
        report = json.loads(load.log().splitlines()[-1])
        result = {}
        if path.consumes or arguments.verify:

            def arrived():
                result.update(compare(sink, load.ledger))
                return result["missing"] == 0

            try:
                wait_until(arrived, 30, "all items at the sink", 0.1)
            except AssertionError:
                pass
        used = cpu_seconds(services) - before
        items = report["acknowledged"]
        latency = result.get("latency_ms", {}) if path.consumes else report["latency_ms"]
        return {
            "items": items,
            "seconds": time.monotonic() - started,
            "cpu_per_million": used / items * 1e6,
            "cpu_per_gb": used / (items * arguments.item_bytes) * 1e9,
            "rss_mib": rss_peak(services) / 2**20,
            "p50_ms": latency.get("p50"),
            "p99_ms": latency.get("p99"),
            "lost": result.get("missing"),
            "duplicated": result.get("duplicates"),
        }
    finally:
        for process in services + helpers + [sink]:
            if process.alive():
                process.kill9()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", default=",".join(p.name for p in PATHS), help="comma-separated; default all")
    parser.add_argument("--rate", type=int, default=60_000, help="items per second (default %(default)s)")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--item-bytes", type=int, default=770)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-verify", dest="verify", action="store_false", help="do not read back what was produced")
    arguments = parser.parse_args()
    names = arguments.paths.split(",")
    folder = tempfile.mkdtemp(prefix="spanway-bench-kafka-")
    kafka = Kafka(folder).start()
    pin(kafka.pid(), 1)
    number = 0
    try:
        print(f"{arguments.item_bytes} B items, {arguments.rate}/s offered, {arguments.seconds} s, median of {arguments.runs}; system on core 0")
        print(f"{'path':52} {'CPU-s/M':>8} {'CPU-s/GB':>9} {'RSS MiB':>8} {'p50 ms':>7} {'p99 ms':>7} {'lost':>5} {'dup':>5}")
        for path in (p for p in PATHS if p.name in names):
            runs = []
            for _ in range(arguments.runs):
                number += 1
                runs.append(run_once(path, kafka, arguments, f"{os.getpid()}-{number}"))
            middle = {key: statistics.median([r[key] for r in runs]) if None not in [r[key] for r in runs] else None for key in runs[0]}
            worst = {key: max((r[key] for r in runs if r[key] is not None), default=None) for key in ("lost", "duplicated")}
            show = lambda value, digits=2: "-" if value is None else f"{value:.{digits}f}"  # noqa: E731
            print(
                f"{path.title:52} {show(middle['cpu_per_million']):>8} {show(middle['cpu_per_gb']):>9} {show(middle['rss_mib'], 0):>8} "
                f"{show(middle['p50_ms'], 1):>7} {show(middle['p99_ms'], 1):>7} {show(worst['lost'], 0):>5} {show(worst['duplicated'], 0):>5}",
                flush=True,
            )
    finally:
        kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
