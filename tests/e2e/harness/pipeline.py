"""A whole pipeline on free ports: ingress, producing bridge, and per destination a consuming bridge
and an exporter. Each test gets topics and groups of its own."""
import contextlib
import itertools

from . import promises
from .ports import free_port
from .processes import Service

_numbers = itertools.count(1)


def merge(base, change):
    """`change` over `base`, dictionaries joined."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    return {k: merge(base[k], change[k]) if k in base and k in change else change.get(k, base.get(k)) for k in base | change}


class Pipeline:
    def __init__(self, folder, brokers, destinations, kafka=None, ingress=None, bridge=None, consumer=None, signals=("traces",), consumers=None, environments=None):
        """`destinations`: name -> the exporter's `destination` section. The others are changes to
        the configuration of each service; `consumers`: name -> that of one consumer, `environments`: name
        -> that of one exporter's process."""
        number = next(_numbers)
        self.folder = folder
        self.topics = {signal: f"otel.{signal}.{number}" for signal in ("traces", "metrics", "logs")}
        self.kafka_section = merge({"brokers": brokers.split(","), "topics": self.topics}, kafka or {})
        self.grpc_port, self.http_port, self.bridge_port = free_port(), free_port(), free_port()
        self.endpoint, self.http_endpoint = f"127.0.0.1:{self.grpc_port}", f"http://127.0.0.1:{self.http_port}"
        self.exporters, self.consumers = {}, {}
        self.bridge = Service(
            "bridge",
            "spanway-kafka-bridge",
            merge(
                {
                    "mode": "produce",
                    "kafka": self.kafka_section,
                    "create_topics": True,
                    "otlp": {"host": "127.0.0.1", "grpc": {"port": self.bridge_port}, "trust_metadata": True},
                },
                bridge or {},
            ),
            folder,
        )
        self.ingress = Service(
            "ingress",
            "spanway-ingress",
            merge(
                {
                    "otlp": {"host": "127.0.0.1", "grpc": {"port": self.grpc_port}, "http": {"port": self.http_port}},
                    "next": {"endpoint": f"127.0.0.1:{self.bridge_port}"},
                },
                ingress or {},
            ),
            folder,
        )
        for name, destination in destinations.items():
            port = free_port()
            self.exporters[name] = Service(
                f"exporter-{name}",
                "spanway-exporter",
                {"otlp": {"host": "127.0.0.1", "grpc": {"port": port}}, "trust_metadata": True, "destination": destination},
                folder,
                (environments or {}).get(name),
            )
            self.consumers[name] = Service(
                f"consumer-{name}",
                "spanway-kafka-bridge",
                merge(
                    {
                        "mode": "consume",
                        "kafka": self.kafka_section,
                        "create_topics": True,
                        "consumer": {"destination": name, "signals": list(signals), "start_from": "earliest"},
                        "destination": {"endpoint": f"127.0.0.1:{port}"},
                    },
                    merge(consumer or {}, (consumers or {}).get(name, {})),
                ),
                folder,
            )

    def services(self):
        """Sinks first: the order to start in."""
        return [*self.exporters.values(), self.bridge, *self.consumers.values(), self.ingress]

    def start(self):
        for service in self.services():
            service.start()
        for service in self.services():
            service.wait_ready()
        return self

    def stop(self):
        """Sources first. Every service must end cleanly."""
        codes = {service.name: service.stop() for service in reversed(self.services())}
        assert all(code in (0, None) for code in codes.values()), f"exit codes after SIGTERM: {codes}"

    def kill(self):
        for service in self.services():
            if service.alive():
                service.kill9()


@contextlib.contextmanager
def running(pipeline):
    try:
        yield pipeline.start()
        promises.check_sums(pipeline)
        pipeline.stop()
    finally:
        pipeline.kill()
