#!/usr/bin/env python3
"""Counts what one request costs on each path; nothing is timed.

Real Kafka and the services run as in bench/load. One connection sends one request after the other, at
a rate that leaves the services asleep between two of them, so each request pays for all of its
wake-ups (--requests-a-second 117 --connections 2 --in-flight 8 is the load of bench/load at 60,000/s). What the idle services do in the same time is counted before and taken off. A round is
--requests requests, a figure the median of --rounds rounds.

--check holds the figures against the bounds of the table in bench/README.md and ends with 1 where
one is exceeded; nothing is held against a time. --write puts the figures into that table and leaves
its bounds.
"""
import argparse
import contextlib
import json
import mmap
import os
import pathlib
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "bench"), str(ROOT / "bench/load"), str(ROOT / "bench/cost")]

import bench  # noqa: E402
import stages  # noqa: E402
import table  # noqa: E402
from harness.load import Sink, compare  # noqa: E402
from harness.parts import Kafka  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.processes import BIN, Process, Service, wait_until  # noqa: E402

# The calls that are listed by name with --kinds; the rest is in the sum.
KINDS = (
    "recvfrom recvmsg read readv sendto sendmsg write writev epoll_wait epoll_pwait epoll_ctl poll ppoll futex "
    "timerfd_settime setsockopt madvise mmap munmap mprotect brk clock_nanosleep sched_yield"
).split()
ALL_CALLS = "raw_syscalls:sys_enter"
SIZES = (512, 64, 8)
ITEM_BYTES = 770
IDLE_SECONDS = 2.0
ARRIVAL_SECONDS = 60


def build_ingress(folder, kafka, sink, port):
    config = {"otlp": {**bench.listener(port), "http": {"enabled": False}}, "next": {"endpoint": sink.endpoint}, "runtime": {"io_threads": 1}}
    return [Service("ingress", "spanway-ingress", config, folder)]


PATHS = [bench.Path("ingress", "ingress alone -> a sink", build_ingress, False)] + [
    path for path in bench.PATHS if path.against is None
]


class SystemCalls:
    """Counts the system calls of processes by tracepoints, which cost next to nothing. Where those
    are not allowed, strace counts; it slows the processes, so more is found done at each wake-up."""

    def __init__(self, pids, folder):
        self.pids, self.file = [str(pid) for pid in pids], folder / "calls"

    @staticmethod
    def by_tracepoints():
        done = subprocess.run(["perf", "stat", "-e", ALL_CALLS, "true"], capture_output=True, text=True) if shutil.which("perf") else None
        return done is not None and done.returncode == 0 and "not supported" not in done.stderr

    def command(self):
        if self.by_tracepoints():
            events = [ALL_CALLS, *(f"syscalls:sys_enter_{kind}" for kind in KINDS)]
            return ["perf", "stat", "--per-thread", "-x", ";", "-o", self.file, *(part for e in events for part in ("-e", e)), "-p", ",".join(self.pids)]
        return ["strace", "-c", "-f", "-o", self.file, *(part for pid in self.pids for part in ("-p", pid))]

    @contextlib.contextmanager
    def counting(self):
        """Gives a dictionary that is filled at the end: (thread, call) -> count."""
        counts = {}
        self.file.unlink(missing_ok=True)
        counter = subprocess.Popen([str(part) for part in self.command()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)  # Until it has attached; what is counted begins later.
        assert counter.poll() is None, f"{self.command()[0]} has ended"
        try:
            yield counts
        finally:
            counter.send_signal(signal.SIGINT)
            counter.wait(30)
        counts.update(self.read())

    def read(self):
        counts = {}
        for line in self.file.read_text().splitlines():
            fields = line.split(";")
            if len(fields) > 3 and fields[1].isdigit():  # perf: thread-tid;count;unit;event
                key = (fields[0].strip().rpartition("-")[0], fields[3].rpartition("sys_enter")[2].lstrip("_") or "all")
                counts[key] = counts.get(key, 0) + int(fields[1])
            elif len(line.split()) >= 5 and line.split()[3].isdigit():  # strace: %, seconds, us, calls, (errors), name
                fields = line.split()
                key = ("-", "all" if fields[-1] == "total" else fields[-1])
                counts[key] = counts.get(key, 0) + int(fields[3])
        return counts


def switches_and_faults(pid):
    """Voluntary and involuntary context switches of all threads, and page faults without a disk."""
    voluntary = involuntary = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            voluntary += int(value) if name == "voluntary_ctxt_switches" else 0
            involuntary += int(value) if name == "nonvoluntary_ctxt_switches" else 0
    faults = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[7])
    return voluntary, involuntary, faults


