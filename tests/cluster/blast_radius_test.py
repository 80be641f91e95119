"""One Pipeline's trouble stays its own, and what is written is what is in force."""
import socket
import threading

import pytest
from harness.processes import wait_until
from pipelines import Running, make_pipeline


def test_a_typo_in_a_template_is_refused_at_once(cluster, namespace, kafka, sink):
    for template in (
        {"affinity": {"nodeAfinity": {}}},
        {"tolerations": [{"key": "a", "effect": "NoExec"}]},
        {"topologySpreadConstraints": [{"maxSkew": "1"}]},
    ):
        manifest = make_pipeline(namespace, kafka, sink.address, {"ingress": {"template": template}})
        done = cluster.apply(manifest, check=False)
        assert done.returncode != 0, template
        assert next(iter(template)) in done.stderr, done.stderr
    manifest = make_pipeline(namespace, kafka, sink.address, {"networkPolicy": {"extraEgress": [{"too": []}]}})
    assert "too" in cluster.apply(manifest, check=False).stderr


def test_what_the_api_server_refuses_is_in_the_status_and_rolled_back(start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    good = pipeline.templates()
    # Right by its schema; no name of a label for the validation of the Deployment.
    term = {"matchExpressions": [{"key": "no name", "operator": "In", "values": ["x"]}]}
    node = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    pipeline.change_exporter({"template": {"affinity": {"nodeAffinity": node}}})
    refused = pipeline.wait_condition("Degraded", "True", 60, "ApplyFailed")
    assert "no name" in refused["message"]
    back = pipeline.wait_condition("RolledBack", "True", 150)
    assert "no name" in back["message"]
    assert pipeline.templates() == good


class Silent:
    """Takes connections and never answers."""

    def __init__(self, address):
        self.socket = socket.create_server((address, 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        self.taken = []
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            try:
                self.taken.append(self.socket.accept()[0])
            except OSError:
                return

    def close(self):
        self.socket.close()
        for one in self.taken:
            one.close()


@pytest.fixture
def hanging_namespace(cluster, crd):
    """Writes of workloads and Services hang there for longer than the operator waits."""
    silent = Silent(cluster.host)
    name = cluster.create_namespace()
    hook = {
        "name": "silent.spanway.test",
        "clientConfig": {"url": f"https://{cluster.host}:{silent.port}/"},
        "rules": [{"apiGroups": ["", "apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                   "resources": ["services", "configmaps", "serviceaccounts", "deployments", "statefulsets"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
        "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 10,
    }
    configuration = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                     "metadata": {"name": name}, "webhooks": [hook]}
    cluster.apply(configuration)
    yield name
    cluster.kubectl("delete", "validatingwebhookconfiguration", name, check=False)
    cluster.kubectl("-n", name, "delete", "pipelines", "--all", "--timeout=60s", check=False)
    cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)
    silent.close()


def test_a_namespace_whose_writes_hang_holds_up_no_other(cluster, hanging_namespace, kafka, sink, start_pipeline):
    for i in range(6):
        Running(cluster, make_pipeline(hanging_namespace, kafka, sink.address, name=f"h{i}")).apply()
    wait_until(lambda: any(cluster.get("pipeline", f"h{i}", hanging_namespace).get("status") for i in range(6)), 60, "a first reconciliation", 0.5)
    healthy = start_pipeline()
    wait_until(lambda: "p-ingress" in healthy.workloads(), 30, "the workloads of the healthy Pipeline", 0.3)
    healthy.wait_ready()


def test_the_topics_of_another_pipeline_are_refused(cluster, namespace, kafka, sink, start_pipeline):
    first = start_pipeline()
    first.wait_ready()
    manifest = make_pipeline(namespace, kafka, sink.address, name="second")
    manifest["spec"]["kafka"]["topics"]["names"] = first.manifest["spec"]["kafka"]["topics"]["names"]
    second = Running(cluster, manifest).apply()
    refused = second.wait_condition("ConfigValid", "False", 30, "TopicsTaken")
    assert f"{namespace}/p" in refused["message"]
    assert not second.workloads()
    second.change({"kafka": {"topics": {"prefix": "second."}}})
    second.wait_ready()
    first.wait_condition("Ready", "True", 30)


def test_of_two_edits_the_second_is_in_force(start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_ready()
    for round_ in range(5):
        for step in range(2):
            pipeline.change({"ingress": {"service": {"annotations": {"example.com/edit": f"{round_}.{step}"}}}})
        wait_until(
            lambda: pipeline.cluster.get("service", "p-ingress", pipeline.namespace)["metadata"].get("annotations", {}).get("example.com/edit") == f"{round_}.1",
            15, f"the second edit of round {round_}", 0.2)


def test_what_is_added_to_fields_that_are_owned_whole_is_taken_out(cluster, sink, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    selector = cluster.get("service", "p-ingress", pipeline.namespace)["spec"]["selector"]
    cluster.patch("service", "p-ingress", pipeline.namespace, {"spec": {"selector": {"evil": "1"}}}, "--field-manager=intruder")
    wait_until(lambda: cluster.get("service", "p-ingress", pipeline.namespace)["spec"]["selector"] == selector, 20, "the selector", 0.2)
    before = pipeline.templates()["p-bridge"]["spec"]
    cluster.kubectl("-n", pipeline.namespace, "set", "env", "deployment/p-bridge", "INTRUDER=1")
    cluster.kubectl("-n", pipeline.namespace, "rollout", "pause", "deployment/p-bridge")
    wait_until(lambda: pipeline.templates()["p-bridge"]["spec"] == before, 20, "the environment", 0.2)
    wait_until(lambda: not pipeline.workloads()["p-bridge"]["spec"].get("paused"), 20, "the Deployment going on", 0.2)
    cluster.patch("deployment", "p-ingress", pipeline.namespace, {"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}})
    wait_until(lambda: "nodeSelector" not in pipeline.templates()["p-ingress"]["spec"], 20, "the placement", 0.2)
    wait_until(lambda: any("intruder" in event["message"] for event in pipeline.events()), 30, "an Event that names who", 0.5)
    pipeline.wait_ready()
