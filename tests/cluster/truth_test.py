"""The status says what is wrong: credentials that become unusable, a second release of the operator."""
from harness.processes import ROOT, wait_until


def test_a_token_that_becomes_unusable_is_degraded_until_it_is_good(cluster, namespace, start_pipeline):
    def store(value):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tokens", "namespace": namespace}, "stringData": {"a": value}}
        cluster.apply(secret)

    store("hidden-value")
    reference = {"name": "a", "secretKeyRef": {"name": "tokens", "key": "a"}}
    pipeline = start_pipeline({"ingress": {"auth": {"mode": "Bearer", "tokens": [reference]}}})
    pipeline.wait_good()
    for unusable in ("", "hidden-value\nhidden-value"):
        store(unusable)
        # kubelet renews the mounted file about once a minute.
        found = pipeline.wait_condition("Degraded", "True", 180, "CredentialsNotLoaded")
        assert "p-ingress: pod " in found["message"] and "auth.tokens[0]" in found["message"], found
        assert "hidden-value" not in found["message"], found
        pipeline.wait_condition("Ready", "True", 10)
        store("hidden-value")
        pipeline.wait_condition("Degraded", "False", 180)


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
