#!/usr/bin/env python3
"""Measures the operator with many watched namespaces and rights in each of them alone: threads, open
files, memory, and the time until everything has been listed. Not a test: its numbers belong into a table.

  measure_namespaces.py [--counts 60,500] [--binary build/release/bin/spanway-operator]

Starts a control plane of its own (tests/cluster/up.sh with NODES=0). Prints a JSON object for each count.
"""
import argparse
import json
import os
import pathlib
import tempfile
import time

import yaml
from measure_pipelines import HERE, Nowhere, Operator, start_cluster
from cluster import run
from harness.processes import ROOT, http_get, wait_until
from pipelines import make_pipeline

ACCOUNT = {"kind": "ServiceAccount", "name": "narrow", "namespace": "default"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="60,500")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "build/release/bin/spanway-operator")
    return parser.parse_args()


def make_namespaces(cluster, count):
    """Namespaces, each with a RoleBinding of one account; nothing cluster-wide but discovery."""
    names = [f"team-{number}" for number in range(count)]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "narrow"}
    api = "rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    cluster.apply({"apiVersion": api, "kind": "ClusterRole", "metadata": {"name": "narrow"}, "rules": rules})
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "narrow", "namespace": "default"}})
    bound = names + ["default"]
    for first in range(0, len(bound), 100):
        some = bound[first:first + 100]
        cluster.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in some))
        cluster.apply(*({"apiVersion": api, "kind": "RoleBinding", "metadata": {"name": "narrow", "namespace": name},
                         "roleRef": role, "subjects": [ACCOUNT]} for name in some))
    return names


def narrow_kubeconfig(cluster, folder):
    """The admin's kubeconfig with the account's token instead of the certificate."""
    config = yaml.safe_load(pathlib.Path(cluster.kubeconfig).read_text())
    token = cluster.kubectl("create", "token", "narrow", "--duration=24h").stdout.strip()
    for user in config["users"]:
        user["user"] = {"token": token}
    path = folder / "narrow.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def count_files(pid):
    links = [os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]
    return {"files": len(links), "sockets": sum(link.startswith("socket:") for link in links)}


def measure(cluster, kubeconfig, binary, folder, names):
    folder.mkdir()
    with Operator(cluster, binary, folder, {"kubeconfig": str(kubeconfig), "watch_namespaces": names}) as operator:
        started = time.monotonic()
        operator.start()
        wait_until(lambda: http_get(f"http://127.0.0.1:{operator.admin_port}/readyz"), 600, "the operator", 0.5)
        listed = round(time.monotonic() - started, 1)
        time.sleep(20)  # Until the watches have been opened.
        pid, result = operator.process.pid, {"seconds_until_listed": listed}
        result["threads"] = len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))
        result.update(count_files(pid), rss_mib=operator.rss_bytes() >> 20)
        cpu = operator.cpu_seconds()
        time.sleep(60)  # The time over which the CPU of an idle operator is measured.
        result["cpu_seconds_idle_in_60_s"] = round(operator.cpu_seconds() - cpu, 2)
        # The last namespace is served as the first is.
        begun = time.monotonic()
        cluster.apply(make_pipeline(names[-1], Nowhere, "sink:4317", name="last"))
        wait_until(lambda: cluster.get("deployment", "last-ingress", names[-1]), 60, "the Pipeline's workloads", 0.1)
        result["seconds_to_a_deployment"] = round(time.monotonic() - begun, 1)
        cluster.kubectl("-n", names[-1], "delete", "pipeline", "last")
        return result


def main():
    arguments = parse_arguments()
    counts = [int(count) for count in arguments.counts.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        state = folder / "cluster"
        try:
            cluster = start_cluster(state)
            # An older binary refuses fields that it does not know.
            cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=run([arguments.binary, "crd"]).stdout)
            names = make_namespaces(cluster, max(counts))
            kubeconfig = narrow_kubeconfig(cluster, folder)
            for count in counts:
                found = measure(cluster, kubeconfig, arguments.binary, folder / str(count), names[:count])
                print(json.dumps({"namespaces": count, **found}), flush=True)
        finally:
            run([HERE / "down.sh"], check=False, env=dict(os.environ, STATE=str(state)))


if __name__ == "__main__":
    main()
