"""Changes by others are put back, objects of others are left, and nothing is left behind."""
import time

from cluster import writes
from harness.processes import wait_until

OWNED = "deployments,statefulsets,services,configmaps,serviceaccounts,jobs,cronjobs,hpa,pdb,networkpolicies,pods"


def test_drift_is_put_back_and_named(cluster, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    image = pipeline.workloads()["p-ingress"]["spec"]["template"]["spec"]["containers"][0]["image"]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "ingress", "image": "localhost/other:1"}]}}}}
    cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "p-ingress", "namespace": pipeline.namespace}, **patch}, manager="intruder")

    def repaired():
        return pipeline.workloads()["p-ingress"]["spec"]["template"]["spec"]["containers"][0]["image"] == image

    wait_until(repaired, 30, "the image put back", 0.2)
    wait_until(lambda: any("intruder" in event["message"] for event in pipeline.events()), 30, "an Event that names who", 0.5)


def test_a_deleted_object_comes_back(cluster, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    cluster.kubectl("-n", pipeline.namespace, "delete", "service", "p-ingress")
    wait_until(lambda: cluster.get("service", "p-ingress", pipeline.namespace), 20, "the Service", 0.2)


def test_what_an_orphaning_deletion_leaves_is_adopted_and_goes_with_the_next_one(cluster, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    cluster.kubectl("-n", pipeline.namespace, "delete", "pipeline", pipeline.name, "--cascade=orphan")
    pipeline.apply().wait_good()
    selector = f"spanway.dev/pipeline={pipeline.name}"

    def has_owners():
        objects = cluster.list("deployments,statefulsets,services,configmaps,serviceaccounts,jobs,pdb,networkpolicies", pipeline.namespace, selector)
        orphans = [o["metadata"]["name"] for o in objects if not o["metadata"].get("ownerReferences")]
        if orphans:
            raise ValueError(orphans)
        return objects

    wait_until(has_owners, 60, "an owner of each object", 0.5)


def test_foreign_fields_and_rollout_restart_are_left_alone(cluster, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    cluster.kubectl("-n", pipeline.namespace, "annotate", "deployment/p-ingress", "example.com/owner=another-team")
    cluster.kubectl("-n", pipeline.namespace, "rollout", "restart", "deployment/p-bridge")
    cluster.kubectl("-n", pipeline.namespace, "rollout", "status", "deployment/p-bridge", "--timeout=90s")
    time.sleep(3)  # Something that must not happen has no moment to wait for.
    workloads = pipeline.workloads()
    assert workloads["p-ingress"]["metadata"]["annotations"]["example.com/owner"] == "another-team"
    assert "kubectl.kubernetes.io/restartedAt" in workloads["p-bridge"]["spec"]["template"]["metadata"]["annotations"]


def test_an_exporter_that_is_removed_takes_its_objects_along(cluster, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_ready()
    second = dict(pipeline.manifest["spec"]["exporters"][0], name="other")
    pipeline.manifest["spec"]["exporters"].append(second)
    pipeline.apply()
    wait_until(lambda: "p-other-consumer" in pipeline.workloads(), 30, "the second exporter", 0.3)
    pipeline.manifest["spec"]["exporters"].pop()
    pipeline.apply()

    def gone():
        names = [o["metadata"]["name"] for o in cluster.list("deployments,statefulsets,services,configmaps,serviceaccounts,pdb", pipeline.namespace, "spanway.dev/pipeline=p")]
        return not any(name.startswith("p-other") for name in names)

    wait_until(gone, 60, "no object of the second exporter", 0.5)


def test_deletion_leaves_nothing_but_the_topics(cluster, kafka, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_ready()
    cluster.kubectl("-n", pipeline.namespace, "delete", "pipeline", "p", "--timeout=60s")
    wait_until(lambda: not cluster.list(OWNED, pipeline.namespace, "spanway.dev/pipeline=p"), 90, "nothing left", 0.5)
    topics = kafka.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", kafka.brokers, "--list")
    assert pipeline.manifest["spec"]["kafka"]["topics"]["names"]["traces"] in topics


def test_an_idle_operator_writes_nothing(cluster, operator, start_pipeline):
    cluster.need_hands()
    pipeline = start_pipeline()
    pipeline.wait_good()
    time.sleep(15)  # Until the last Event and the lag bucket are written.
    position = cluster.audit_position()
    # That nothing is written can only be shown by letting time pass: two resyncs, five polls of Secrets.
    time.sleep(50)
    entries = cluster.audit(position, operator)
    assert any(e["objectRef"].get("resource") == "leases" for e in entries), "the audit log shows nothing of the operator"
    assert [(e["verb"], e["requestURI"]) for e in writes(entries)] == []


def test_paused_nothing_is_changed(cluster, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    pipeline.change({"paused": True})
    pipeline.wait_condition("Paused", "True", 30)
    templates = pipeline.templates()
    pipeline.change({"ingress": {"replicas": 2, "config": {"limits": {"body_bytes_max": "8MiB"}}}})
    time.sleep(5)  # Something that must not happen has no moment to wait for.
    assert pipeline.templates() == templates
    assert pipeline.workloads()["p-ingress"]["spec"]["replicas"] == 1
    pipeline.change({"paused": False})
    wait_until(lambda: pipeline.workloads()["p-ingress"]["spec"]["replicas"] == 2, 60, "the change", 0.3)


def test_a_secret_that_changes_restarts_who_uses_it(cluster, start_pipeline, namespace):
    def secret(token):
        cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": namespace}, "stringData": {"token": token}})

    secret("one")
    header = {"name": "x-key", "secretKeyRef": {"name": "key", "key": "token"}}
    pipeline = start_pipeline(exporter={"destination": {"headers": [header]}})
    pipeline.wait_good()
    before = pipeline.templates()
    secret("two")
    wait_until(lambda: pipeline.templates()["p-sink"] != before["p-sink"], 60, "a new revision of the exporter", 0.5)
    pipeline.wait_good()
    after = pipeline.templates()
    assert {name for name in after if before[name] != after[name]} == {"p-sink"}
    assert "two" not in str(after)
