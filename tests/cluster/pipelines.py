"""Pipelines for the tests, and what they must do."""
import itertools

from cluster import condition
from harness.pipeline import merge
from harness.processes import wait_until

_numbers = itertools.count(1)
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}


def make_pipeline(namespace, kafka, endpoint, spec=None, name="p", exporter=None):
    """One exporter called `sink` to `endpoint`; topics of its own; quick to decide."""
    number = f"{namespace}.{next(_numbers)}"
    base = {
        "ingress": {"template": {"resources": SMALL}},
        "bridge": {"produce": {"template": {"resources": SMALL}}},
        "kafka": {
            "bootstrapServers": kafka.brokers,
            "topics": {
                "names": {signal: f"otel.{signal}.{number}" for signal in ("traces", "metrics", "logs")},
                "partitions": 4,
                "replicationFactor": 1,
            },
        },
        "rollout": {"progressDeadline": "40s", "healthyAfter": "3s"},
        "exporters": [
            merge(
                {
                    "name": "sink",
                    "signals": ["Traces"],
                    "destination": {"type": "OtlpGrpc", "endpoint": endpoint},
                    "template": {"resources": SMALL},
                    "consumer": {"template": {"resources": SMALL}},
                },
                exporter or {},
            )
        ],
    }
    return {
        "apiVersion": "spanway.dev/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": name, "namespace": namespace},
        "spec": merge(base, spec or {}),
    }


def _changed(base, change):
    """None takes a field away."""

    def clean(value):
        return {k: clean(v) for k, v in value.items() if v is not None} if isinstance(value, dict) else value

    return clean(merge(base, change))


class Running:
    """A Pipeline in the cluster."""

    def __init__(self, cluster, manifest):
        self.cluster, self.manifest = cluster, manifest
        self.name, self.namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]

    def apply(self):
        self.cluster.apply(self.manifest)
        return self

    def change(self, spec):
        self.manifest["spec"] = _changed(self.manifest["spec"], spec)
        return self.apply()

    def change_exporter(self, change):
        self.manifest["spec"]["exporters"][0] = _changed(self.manifest["spec"]["exporters"][0], change)
        return self.apply()

    def get(self):
        return self.cluster.get("pipeline", self.name, self.namespace)

    def is_current(self, pipeline):
        return pipeline.get("status", {}).get("observedGeneration") == pipeline["metadata"]["generation"]

    def wait_condition(self, kind, status, seconds=90, reason=None):
        """The condition, once it is of the newest generation."""

        def check():
            pipeline = self.get()
            found = condition(pipeline, kind)
            if self.is_current(pipeline) and found["status"] == status and reason in (None, found["reason"]):
                return found
            raise ValueError({c["type"]: (c["status"], c["reason"], c["message"]) for c in pipeline.get("status", {}).get("conditions", [])})

        return wait_until(check, seconds, f"{kind}={status} {reason or ''} of {self.name}", 0.3)

    def wait_ready(self, seconds=120):
        self.wait_condition("Ready", "True", seconds)
        return self

    def wait_good(self, seconds=150):
        """Ready, and recorded as the last good one."""

        def check():
            pipeline = self.get()
            config = pipeline.get("status", {}).get("config", {})
            good = config.get("lastGoodRevision")
            if good and good == config.get("desiredRevision") and self.is_current(pipeline):
                return pipeline
            raise ValueError(pipeline.get("status", {}).get("config"))

        self.wait_ready(seconds)
        return wait_until(check, seconds, f"{self.name} recorded as good", 0.3)

    def endpoint(self, port=4317):
        return self.cluster.service_address(f"{self.name}-ingress", self.namespace, port)

    def pods(self, component=""):
        selector = f"spanway.dev/pipeline={self.name}" + (f",spanway.dev/component={component}" if component else "")
        return self.cluster.list("pods", self.namespace, selector)

    def workloads(self):
        """Name -> Deployment or StatefulSet."""
        found = self.cluster.list("deployments,statefulsets", self.namespace, f"spanway.dev/pipeline={self.name}")
        return {workload["metadata"]["name"]: workload for workload in found}

    def templates(self):
        """The fields that restart pods when they change."""
        return {name: workload["spec"]["template"] for name, workload in self.workloads().items()}

    def wait_replicas(self, name, count, seconds=90):
        def check():
            workload = self.workloads()[name]
            status = workload["status"]
            return workload["spec"]["replicas"] == count and status.get("readyReplicas", 0) == count and status.get("replicas", 0) == count

        wait_until(check, seconds, f"{name} with {count} ready pods", 0.3)

    def events(self, reason=""):
        found = self.cluster.list("events", self.namespace)
        return [e for e in found if e["involvedObject"]["name"] == self.name and (not reason or e["reason"] == reason)]
