#!/usr/bin/env python3
"""How fast dead letters come back: replay.py [--letters 20000] [--spans 10]

Letters of so many spans in one partition of a dead-letter topic, given to an exporter that takes all,
at a rate that is never reached. Prints spans a second, and the CPU time of the command a million spans."""
import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from confluent_kafka import Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from harness.parts import Kafka  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.processes import BIN, Service  # noqa: E402
from harness.send import trace_request  # noqa: E402

HEADERS = {"content-type": "application/x-protobuf", "spanway-error": "refused", "spanway-destination": "bench"}


def write(brokers, topic, letters, spans):
    admin = AdminClient({"bootstrap.servers": brokers})
    for future in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        future.result()
    producer = Producer({"bootstrap.servers": brokers, "queue.buffering.max.messages": letters + 1, "linger.ms": 50})
    value, headers = trace_request(spans=spans).SerializeToString(), [(name, text.encode()) for name, text in HEADERS.items()]
    for _ in range(letters):
        producer.produce(topic, value, headers=headers)
    assert producer.flush(60) == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--letters", type=int, default=20_000)
    parser.add_argument("--spans", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, port = pathlib.Path(name), free_port()
        listen = {"host": "127.0.0.1", "grpc": {"port": port}}
        exporter = Service("exporter", "spanway-exporter", {"otlp": listen, "destination": {"type": "debug"}}, folder)
        kafka = Kafka(folder).start()
        try:
            exporter.start().wait_ready()
            write(kafka.brokers, "bench.dlq", options.letters, options.spans)
            topics = {"traces": "bench", "metrics": "bench-m", "logs": "bench-l"}
            consumer = {"destination": "bench", "signals": ["traces"]}
            config = {"mode": "consume", "kafka": {"brokers": [kafka.brokers], "topics": topics}, "consumer": consumer,
                      "destination": {"endpoint": f"127.0.0.1:{port}"}}
            (folder / "bridge.yaml").write_text(json.dumps(config))
            command = [BIN / "spanway-kafka-bridge", "replay", "--config", folder / "bridge.yaml", "--topic", "bench.dlq",
                       "--state", folder / "state", "--rate", "10000000"]
            begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            took, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
            spans = options.letters * options.spans
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"exit {done.returncode}, {done.stdout.strip()}")
            print(f"{spans} spans in {took:.1f} s: {spans / took:,.0f} a second, {cpu / spans * 10**6:.2f} CPU-s a million")
        finally:
            exporter.stop()
            kafka.stop()


if __name__ == "__main__":
    main()
