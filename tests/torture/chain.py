"""The chain under torture: the services, Kafka, the backend and the loads on them."""
import copy
import pathlib
import yaml

from backend import Backend
from harness.load import Load, Sink
from harness.parts import Kafka3
from harness.pipeline import Pipeline
from harness.processes import Service

TENANT_HEADER = "x-scope-orgid"
REFUSED_TENANT = "refused"


class Chain:
    def __init__(self, folder):
        self.folder = folder
        self.kafka = Kafka3(folder / "kafka").start()
        self.sink = Sink(folder).start()
        self.backend = Backend(self.sink.endpoint)
        topics = {"partitions": 4, "replication_factor": 3, "min_insync_replicas": 2}
        self.pipeline = Pipeline(
            folder,
            self.kafka.brokers,
            {"out": {"type": "otlp_grpc", "otlp_grpc": {"endpoint": self.backend.endpoint, "send_metadata": True}}},
            kafka={"brokers": self.kafka.addresses},
            ingress={"tenant": {"from": "header", "header": TENANT_HEADER}},
            bridge={"topics": topics},
            consumer={"topics": topics, "consumer": {"retry": {"stalled_max": "5s", "max": "5s"}}},
            signals=("traces", "logs"),
        ).start()
        self.second = self._second_consumer()
        self.loads = []

    def _second_consumer(self):
        first = self.pipeline.consumers["out"]
        config = copy.deepcopy(first.config)
        config.pop("admin")
        return Service("consumer-second", "spanway-kafka-bridge", config, self.folder)

    def services(self):
        return [*self.pipeline.services(), self.second]

    def start_load(self, name, rate, seconds, *extra):
        folder = self.folder / name
        folder.mkdir()
        load = Load(folder, self.pipeline.endpoint, rate, seconds, "--retry-for", "10m", "--finish-within", "15m", *extra)
        self.loads.append(load.start())
        return load

    def set_compression(self, codec):
        bridge = self.pipeline.bridge
        bridge.config = dict(bridge.config, producer={"compression": codec})
        pathlib.Path(bridge.config_path).write_text(yaml.safe_dump(bridge.config))

    def stop(self):
        """Ends all; returns the services that did not end cleanly."""
        codes = {s.name: s.stop(60) for s in reversed(self.services()) if s.alive()}
        return [f"{name} ended with {code} after SIGTERM" for name, code in codes.items() if code != 0]

    def kill(self):
        for process in [*self.services(), *self.loads, self.sink]:
            if process.alive():
                process.thaw()
                process.kill9()
        self.backend.stop()
        self.kafka.stop()
