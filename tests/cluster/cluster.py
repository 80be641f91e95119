"""A Kubernetes cluster as the tests see it: kubectl, and hands on its processes where it is ours."""
import itertools
import json
import os
import pathlib
import subprocess

import pytest
import yaml
from harness.processes import ROOT, wait_until

HERE = ROOT / "tests/cluster"
_numbers = itertools.count(1)


def run(command, check=True, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert not check or done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done


def kube_folder():
    return pathlib.Path(run([ROOT / "tests/parts/kube.sh", "path"]).stdout.strip())


class Cluster:
    """Any cluster by its kubeconfig. `state` is the folder of tests/cluster/up.sh, or None."""

    def __init__(self, kubeconfig, bin_folder=None, state=None, host="10.77.0.1"):
        self.kubeconfig, self.state, self.host = kubeconfig, state, host
        self.environment = dict(os.environ, KUBECONFIG=str(kubeconfig))
        if bin_folder:
            self.environment["PATH"] = f"{bin_folder}:{os.environ['PATH']}"

    def tool(self, *command, check=True, stdin=None, timeout=300):
        return run(command, check, env=self.environment, input=stdin, timeout=timeout)

    def kubectl(self, *arguments, **options):
        return self.tool("kubectl", *arguments, **options)

    def get(self, kind, name, namespace):
        """The object, or None when it is missing."""
        done = self.kubectl("-n", namespace, "get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def list(self, kinds, namespace, selector=""):
        done = self.kubectl("-n", namespace, "get", kinds, "-l", selector, "-o", "json")
        return json.loads(done.stdout)["items"]

    def apply(self, *objects, manager="tests", **options):
        text = yaml.safe_dump_all(objects)
        return self.kubectl("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", "-f", "-", stdin=text, **options)

    def patch(self, kind, name, namespace, patch, *extra, **options):
        return self.kubectl("-n", namespace, "patch", kind, name, "--type=merge", "-p", json.dumps(patch), *extra, **options)

    def lease_holder(self):
        return self.get("lease", "spanway-operator", "spanway-system")["spec"]["holderIdentity"]

    def leader_pod(self):
        identity = self.lease_holder()
        pods = self.list("pods", "spanway-system", "app.kubernetes.io/component=operator")
        return next(p["metadata"]["name"] for p in pods if identity.startswith(p["metadata"]["name"]))

    def create_namespace(self, enforce="restricted"):
        name = f"t{os.getpid()}-{next(_numbers)}"
        labels = {"pod-security.kubernetes.io/enforce": enforce, "spanway.dev/test": "true"}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        return name

    def service_address(self, name, namespace, port):
        """Reachable from this machine: Services are routed here."""
        service = wait_until(lambda: self.get("service", name, namespace), 30, f"Service {name}", 0.2)
        return f"{service['spec']['clusterIP']}:{port}"

    def describe(self, namespace):
        """For a failed test: what is in the namespace, and what the operator says."""
        parts = [
            self.kubectl("-n", namespace, "get", "pods,deployments,statefulsets,jobs,cronjobs,hpa", "-o", "wide", check=False),
            self.kubectl("-n", namespace, "get", "pipelines", "-o", "yaml", check=False),
            self.kubectl("-n", namespace, "get", "events", "--sort-by=.lastTimestamp", check=False),
            self.kubectl("-n", "spanway-system", "logs", "-l", "app.kubernetes.io/component=operator", "--tail=40", "--prefix", check=False),
        ]
        return "\n".join(part.stdout + part.stderr for part in parts)

    def need_metrics(self):
        if "metrics.k8s.io" not in self.kubectl("api-versions").stdout:
            pytest.skip("this cluster has no metrics API: nothing measures the pods' CPU")

    def need_nodes(self, count):
        nodes = json.loads(self.kubectl("get", "nodes", "-o", "json").stdout)["items"]
        if len(nodes) < count:
            pytest.skip(f"this cluster has {len(nodes)} nodes, {count} are needed")

    # --- only of the cluster that up.sh has started ------------------------------------------------

    def need_hands(self):
        if self.state is None:
            pytest.skip("this needs the processes of a cluster of tests/cluster/up.sh")

    def inside(self, name, *command, check=True):
        """Runs a command in the namespaces of `cp` or a node."""
        init = (self.state / name / "init").read_text().strip()
        return run(["nsenter", "-t", init, "-m", "-n", "-p", *command], check)

    def signal(self, name, daemon, number):
        pids = self.inside(name, "pgrep", "-x", daemon).stdout.split()
        self.inside(name, "kill", f"-{number}", *pids)

    def hold(self, name, daemon, binary):
        """Kills a daemon and keeps it down until release()."""
        (self.state / name / "run" / f"hold.{daemon}").touch()
        self.signal(name, binary, "KILL")

    def release(self, name, daemon):
        (self.state / name / "run" / f"hold.{daemon}").unlink(missing_ok=True)

    def wait_api(self, seconds=60):
        wait_until(lambda: self.kubectl("get", "--raw", "/readyz", check=False).stdout == "ok", seconds, "the API server", 0.2)

    def etcd(self, call, body):
        """etcd's own HTTP gateway."""
        done = self.inside("cp", "curl", "-sS", "-m", "20", f"http://127.0.0.1:2379/v3/{call}", "-d", json.dumps(body))
        return json.loads(done.stdout)

    def compact_etcd(self):
        revision = self.etcd("kv/range", {"key": "AA=="})["header"]["revision"]
        self.etcd("kv/compaction", {"revision": revision, "physical": True})

    def container_pid(self, pod, namespace):
        """PID of the pod's first container, as its node's PID namespace numbers it."""
        found = self.get("pod", pod, namespace)
        container = found["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
        node = found["spec"]["nodeName"]
        tasks = self.inside(node, "ctr", "-a", "/run/containerd/containerd.sock", "-n", "k8s.io", "tasks", "ls").stdout
        return node, next(line.split()[1] for line in tasks.splitlines() if line.startswith(container))

    def signal_container(self, pod, namespace, number):
        node, pid = self.container_pid(pod, namespace)
        self.inside(node, "kill", f"-{number}", pid)

    def audit_position(self):
        return (self.state / "cp/log/audit.log").stat().st_size

    def audit(self, position, user):
        """The requests of `user` to the API server since `position`; those for no object have an empty objectRef."""
        with (self.state / "cp/log/audit.log").open("rb") as log:
            log.seek(position)
            entries = [json.loads(line) for line in log if line.endswith(b"\n")]
        return [{"objectRef": {}} | entry for entry in entries if entry["user"]["username"] == user]


WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def writes(entries):
    """Those that change something, without the Lease's."""
    return [e for e in entries if e["verb"] in WRITES and e["objectRef"].get("resource") != "leases"]


def condition(pipeline, kind):
    for found in (pipeline or {}).get("status", {}).get("conditions", []):
        if found["type"] == kind:
            return found
    return {"status": "Missing", "reason": "", "message": ""}
