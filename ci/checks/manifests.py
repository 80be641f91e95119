#!/usr/bin/env python3
"""Writes the generated manifests: the chart's CRD from k8s/crd, the dashboards of k8s/ and the chart from
ci/dashboards, and the plain manifests of k8s/ from the chart. `manifests.py write` writes them; `manifests.py check` says what differs.

Needs helm: HELM, or on PATH, or the one that tests/parts/kube.sh has fetched. Without it the plain
manifests are skipped, by name.
"""
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys

import dashboards
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRD = ROOT / "k8s/crd/pipelines.spanway.dev.yaml"
CHART = ROOT / "helm/spanway"
HEADER = "# Made by ci/checks/manifests.py from {source}; change that instead.\n"
# Templates that say who may do what; the others go to k8s/operator.
RBAC = {"serviceaccount", "rbac", "aggregate"}


def find_helm():
    if path := os.environ.get("HELM") or shutil.which("helm"):
        return path
    kube = subprocess.run([ROOT / "tests/parts/kube.sh", "path"], capture_output=True, text=True, check=True)
    path = pathlib.Path(kube.stdout.strip()) / "bin/helm"
    return path if path.exists() else None


def chart_crd():
    crd = yaml.safe_load(CRD.read_text())
    crd.pop("status", None)
    annotations = crd["metadata"].pop("annotations", {})
    head = {"apiVersion": crd.pop("apiVersion"), "kind": crd.pop("kind"), "metadata": crd.pop("metadata")}
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    text += "  annotations:\n    spanway.dev/crd: {{ .Chart.AppVersion | quote }}\n"
    text += "".join(f"    {name}: {value!r}\n" for name, value in annotations.items())
    text += '    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n'
    body = yaml.safe_dump(crd, sort_keys=False, allow_unicode=True, width=100)
    # Braces in a description are text, not a template.
    text += re.sub(r"\{\{|\}\}", lambda braces: '{{ "' + braces[0] + '" }}', body)
    source = CRD.relative_to(ROOT)
    return "{{- if .Values.crds.enabled }}\n" + HEADER.format(source=source) + text + "{{- end }}\n"


def plain_manifests(helm):
    """Path below k8s/ -> text."""
    done = subprocess.run(
        [helm, "template", "spanway", CHART, "--namespace", "spanway-system", "--set", "crds.enabled=false", "--skip-tests"],
        capture_output=True, text=True, check=True,
    )
    files = {}
    for document in done.stdout.split("\n---\n"):
        found = re.search(r"^# Source: spanway/templates/(\w+)\.yaml\n", document, re.MULTILINE)
        if not found:
            continue
        text = document[found.end():].strip("\n") + "\n"
        text = re.sub(r"^ *(app\.kubernetes\.io/managed-by: Helm|helm\.sh/chart: .*)\n", "", text, flags=re.MULTILINE)
        path = ("rbac/" if found[1] in RBAC else "operator/") + found[1] + ".yaml"
        files[path] = f"{files[path]}---\n{text}" if path in files else HEADER.format(source="helm/spanway") + text
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: spanway-system\n  labels:\n"
    namespace += "    app.kubernetes.io/part-of: spanway\n    pod-security.kubernetes.io/enforce: restricted\n"
    files["operator/namespace.yaml"] = HEADER.format(source="helm/spanway") + namespace
    resources = ["crd/pipelines.spanway.dev.yaml", *sorted(files)]
    files["kustomization.yaml"] = (
        "# The operator without Helm: kubectl apply -k k8s/\n" + HEADER.format(source="helm/spanway")
        + "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
        + "".join(f"  - {path}\n" for path in resources)
        + "# For an image of your own: kustomize edit set image spanway=registry.example.com/spanway:0.1.0, and\n"
        + "# the same in operator/configmap.yaml for the pods of pipelines.\n"
    )
    return files


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ("write", "check"):
        print(__doc__)
        return 2
    rendered = {}
    if CRD.exists():
        rendered[CHART / "templates/crd.yaml"] = chart_crd()
    else:
        print(f"manifests: {CRD.relative_to(ROOT)} is missing; the chart's CRD was skipped")
    for name, text in dashboards.rendered().items():
        rendered[ROOT / "k8s/dashboards" / name] = rendered[CHART / "dashboards" / name] = text
    helm = find_helm()
    if helm:
        rendered.update({ROOT / "k8s" / path: text for path, text in plain_manifests(helm).items()})
    else:
        print("manifests: SKIPPED k8s/: helm is neither in HELM nor on PATH (tests/parts/kube.sh get fetches it)")
    if sys.argv[1] == "write":
        for path, text in rendered.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return 0
    bad = False
    for path, text in rendered.items():
        have = path.read_text() if path.exists() else ""
        if have != text:
            bad = True
            name = str(path.relative_to(ROOT))
            sys.stdout.writelines(difflib.unified_diff(have.splitlines(True), text.splitlines(True), name, "made now"))
    if bad:
        print("manifests: what is above differs from its source; run: ci/checks/manifests.py write", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
