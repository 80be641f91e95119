"""How GitOps tools assess a Pipeline: the real kstatus (Flux, Helm 4) and the health script of Argo CD
in its Lua interpreter, over the statuses that the operator makes in every phase."""
import json
import subprocess

import pytest
import yaml

from harness.parts import run_part
from harness.processes import ROOT

GITOPS = ROOT / "k8s/gitops"


@pytest.fixture(scope="session")
def recorded():
    lines = (ROOT / "tests/golden/operator/statuses.jsonl").read_text().splitlines()
    assert len(lines) > 10
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def assess():
    binary = run_part("health")

    def words(objects, *arguments):
        text = "".join(json.dumps(one) + "\n" for one in objects)
        done = subprocess.run([binary, *arguments], input=text, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.split()

    return words


def by_name(recorded, words):
    assert len(words) == len(recorded)
    return dict(zip([one["name"] for one in recorded], words))


def test_kstatus_of_every_phase(recorded, assess):
    expected = {one["name"]: one["kstatus"] for one in recorded}
    assert by_name(recorded, assess([one["object"] for one in recorded])) == expected


def test_argo_cd_health_of_every_phase(recorded, assess):
    expected = {one["name"]: one["argo"] for one in recorded}
    words = assess([one["object"] for one in recorded], GITOPS / "health.lua")
    assert by_name(recorded, words) == expected


def test_a_generation_that_was_not_observed_is_in_progress(recorded, assess):
    complete = next(one["object"] for one in recorded if one["name"] == "complete")
    newer = dict(complete, metadata=dict(complete["metadata"], generation=99))
    unseen = {key: value for key, value in complete.items() if key != "status"}
    assert assess([newer]) == ["InProgress"]
    assert assess([newer, unseen], GITOPS / "health.lua") == ["Progressing", "Progressing"]


def test_the_configmap_of_argo_cd_holds_the_script():
    config_map = yaml.safe_load((GITOPS / "argocd-cm.yaml").read_text())
    script = config_map["data"]["resource.customizations.health.spanway.dev_Pipeline"]
    assert script == (GITOPS / "health.lua").read_text()


def test_flux_waits():
    objects = list(yaml.safe_load_all((GITOPS / "flux.yaml").read_text()))
    assert objects[-1]["kind"] == "Kustomization" and objects[-1]["spec"]["wait"] is True