def preloaded_counts(path):
    """(allocations, allocated bytes, copied bytes) of counters.cc."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 24, prot=mmap.PROT_READ) as counts:
        return struct.unpack("3Q", counts[:24])


def observe(services):
    """All counts but those of calls, summed over the services."""
    counts = dict.fromkeys(("voluntary", "involuntary", "faults", "allocations", "allocated", "copied"), 0)
    for service in services:
        for name, value in zip(("voluntary", "involuntary", "faults"), switches_and_faults(service.process.pid)):
            counts[name] += value
        for name, value in zip(("allocations", "allocated", "copied"), preloaded_counts(service.counters)):
            counts[name] += value
    return counts


def send(arguments, folder, port, size, requests):
    """Sends `requests` requests; returns their ledger."""
    ledger = folder / f"ledger-{time.monotonic_ns()}"
    rate = arguments.requests_a_second
    command = [BIN / "spanway-load", "-rate", size * rate, "-duration", f"{requests * 1000 // rate}ms", "-workers", arguments.connections, "--in-flight", arguments.in_flight,
               "--batch", size, "--item-bytes", ITEM_BYTES, "--endpoint", f"127.0.0.1:{port}", "--ledger", ledger, "--report", "json"]
    load = Process("load", command, folder).start()
    assert load.process.wait(120) == 0, load.log()
    report = json.loads(load.log().splitlines()[-1])
    assert report["acknowledged"] == size * (requests * 1000 // rate) * rate // 1000, report
    return ledger


class Round:
    """Counts of one stretch of time."""

    def __init__(self, services, folder, work):
        self.calls = SystemCalls([service.process.pid for service in services], folder)
        with self.calls.counting() as calls:
            before, started = observe(services), time.monotonic()
            work()
            self.seconds = time.monotonic() - started
            after = observe(services)
        self.counts = {name: after[name] - before[name] for name in after}
        self.counts["calls"] = sum(count for (_, call), count in calls.items() if call == "all")
        # librdkafka writes each request by one sendmsg.
        self.counts["kafka_requests"] = sum(count for (thread, call), count in calls.items() if call == "sendmsg" and thread.startswith("rdk:"))
        self.by_thread = calls

    def per_request(self, idle, requests):
        return {name: (value - idle.counts[name] * self.seconds / idle.seconds) / requests for name, value in self.counts.items()}


def show_kinds(rounds, requests):
    """System calls a request by thread and kind, idle ones included."""
    calls = {}
    for each in rounds:
        for key, count in each.by_thread.items():
            calls[key] = calls.get(key, 0) + count / requests / len(rounds)
    for thread in sorted({thread for thread, _ in calls}):
        kinds = sorted(((count, call) for (of, call), count in calls.items() if of == thread and call != "all" and count >= 0.05), reverse=True)
        print(f"    {thread:16} {calls.get((thread, 'all'), 0):6.1f}  " + "  ".join(f"{call} {count:.1f}" for count, call in kinds))


def measure(path, kafka, arguments, counters, number):
    """One row for each size: {size: {counter: figure}}, and the idle services' calls and wake-ups a second."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="spanway-cost-"))
    port = free_port()
    section = bench.kafka_section(kafka.brokers, number)
    bench.create_topics(folder, section)
    sink = Sink(folder).start()
    services = [bench.pinned(service, 0) for service in path.build(folder, section, sink, port)]
    helpers = bench.build_fused_produce(folder, section, sink, port) if path.consumes else []
    try:
        for service in services:
            service.counters = folder / f"{service.name}.counters"
            service.environment.update(LD_PRELOAD=str(counters), COST_COUNTERS=str(service.counters))
        for helper in helpers:
            helper.name, helper.log_path = "feeder", folder / "feeder.log"
        for service in services + helpers:
            service.start()
        for service in services + helpers:
            service.wait_ready(60)
        rows = {}
        for size in arguments.sizes:
            send(arguments, folder, port, size, 2 * arguments.requests_a_second)  # Connections, metadata, the first assignment.
            idle = Round(services, folder, lambda: time.sleep(IDLE_SECONDS))

            def work():
                ledger = send(arguments, folder, port, size, arguments.requests)
                if path.consumes:
                    wait_until(lambda: compare(sink, ledger)["missing"] == 0, ARRIVAL_SECONDS, "all items at the sink")

            rounds = [Round(services, folder, work) for _ in range(arguments.rounds)]
            each = [one.per_request(idle, arguments.requests) for one in rounds]
            rows[size] = {name: statistics.median(figures[name] for figures in each) for name in each[0]}
            rows[size]["copies"] = rows[size].pop("copied") / (size * ITEM_BYTES)
            rows[size]["idle_wakes"] = idle.counts["voluntary"] / idle.seconds
            print(table.row(path.name, size, rows[size]), flush=True)
            if arguments.kinds:
                show_kinds(rounds, arguments.requests)
        return rows
    finally:
        for process in services + helpers + [sink]:
            if process.alive():
                process.kill9()
        shutil.rmtree(folder, ignore_errors=True)


def build_counters(folder):
    library = folder / "counters.so"
    subprocess.run(["c++", "-std=c++20", "-O2", "-shared", "-fPIC", "-fno-builtin", ROOT / "bench/cost/counters.cc", "-o", library], check=True)
    return library


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", default=",".join(path.name for path in PATHS), help="comma-separated; default all")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="spans of a request (default %(default)s)")
    parser.add_argument("--requests", type=int, default=100, help="of one round")
    parser.add_argument("--requests-a-second", type=int, default=40)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=1, help="unanswered requests of each connection")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", action="store_true", help="system calls by thread and kind, too")
    parser.add_argument("--check", action="store_true", help="hold the figures against the bounds of bench/README.md")
    parser.add_argument("--write", action="store_true", help="put the figures into bench/README.md")
    parser.add_argument("--no-stages", dest="stages", action="store_false", help="without the instructions of the stages")
    arguments = parser.parse_args()
    arguments.sizes = [int(size) for size in arguments.sizes.split(",")]
    paths = [path for path in PATHS if path.name in arguments.paths.split(",")]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="spanway-cost-kafka-"))
    counters = build_counters(folder)
    kafka = Kafka(folder).start()
    figures = {}
    try:
        bench.pin(kafka.pid(), 1)
        os.sched_setaffinity(0, {1})  # Whatever this process starts, too, unless it is pinned to core 0.
        print("system calls by " + ("tracepoints" if SystemCalls.by_tracepoints() else "strace"))
        print(table.head())
        for number, path in enumerate(paths):
            for size, row in measure(path, kafka, arguments, counters, f"{os.getpid()}-{number}").items():
                figures[path.name, size] = row
    finally:
        kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if arguments.stages:
        figures.update(stages.measure())
    if arguments.write:
        table.write(figures)
    if arguments.check:
        sys.exit(table.check(figures))


if __name__ == "__main__":
    main()
