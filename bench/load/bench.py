#!/usr/bin/env python3
"""CPU, memory, latency and loss of whole paths, on real Kafka.

The system under test is pinned to core 0; the load tool, Kafka and the counting sink share core 1.
CPU is what the kernel has charged to the system's processes, in nanoseconds, between the first and
the last request; the column `broker` has the same of Kafka, which on consuming paths includes what
the feeder writes. Every run checks by count that nothing was lost and nothing came twice. Figures of
a path are the median of --runs runs; the machines are noisy, so compare within one run only.

Each path runs at every rate of --rate. At 0 the load tool offers all that is taken: what limits
then is core 1 (or the system, at a whole core), and the system no longer pays for sleeping and
waking between small pieces of work.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "bench")]

from harness.load import Load, Sink, compare  # noqa: E402
from harness.parts import Kafka  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.processes import BIN, Service, wait_until  # noqa: E402
from peers import otelcol  # noqa: E402

# Longest wait for what was acknowledged to arrive at the sink, after the last request.
ARRIVAL_SECONDS = 60


def pin(pid, core):
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {core})


def pinned(service, core):
    """Starts the service with all its threads on one core."""
    service.command = ["taskset", "-c", str(core), *service.command]
    return service


def cpu_clock(pid):
    """The clock of a process's CPU time, all its threads together, also those that have ended."""
    return (~pid << 3) | 2  # What clock_getcpuclockid(3) gives.


def cpu_seconds(pids):
    return sum(time.clock_gettime_ns(cpu_clock(pid)) for pid in pids) / 1e9


