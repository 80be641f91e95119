"""Administrators' operations on a cluster while Pipelines run or roll out."""
import json
import time

from cluster import condition
from harness.processes import ROOT, wait_until
from pipelines import Running, make_pipeline

NAMED = "deployments,statefulsets,services,configmaps,serviceaccounts,jobs,hpa,pdb,networkpolicies,pods"


def start_rollout(pipeline, **more):
    """Returns when the canary of a change of the ingress is there."""
    pipeline.wait_good()
    pipeline.change({"ingress": {"config": {"limits": {"body_bytes_max": "8MiB"}}}, **more})
    wait_until(lambda: "p-ingress-canary" in pipeline.workloads(), 60, "the canary", 0.2)


def uids(pipeline):
    return {pod["metadata"]["uid"] for pod in pipeline.pods()}


def test_debug_is_toggled_in_pods(cluster, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_ready()
    programs = [
        (pipeline.namespace, "deploy/p-ingress", "spanway-ingress"),
        (pipeline.namespace, "deploy/p-bridge", "spanway-kafka-bridge"),
        (pipeline.namespace, "deploy/p-sink", "spanway-exporter"),
        ("spanway-system", f"pod/{cluster.leader_pod()}", "spanway-operator"),
    ]
    for namespace, target, program in programs:
        def toggles(words):
            log = cluster.kubectl("-n", namespace, "logs", target, "--tail=400").stdout
            return [line for line in log.splitlines() if "Log level changed by SIGHUP" in line and words in line]

        before = len(toggles(""))
        for words in ("debug=true", "debug=false"):
            cluster.kubectl("-n", namespace, "exec", target, "--", f"/usr/bin/{program}", "--toggle-debug")
            wait_until(lambda: toggles(words), 20, f"{words} in the log of {target}", 0.3)
        assert len(toggles("")) >= before
    assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in pipeline.pods())


def test_a_pipeline_that_is_deleted_during_a_rollout_leaves_nothing(cluster, start_pipeline):
    pipeline = start_pipeline()
    start_rollout(pipeline)
    cluster.kubectl("-n", pipeline.namespace, "delete", "pipeline", "p", "--timeout=60s")
    wait_until(lambda: not cluster.list(NAMED, pipeline.namespace, "spanway.dev/pipeline=p"), 90, "nothing of it", 0.5)
    # A Pipeline of the same name starts afresh.
    pipeline.apply().wait_good()


def test_a_namespace_that_is_deleted_during_a_rollout_is_gone_and_hurts_no_other(cluster, operator, kafka, sink, start_pipeline):
    doomed = Running(cluster, make_pipeline(cluster.create_namespace(), kafka, sink.address)).apply()
    start_rollout(doomed, rollout={"healthyAfter": "20s"})  # It continues until the namespace is gone.
    position = cluster.audit_position() if cluster.state else 0
    cluster.kubectl("delete", "namespace", doomed.namespace, "--timeout=120s")
    start_pipeline(name="other").wait_ready()
    if cluster.state:
        refused = [(e["verb"], e["objectRef"].get("resource"), e["objectRef"].get("name")) for e in cluster.audit(position, operator)
                   if e["objectRef"].get("namespace") == doomed.namespace and e.get("responseStatus", {}).get("code") == 403]
        # The first one ends a reconciliation, and the next one comes 5 s later.
        assert len(refused) < 20, refused


def test_a_drained_node_during_a_rollout(cluster, start_pipeline):
    cluster.need_nodes(2)
    pipeline = start_pipeline({"ingress": {"replicas": 2}})
    start_rollout(pipeline)
    node = pipeline.pods("ingress")[0]["spec"]["nodeName"]
    try:
        cluster.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=120s",
                        "--pod-selector=spanway.dev/pipeline=p")
        assert not [pod for pod in pipeline.pods() if pod["spec"].get("nodeName") == node and not pod["metadata"].get("deletionTimestamp")]
    finally:
        cluster.kubectl("uncordon", node)
    found = pipeline.wait_good(180)
    assert condition(found, "RolledBack")["status"] == "False", found["status"]["conditions"]
    pipeline.wait_replicas("p-ingress", 2)


