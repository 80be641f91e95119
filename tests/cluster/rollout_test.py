"""A bad change never replaces what runs; a dead destination is no bad change."""
import pytest
from cluster import condition
from harness.load import Load, compare
from harness.processes import wait_until

# Each passes the check of the configuration and yet never gets ready.
BROKEN = {
    # The Secret is there, but no certificate is in it: the program says so and ends.
    "crash": {"tls": {"secretName": "garbage"}},
    "never scheduled": {"template": {"nodeSelector": {"no-such-label": "here"}}},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_a_change_whose_pods_fail_is_rolled_back(cluster, namespace, start_pipeline, sink, tmp_path, change):
    garbage = {"tls.crt": "no certificate", "tls.key": "no key"}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "garbage", "namespace": namespace}, "stringData": garbage})
    pipeline = start_pipeline()
    good = pipeline.wait_good()["status"]["config"]["lastGoodRevision"]
    templates = pipeline.templates()
    with Load(tmp_path, pipeline.endpoint(), 200, 90, "--finish-within", "60s").start() as load:
        pipeline.change({"ingress": change})
        found = pipeline.wait_condition("RolledBack", "True", 120)
        assert "p-ingress" in found["message"], found
        if "tls" in change:
            assert "tls.crt" in found["message"], f"the last words of the pod: {found}"
        status = pipeline.get()["status"]
        assert status["config"]["lastGoodRevision"] == good
        assert condition({"status": status}, "Ready")["status"] == "True"
        wait_until(lambda: pipeline.templates() == templates, 60, "the old templates and no canary", 0.5)
        load.process.terminate()
        load.wait(90)
        wait_until(lambda: compare(sink, load.ledger)["missing"] == 0, 60, "all acknowledged spans", 0.5)
    # It stays so, and a repaired spec is tried again.
    pipeline.change({"ingress": {"template": {"nodeSelector": None}, "tls": None}})
    pipeline.wait_condition("RolledBack", "False", 60)


def test_an_image_that_does_not_exist_is_rolled_back(start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    templates = pipeline.templates()
    pipeline.change({"image": {"tag": "no-such-tag"}})
    found = pipeline.wait_condition("RolledBack", "True", 120)
    assert "ImagePull" in found["message"] or "ErrImage" in found["message"] or "image" in found["message"], found
    wait_until(lambda: pipeline.templates() == templates, 60, "the old templates", 0.5)


def test_a_destination_that_no_revision_reaches_is_degraded_and_nothing_is_rolled_back(start_pipeline):
    dead, dead_too = (f"{address}:9" for address in ("10.77.0.1", "10.77.0.2"))
    pipeline = start_pipeline(endpoint=dead)
    pipeline.wait_good()
    pipeline.wait_condition("Degraded", "True", 90)
    pipeline.change_exporter({"destination": {"endpoint": dead_too}})
    pipeline.wait_good()
    unhealthy = pipeline.wait_condition("ExportersHealthy", "False", 60)
    assert "sink" in unhealthy["message"], unhealthy
    found = pipeline.get()
    assert condition(found, "Ready")["status"] == "True"
    assert condition(found, "RolledBack")["status"] != "True"
    assert any(dead_too in str(c.get("data")) for c in pipeline.cluster.list("configmaps", pipeline.namespace))


def test_a_pipeline_that_never_worked_says_why(start_pipeline):
    pipeline = start_pipeline({"kafka": {"bootstrapServers": "10.77.0.1:9"}})
    found = pipeline.wait_condition("KafkaReachable", "False", 90)
    assert found["message"]
    assert condition(pipeline.get(), "Ready")["status"] != "True"