def rss_peak(services):
    total = 0
    for service in services:
        for line in pathlib.Path(f"/proc/{service.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1]) * 1024
    return total


class Path:
    """One way through the system: builds its services, knows where load goes in and what leaves.
    A peer's names the path of ours that it is held against."""

    def __init__(self, name, title, build, consumes, against=None):
        self.name, self.title, self.build, self.consumes, self.against = name, title, build, consumes, against


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
    # A group of its own: the member that the run before killed would hold up the join of this one
    # until its session ends.
    group = "bench-" + kafka["topics"]["traces"].rpartition(".")[2]
    return Service(
        "consumer",
        "spanway-kafka-bridge",
        {"mode": "consume", "kafka": kafka, "create_topics": True, "consumer": {"destination": "sink", "group": group, "signals": ["traces"], "start_from": "earliest"}, "destination": {"endpoint": endpoint}, "runtime": {"io_threads": 1}},
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


def build_collector_produce(folder, kafka, sink, port):
    return [otelcol.producing(folder, kafka, port)]


def build_collector_consume(folder, kafka, sink, port):
    return [otelcol.consuming(folder, kafka, sink.endpoint)]


PATHS = [
    Path("produce-fused", "OTLP/gRPC -> Kafka, fused", build_fused_produce, False),
    Path("produce-split", "OTLP/gRPC -> Kafka, two services", build_two_services, False),
    Path("produce-otelcol", "the same by the Collector", build_collector_produce, False, "produce-fused"),
    Path("consume-straight", "Kafka -> OTLP/gRPC, straight", build_straight_consume, True),
    Path("consume-exporter", "Kafka -> OTLP/gRPC, exporter", build_consume_through_exporter, True),
    Path("consume-otelcol", "the same by the Collector", build_collector_consume, True, "consume-straight"),
]


def create_topics(folder, section):
    """Creates the same topics for all peers, before any of them asks for their metadata."""
    apply = Service("topics", "spanway-kafka-bridge", {"mode": "produce", "kafka": section}, folder)
    subprocess.run([BIN / "spanway-kafka-bridge", "topics", "apply", "--config", apply.config_path], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(path, arguments, rate, folder, port, sink, services, broker):
    """Sends load through what runs; nothing else happens on core 0 meanwhile. `broker`: its pid."""
    pids = [service.process.pid for service in services]
    load = Load(folder, f"127.0.0.1:{port}", rate, arguments.seconds, "--item-bytes", arguments.item_bytes)
    load.ledger = folder / "measured"
    load.command = [str(load.ledger) if part.endswith("/ledger") else part for part in load.command]
    load.log_path = folder / "measured.log"
    before, broker_before, started = cpu_seconds(pids), cpu_seconds([broker]), time.monotonic()
    load.start()
    assert load.wait(arguments.seconds + 60) == 0, load.log()
    used, broker_used = cpu_seconds(pids) - before, cpu_seconds([broker]) - broker_before
    report = json.loads(load.log().splitlines()[-1])
    items, taken, latency = report["acknowledged"], report["items_per_second"], report["latency_ms"]
    result = {}
    if path.consumes or arguments.verify:

        def arrived():
            result.update(compare(sink, load.ledger))
            return result["missing"] == 0

        try:
            wait_until(arrived, ARRIVAL_SECONDS, "all items at the sink", 0.1)
        except AssertionError:
            pass
    if path.consumes:
        # The work ends when the last item has arrived.
        used, broker_used = cpu_seconds(pids) - before, cpu_seconds([broker]) - broker_before
        taken, latency = items / (time.monotonic() - started), result.get("latency_ms", {})
    return {
        "taken": taken,
        "cpu_per_million": used / items * 1e6,
        "broker_per_million": broker_used / items * 1e6,
        "cpu_per_gb": used / (items * arguments.item_bytes) * 1e9,
        "rss_mib": rss_peak(services) / 2**20,
        "p50_ms": latency.get("p50"),
        "p99_ms": latency.get("p99"),
        "lost": result.get("missing"),
        "duplicated": result.get("duplicates"),
    }


def run_once(path, kafka, arguments, rate, number):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="spanway-bench-"))
    port = free_port()
    section = kafka_section(kafka.brokers, number)
    create_topics(folder, section)
    sink = Sink(folder).start()
    services = [pinned(service, 0) for service in path.build(folder, section, sink, port)]
    helpers = []
    try:
        for service in services:
            service.start()
        if path.consumes:
            # The measured process reads; an unmeasured fused producer on core 1 feeds the topics.
            helpers = build_fused_produce(folder, section, sink, port)
            helpers[0].name = "feeder"
        elif arguments.verify:
            helpers = [consumer(folder, section, sink.endpoint)]
        for helper in helpers:
            helper.start()
        for service in services + helpers:
            service.wait_ready(40)
        # Warm up: connections, metadata, first assignment.
        warm = Load(folder, f"127.0.0.1:{port}", 2000, 2, "--item-bytes", arguments.item_bytes).start()
        assert warm.wait(60) == 0, warm.log()
        time.sleep(1)
        return measure(path, arguments, rate, folder, port, sink, services, kafka.pid())
    finally:
        for process in services + helpers + [sink]:
            if process.alive():
                process.kill9()
        shutil.rmtree(folder, ignore_errors=True)


def middle_of(runs):
    """The median of each figure; of what was lost or came twice, the worst."""
    middle = {}
    for key in runs[0]:
        values = [run[key] for run in runs if run[key] is not None]
        summary = max if key in ("lost", "duplicated") else statistics.median
        middle[key] = summary(values) if values else None
    return middle


def show(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def print_head():
    print(f"{'path':36} {'offered/s':>9} {'taken/s':>8} {'CPU-s/M':>8} {'range':>11} {'broker':>6} {'CPU-s/GB':>9} {'x ours':>6} {'RSS MiB':>8} {'p50 ms':>7} {'p99 ms':>7} {'lost':>5} {'dup':>5}")


def print_row(path, rate, runs, ours):
    """`ours`: CPU-s/M of the path that a peer is held against, where it has run."""
    middle = middle_of(runs)
    costs = [run["cpu_per_million"] for run in runs]
    span = f"{min(costs):.2f}-{max(costs):.2f}"
    ratio = middle["cpu_per_million"] / ours if ours else None
    print(
        f"{path.title:36} {rate or 'all':>9} {show(middle['taken'], 0):>8} {show(middle['cpu_per_million']):>8} {span:>11} {show(middle['broker_per_million']):>6} {show(middle['cpu_per_gb']):>9} {show(ratio, 1):>6} "
        f"{show(middle['rss_mib'], 0):>8} {show(middle['p50_ms'], 1):>7} {show(middle['p99_ms'], 1):>7} {show(middle['lost'], 0):>5} {show(middle['duplicated'], 0):>5}",
        flush=True,
    )
    return middle["cpu_per_million"]


def requested_paths(arguments):
    names = arguments.paths.split(",")
    unknown = set(names) - {path.name for path in PATHS}
    if unknown:
        sys.exit(f"no such path: {', '.join(sorted(unknown))}")
    paths = [path for path in PATHS if path.name in names]
    if any(path.against for path in paths) and not otelcol.is_built():
        print("without the Collector, which is not built: tests/parts/jaeger.sh get", file=sys.stderr)
        paths = [path for path in paths if not path.against]
    return paths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", default=",".join(p.name for p in PATHS), help="comma-separated; default all")
    parser.add_argument("--rate", default="60000,0", help="items per second, comma-separated; 0 = all that is taken (default %(default)s)")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--item-bytes", type=int, default=770)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-verify", dest="verify", action="store_false", help="do not read back what was produced")
    arguments = parser.parse_args()
    rates = [int(rate) for rate in arguments.rate.split(",")]
    paths = requested_paths(arguments)
    folder = tempfile.mkdtemp(prefix="spanway-bench-kafka-")
    kafka = Kafka(folder).start()
    pin(kafka.pid(), 1)
    os.sched_setaffinity(0, {1})  # Whatever this process starts, too, unless it is pinned to core 0.
    number, costs = 0, {}
    try:
        print(f"{arguments.item_bytes} B items, {arguments.seconds} s, median of {arguments.runs}; system on core 0")
        print_head()
        for path, rate in ((path, rate) for path in paths for rate in rates):
            runs = []
            for _ in range(arguments.runs):
                number += 1
                runs.append(run_once(path, kafka, arguments, rate, f"{os.getpid()}-{number}"))
            costs[path.name, rate] = print_row(path, rate, runs, costs.get((path.against, rate)))
    finally:
        kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
