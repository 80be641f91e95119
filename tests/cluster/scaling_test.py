"""More and fewer pods while spans flow: no acknowledged one is lost."""
import json
import urllib.request

from harness.load import Load, compare
from harness.processes import wait_until


def behave(sink, delay_ms):
    request = urllib.request.Request(f"http://127.0.0.1:{sink.admin_port}/behaviour?delay-ms={delay_ms}", method="POST")
    urllib.request.urlopen(request, timeout=5).read()


def test_up_and_down_under_load_loses_nothing(start_pipeline, sink, tmp_path):
    pipeline = start_pipeline()
    pipeline.wait_ready()
    sizes = {"p-ingress": 3, "p-bridge": 2, "p-sink": 2, "p-sink-consumer": 3}
    with Load(tmp_path, pipeline.endpoint(), 300, 60, "--retry-for", "60s").start() as load:
        for count in (1, 0):
            size = (lambda name: sizes[name]) if count else (lambda name: 1)
            pipeline.change({"ingress": {"replicas": size("p-ingress")}, "bridge": {"produce": {"replicas": size("p-bridge")}}})
            pipeline.change_exporter({"replicas": size("p-sink"), "consumer": {"replicas": size("p-sink-consumer")}})
            for name in sizes:
                pipeline.wait_replicas(name, size(name))
        assert load.wait(150) == 0, load.log()
        wait_until(lambda: compare(sink, load.ledger)["missing"] == 0, 90, "all acknowledged spans", 0.5)


def test_consumers_follow_the_lag(start_pipeline, sink, tmp_path):
    scaling = {"minReplicas": 1, "maxReplicas": 3, "targetLagSeconds": 3, "scaleDownStabilizationSeconds": 5}
    pipeline = start_pipeline(exporter={"consumer": {"autoscaling": scaling}})
    pipeline.wait_ready()
    templates = pipeline.templates()
    behave(sink, 6000)
    with Load(tmp_path, pipeline.endpoint(), 3000, 40).start() as load:
        wait_until(lambda: pipeline.workloads()["p-sink-consumer"]["spec"]["replicas"] > 1, 90, "more consumers", 0.5)
        behave(sink, 0)
        assert load.wait(150) == 0, load.log()
        wait_until(lambda: compare(sink, load.ledger)["missing"] == 0, 90, "all acknowledged spans", 0.5)
    pipeline.wait_replicas("p-sink-consumer", 1, 150)
    assert pipeline.templates() == templates, "scaling restarted pods"


def test_cpu_adds_ingress_pods_and_takes_them_away(cluster, start_pipeline, sink, tmp_path):
    cluster.need_metrics()
    # A hundredth of a core is requested, so that a few thousand spans a second are far above it.
    scaling = {"minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 80, "scaleDownStabilizationSeconds": 5}
    pipeline = start_pipeline({"ingress": {"autoscaling": scaling}})
    pipeline.wait_good()
    templates = pipeline.templates()
    with Load(tmp_path, pipeline.endpoint(), 12000, 60, "--retry-for", "60s").start() as load:
        wait_until(lambda: pipeline.workloads()["p-ingress"]["spec"]["replicas"] > 1, 90, "the HPA to add pods", 0.5)
        # Raising the maximum under load is an edit of the HPA, and of nothing else.
        pipeline.change({"ingress": {"autoscaling": {"maxReplicas": 4}}})
        assert load.wait(180) == 0, load.log()
        wait_until(lambda: compare(sink, load.ledger)["missing"] == 0, 120, "all acknowledged spans", 0.5)
    pipeline.wait_replicas("p-ingress", 1, 180)
    assert pipeline.templates() == templates, "scaling restarted pods"


def test_an_hpa_owns_the_replicas_alone(cluster, start_pipeline):
    pipeline = start_pipeline({"ingress": {"replicas": 2, "autoscaling": {"minReplicas": 1, "maxReplicas": 3}}})
    pipeline.wait_ready()
    hpa = cluster.list("hpa", pipeline.namespace, "spanway.dev/component=ingress")[0]
    assert hpa["spec"]["scaleTargetRef"]["name"] == "p-ingress" and hpa["spec"]["maxReplicas"] == 3
    fields = cluster.kubectl("-n", pipeline.namespace, "get", "deployment", "p-ingress", "--show-managed-fields", "-o", "json").stdout
    for entry in json.loads(fields)["metadata"]["managedFields"]:
        if entry["manager"] == "spanway-operator" and entry.get("subresource") != "scale":
            assert "f:replicas" not in entry["fieldsV1"].get("f:spec", {}), "the operator still owns spec.replicas"
    # Replicas that a user sets by hand stay.
    cluster.kubectl("-n", pipeline.namespace, "scale", "deployment/p-ingress", "--replicas=3")
    pipeline.wait_replicas("p-ingress", 3)
    # Also when the operator has something else to write.
    pipeline.change({"bridge": {"produce": {"replicas": 2}}})
    pipeline.wait_replicas("p-bridge", 2)
    assert pipeline.workloads()["p-ingress"]["spec"]["replicas"] == 3


def test_no_more_consumers_than_partitions(start_pipeline):
    scaling = {"minReplicas": 6, "maxReplicas": 8, "targetLagSeconds": 3}
    pipeline = start_pipeline(exporter={"consumer": {"autoscaling": scaling}})
    pipeline.wait_ready()
    pipeline.wait_replicas("p-sink-consumer", 4)
    pipeline.wait_condition("ScalingLimited", "False", 60)  # Nothing lags.
