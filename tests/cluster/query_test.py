"""The objects that spec.query adds around its pods: scaling, ways in, and the samples for those who read."""
import pytest
from harness.processes import ROOT, wait_until

# Nothing listens there: none of this waits for a pod.
STORES = {"clickhouse": {"endpoint": "http://10.77.0.1:9"}}
PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "grafana"}}}


def test_objects_around_query_come_and_go_with_their_fields(cluster, start_pipeline):
    ingress = {"host": "telemetry.example.com", "className": "nginx", "tlsSecretName": "telemetry-tls"}
    scaling = {"minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 60}
    pipeline = start_pipeline({"query": {"stores": STORES, "autoscaling": scaling, "ingress": ingress, "allowedFrom": [PEER]}})

    def get(kind):
        return cluster.get(kind, "p-query", pipeline.namespace)

    route = wait_until(lambda: get("ingress"), 30, "the Ingress", 0.3)["spec"]
    backend = route["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert route["rules"][0]["host"] == "telemetry.example.com" and route["tls"][0]["secretName"] == "telemetry-tls", route
    assert backend == {"name": "p-query", "port": {"number": 8081}}
    hpa = wait_until(lambda: get("hpa"), 30, "the HorizontalPodAutoscaler", 0.3)["spec"]
    assert hpa["scaleTargetRef"]["name"] == "p-query" and hpa["maxReplicas"] == 3
    policy = wait_until(lambda: get("networkpolicy"), 30, "the NetworkPolicy", 0.3)["spec"]
    assert [rule["from"] for rule in policy["ingress"] if rule["ports"][0]["port"] == 8081] == [[PEER]]

    pipeline.change({"query": {"ingress": None, "autoscaling": None}})
    wait_until(lambda: get("ingress") is None and get("hpa") is None, 30, "neither of them", 0.3)


def test_a_route_is_refused_without_the_gateway_api(cluster, start_pipeline):
    if "gateway.networking.k8s.io" in cluster.kubectl("api-versions").stdout:
        pytest.skip("this cluster has the Gateway API")
    pipeline = start_pipeline({"query": {"stores": STORES, "httpRoute": {"parentRefs": [{"name": "public"}]}}})
    found = pipeline.wait_condition("ConfigValid", "False", 30, "ConfigInvalid")
    assert "spec.query.httpRoute" in found["message"] and "install the Gateway API" in found["message"], found
    assert not pipeline.workloads(), "a spec that is refused is not rolled out"
    pipeline.change({"query": {"httpRoute": None}})
    pipeline.wait_condition("ConfigValid", "True", 30)


def test_every_sample_is_accepted(cluster, crd, namespace):
    """Also the ConfigMap of Grafana's data sources."""
    done = cluster.kubectl("-n", namespace, "apply", "--dry-run=server", "-f", ROOT / "k8s/samples")
    assert "configmap/spanway-datasources" in done.stdout and done.stdout.count("pipeline.spanway.dev/") >= 10, done.stdout