def test_the_leader_is_killed_in_each_phase_of_a_rollout(cluster, start_pipeline):
    cluster.need_hands()
    pipeline = start_pipeline()
    start_rollout(pipeline)
    generation = pipeline.get()["metadata"]["generation"]
    for _ in range(3):
        cluster.signal_container(cluster.leader_pod(), "spanway-system", "KILL")
        time.sleep(17)  # The other replica takes the Lease, which lasts 15 s, and resumes: another phase.
    found = pipeline.wait_good(180)
    assert found["metadata"]["generation"] == generation
    assert condition(found, "RolledBack")["status"] == "False", found["status"]["conditions"]
    assert "p-ingress-canary" not in pipeline.workloads()


def test_an_autoscaler_of_others_is_named(cluster, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    cluster.kubectl("-n", pipeline.namespace, "autoscale", "deployment", "p-bridge", "--name=theirs", "--min=3", "--max=4")
    found = pipeline.wait_condition("ScalingLimited", "True", 120, "ForeignAutoscaler")
    assert "theirs" in found["message"], found
    cluster.kubectl("-n", pipeline.namespace, "delete", "hpa", "theirs")
    pipeline.wait_condition("ScalingLimited", "False", 120)


def test_a_manager_that_writes_again_and_again_is_named_and_not_fought_without_end(cluster, operator, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    intruder = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "p-bridge", "namespace": pipeline.namespace},
                "spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/os": "linux"}}}}}
    for _ in range(14):
        cluster.apply(intruder, manager="intruder")
    wait_until(lambda: any(e["reason"] == "DriftContested" for e in pipeline.events()), 30, "an Event DriftContested", 0.5)
    assert any("intruder" in e["message"] for e in pipeline.events() if e["reason"] == "DriftReverted")

    def is_ours():
        return "nodeSelector" not in pipeline.workloads()["p-bridge"]["spec"]["template"]["spec"]

    wait_until(is_ours, 60, "our template, once the other has stopped", 0.5)


def test_the_chart_is_upgraded_and_rolled_back_and_no_pipeline_restarts(cluster, operator, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    before = uids(pipeline)
    chart = ["helm", "upgrade", "spanway", str(ROOT / "helm/spanway"), "-n", "spanway-system", "--reuse-values", "--wait", "--timeout", "120s"]
    try:
        cluster.tool(*chart, "--set", "config.workers=4", "--set", "replicas=1", "--set", "maxConcurrentRollouts=0")
        deployed = json.loads(cluster.kubectl("-n", "spanway-system", "get", "deploy", "spanway-operator", "-o", "json").stdout)
        assert deployed["spec"]["template"]["metadata"]["annotations"]["spanway.dev/config-hash"]
        # Values that cannot work are refused before anything changes.
        for odd in ("config.workers=0", "config.workers=many", "maxConcurrentRollouts=-1", "no.such.value=1"):
            assert cluster.tool(*chart, "--set", odd, check=False).returncode != 0, odd
        pipeline.change({"ingress": {"replicas": 2}})
        pipeline.wait_replicas("p-ingress", 2)
    finally:
        cluster.tool("helm", "rollback", "spanway", "1", "-n", "spanway-system", "--wait", "--timeout", "120s")
    pipeline.change({"ingress": {"replicas": 1}})
    pipeline.wait_replicas("p-ingress", 1)
    assert len(before - uids(pipeline)) <= 1, "pods of the Pipeline were replaced"


def test_a_second_release_over_the_same_namespaces_is_refused_and_named(cluster, operator, start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    owner = pipeline.get()["status"]["operator"]
    assert owner.startswith("spanway-system/"), owner
    templates = pipeline.templates()
    # Another clusterId is another consumer group: this release would replace every consumer.
    cluster.tool(
        "helm", "install", "other", ROOT / "helm/spanway", "-n", "other-system", "--create-namespace", "--wait", "--timeout", "120s",
        "--set", "image.repository=localhost/spanway", "--set", "crds.enabled=false", "--set", "clusterId=other",
    )
    try:
        found = pipeline.wait_condition("Degraded", "True", 120, "OtherOperator")
        assert "other-system/" in found["message"], found
        pipeline.change({"ingress": {"template": {"annotations": {"example.com/x": "1"}}}})
        pipeline.wait_good()
        status = pipeline.get()["status"]
        assert status["operator"] == owner
        assert {name: t for name, t in pipeline.templates().items() if "ingress" not in name} == {name: t for name, t in templates.items() if "ingress" not in name}
    finally:
        cluster.tool("helm", "uninstall", "other", "-n", "other-system", "--wait", check=False)
        cluster.kubectl("delete", "namespace", "other-system", "--wait=false", check=False)
    wait_until(lambda: "contender" not in pipeline.get()["status"], 60, "no other release", 0.5)
