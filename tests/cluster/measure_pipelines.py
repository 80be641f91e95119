#!/usr/bin/env python3
"""Measures the operator with many Pipelines: memory, time to make their objects, requests, and what
it writes while idle. Not a test: it takes minutes and its numbers belong into a table.

  measure_pipelines.py [--count 1000] [--rest 120] [--binary build/release/bin/spanway-operator]

Starts a control plane of its own (tests/cluster/up.sh with NODES=0) without a controller manager, so
that no pod is made and only the operator is measured. Prints one JSON object.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import yaml  # noqa: E402
from cluster import Cluster, kube_folder, run, writes  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.processes import ROOT, Process, http_get, wait_until  # noqa: E402
from pipelines import make_pipeline  # noqa: E402

NAMESPACES = 10
WORKLOADS = 4


class Nowhere:
    brokers = "kafka.invalid:9092"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rest", type=int, default=120, help="idle seconds")
    parser.add_argument("--settle", type=int, default=90, help="seconds between the last object and the rest")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build/release/bin/spanway-operator")
    return parser.parse_args()


def established(cluster):
    crd = json.loads(cluster.kubectl("get", "crd/pipelines.spanway.dev", "-o", "json").stdout)
    conditions = (crd.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)


def start_cluster(state):
    run([HERE / "up.sh"], env=dict(os.environ, STATE=str(state), NODES="0"), stdin=subprocess.DEVNULL)
    cluster = Cluster(state / "kubeconfig", kube_folder() / "bin", state)
    cluster.kubectl("apply", "--server-side", "-f", ROOT / "k8s/crd/pipelines.spanway.dev.yaml")
    # "kubectl wait" fails at once when the CRD has no status yet.
    wait_until(lambda: established(cluster), 30, "the CRD is established")
    for number in range(NAMESPACES):
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"n{number}"}})
    cluster.hold("cp", "controller-manager", "kube-controller")
    return cluster


class Operator(Process):
    def __init__(self, cluster, binary, folder, settings=None):
        self.admin_port = free_port()
        config = {
            "admin": {"host": "127.0.0.1", "port": self.admin_port},
            "kubeconfig": str(cluster.kubeconfig), "operator_namespace": "default", "image_repository": "spanway",
            "lease": {"namespace": "default"}, **(settings or {}),
        }
        path = folder / "operator.yaml"
        path.write_text(yaml.safe_dump(config))
        super().__init__("operator", [binary, "--config", path], folder)

    def metric(self, name):
        """label text -> value"""
        text = http_get(f"http://127.0.0.1:{self.admin_port}/metrics")
        return {m[1]: float(m[2]) for m in re.finditer(rf"^{name}(\{{.*\}})? (\S+)$", text, re.MULTILINE)}

    def cached(self, *kinds):
        """Objects of these kinds that the API server has sent."""
        objects = self.metric("spanway_kubernetes_cache_objects")
        return sum(objects.get(f'{{resource="{kind}"}}', 0) for kind in kinds)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of(cluster, name):
    """CPU seconds of a process of the control plane."""
    stat = cluster.inside("cp", "sh", "-c", f"cat /proc/$(pgrep -x {name})/stat").stdout
    fields = stat.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def count_objects(cluster, kind):
    text = cluster.kubectl("get", kind, "-A", "-l", "app.kubernetes.io/managed-by=spanway-operator", "--no-headers").stdout
    return len(text.splitlines())


def measure(cluster, operator, arguments):
    operator.start()
    wait_until(lambda: http_get(f"http://127.0.0.1:{operator.admin_port}/readyz"), 60, "the operator")
    result = {"rss_mib_empty": operator.rss_bytes() >> 20}
    cluster.apply(make_pipeline("n0", Nowhere, "sink:4317", name="first"))
    wait_until(lambda: count_objects(cluster, "deployments,statefulsets") == WORKLOADS, 60, "the first Pipeline", 0.2)
    time.sleep(5)
    result["rss_mib_one"] = operator.rss_bytes() >> 20

    position, cpu, started = cluster.audit_position(), operator.cpu_seconds(), time.monotonic()
    control_plane = {name: cpu_of(cluster, name) for name in ("kube-apiserver", "etcd")}
    manifests = [make_pipeline(f"n{n % NAMESPACES}", Nowhere, "sink:4317", name=f"p{n}") for n in range(arguments.count - 1)]
    for first in range(0, len(manifests), 100):
        cluster.apply(*manifests[first:first + 100])
    result["seconds_to_create"] = round(time.monotonic() - started, 1)
    expected = WORKLOADS * arguments.count
    # From the operator's own cache: kubectl would list thousands of objects each time.
    wait_until(lambda: operator.cached("deployments", "statefulsets") == expected, 1800, f"{expected} workloads", 1)
    result["seconds_until_all_have_workloads"] = round(time.monotonic() - started, 1)
    result["cpu_seconds_until_then"] = {"operator": round(operator.cpu_seconds() - cpu, 1)} | {
        name: round(cpu_of(cluster, name) - before, 1) for name, before in control_plane.items()}
    result["load_average"] = os.getloadavg()[0]
    time.sleep(arguments.settle)
    entries = cluster.audit(position, "admin")
    verbs = collections.Counter(e["verb"] for e in entries if e["userAgent"].startswith("spanway"))
    result["requests_while_creating"] = dict(verbs)
    result["cpu_seconds_while_creating"] = round(operator.cpu_seconds() - cpu, 1)
    result[f"rss_mib_{arguments.count}"] = operator.rss_bytes() >> 20

    position, cpu = cluster.audit_position(), operator.cpu_seconds()
    time.sleep(arguments.rest)
    entries = [e for e in cluster.audit(position, "admin") if e["userAgent"].startswith("spanway")]
    result["idle"] = {
        "seconds": arguments.rest,
        "writes": len(writes(entries)),
        "requests": dict(collections.Counter(e["verb"] for e in entries)),
        "cpu_seconds": round(operator.cpu_seconds() - cpu, 1),
        "written": [f"{e['verb']} {e['requestURI']}" for e in writes(entries)][:5],
    }
    return result


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        state = folder / "cluster"
        try:
            cluster = start_cluster(state)
            with Operator(cluster, arguments.binary, folder) as operator:
                try:
                    print(json.dumps(measure(cluster, operator, arguments), indent=1))
                except AssertionError:
                    print(operator.log()[-4000:], file=sys.stderr)
                    raise
        finally:
            run([HERE / "down.sh"], check=False, env=dict(os.environ, STATE=str(state)))


if __name__ == "__main__":
    main()
