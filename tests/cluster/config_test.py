"""A Pipeline that is wrong changes nothing that runs, and says which field."""
import pathlib

import pytest
import yaml
from harness.processes import ROOT
from pipelines import make_pipeline

SAMPLES = ROOT / "tests/unit/operator_api"
BAD = sorted([*(SAMPLES / "bad").glob("*.yaml"), *(SAMPLES / "bad_changes").glob("*.yaml")])


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_the_api_server_refuses_each_bad_sample(cluster, crd, namespace, path: pathlib.Path):
    # The first line says what is wrong, in the words of the offline check: "# FIELD: MESSAGE".
    _, message = path.read_text().splitlines()[0].removeprefix("# ").split(": ", 1)
    documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
    for document in documents:
        document["metadata"]["namespace"] = namespace
    # With two documents the second is a change of the first that is not allowed.
    for document in documents[:-1]:
        cluster.apply(document)
    done = cluster.apply(documents[-1], check=False)
    assert done.returncode != 0, f"{path.name} was accepted"
    assert message in done.stderr, done.stderr


@pytest.mark.parametrize("spec", [
    {"networkPolicy": {"extraEgress": [{"ports": [{"port": 99999}]}]}},
    {"networkPolicy": {"extraIngress": [{"ports": [{"port": 1, "endPort": 70000}]}]}},
    {"ingress": {"template": {"topologySpreadConstraints": [
        {"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]}}},
], ids=["port", "endPort", "maxSkew"])
def test_numbers_of_kubernetes_types_are_bounded(cluster, crd, namespace, spec):
    class Anywhere:
        brokers = "kafka:9092"

    done = cluster.apply(make_pipeline(namespace, Anywhere, "jaeger:4317", spec), check=False)
    assert done.returncode != 0 and "should be" in done.stderr, done.stderr


def test_unknown_fields_are_refused(cluster, crd, namespace):
    class Anywhere:
        brokers = "kafka:9092"

    manifest = make_pipeline(namespace, Anywhere, "jaeger:4317", {"ingresss": {}})
    done = cluster.apply(manifest, check=False)
    assert done.returncode != 0 and "ingresss" in done.stderr


def test_a_config_the_service_refuses_changes_nothing(start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    templates, pods = pipeline.templates(), {p["metadata"]["uid"] for p in pipeline.pods()}
    pipeline.change({"ingress": {"config": {"limits": {"no_such_key": 1}}}})
    found = pipeline.wait_condition("ConfigValid", "False", 30)
    assert "spec.ingress.config" in found["message"] and "no_such_key" in found["message"], found
    assert pipeline.templates() == templates
    assert {p["metadata"]["uid"] for p in pipeline.pods()} == pods
    # The running revision stays ready.
    pipeline.wait_condition("Ready", "True", 30)

    pipeline.change({"ingress": {"config": None}})
    pipeline.wait_condition("ConfigValid", "True", 30)
    assert pipeline.templates() == templates


def test_a_wrong_pipeline_that_never_ran_makes_no_workloads(start_pipeline):
    pipeline = start_pipeline({"ingress": {"config": {"no_such_section": {}}}})
    pipeline.wait_condition("ConfigValid", "False", 30)
    assert pipeline.workloads() == {}


def test_scaling_restarts_no_pod(start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    templates = pipeline.templates()
    pipeline.change({"ingress": {"replicas": 2}})
    pipeline.wait_replicas("p-ingress", 2)
    pipeline.change({"ingress": {"autoscaling": {"minReplicas": 2, "maxReplicas": 3}}})
    pipeline.wait_condition("Ready", "True", 30)
    assert pipeline.templates() == templates


def test_a_change_touches_only_its_component(start_pipeline):
    pipeline = start_pipeline()
    pipeline.wait_good()
    before = pipeline.templates()
    pipeline.change({"ingress": {"config": {"limits": {"body_bytes_max": "8MiB"}}}})
    pipeline.wait_good()
    after = pipeline.templates()
    assert {name for name in after if after[name] != before[name]} == {"p-ingress"}
