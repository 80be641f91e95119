"""The OpenTelemetry Collector on the ways that Spanway goes: OTLP/gRPC -> Kafka and back.

Configured to promise what Spanway promises, as cheaply as it can: acks of all replicas, no queue in
memory that an answer runs ahead of, offsets marked after delivery, records as they come (not
repartitioned by trace), no compression, no telemetry of its own, and GOGC=400, which trades memory
for CPU. The binary is Jaeger's, which carries the Collector's Kafka components (tests/parts).
"""
import json

from harness.parts import run_part
from harness.processes import Process, wait_until

NO_QUEUE = {"enabled": False}


class Collector(Process):
    def __init__(self, folder, receivers, exporters):
        config = {
            "service": {
                "pipelines": {"traces": {"receivers": list(receivers), "exporters": list(exporters)}},
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "info"}},
            },
            "receivers": receivers,
            "exporters": exporters,
        }
        path = folder / "collector.json"
        path.write_text(json.dumps(config))
        super().__init__("collector", [run_part("jaeger", "binary"), "--config", path], folder, {"GOGC": "400"})

    def wait_ready(self, seconds=30):
        wait_until(lambda: "Everything is ready" in self.log(), seconds, "the Collector")
        return self


def is_built():
    """Waits for nothing: a missing peer is left out."""
    try:
        run_part("jaeger", "cached")
        return True
    except AssertionError:
        return False


def producing(folder, kafka, port):
    exporter = {
        "brokers": kafka["brokers"],
        "traces": {"topic": kafka["topics"]["traces"], "encoding": "otlp_proto"},
        "producer": {"required_acks": -1, "compression": "none"},
        "sending_queue": NO_QUEUE,
    }
    return Collector(folder, {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}}, {"kafka": exporter})


def consuming(folder, kafka, endpoint):
    receiver = {
        "brokers": kafka["brokers"],
        "traces": {"topic": kafka["topics"]["traces"], "encoding": "otlp_proto"},
        "group_id": "collector",
        "initial_offset": "earliest",
        "message_marking": {"after": True},
    }
    exporter = {"endpoint": endpoint, "tls": {"insecure": True}, "compression": "none", "sending_queue": NO_QUEUE}
    return Collector(folder, {"kafka": receiver}, {"otlp": exporter})
