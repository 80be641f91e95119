"""The operator's replicas are killed and paused, the API server is killed, etcd is compacted: it recovers."""
import time

from harness.processes import wait_until


def restarts(pods):
    return {p["metadata"]["name"]: p["status"]["containerStatuses"][0]["restartCount"] for p in pods}


def works_within(start_pipeline, name, seconds):
    started = time.monotonic()
    pipeline = start_pipeline(name=name)
    wait_until(lambda: f"{name}-ingress" in pipeline.workloads(), seconds, "the operator at work", 0.1)
    return time.monotonic() - started


def test_a_killed_leader_is_followed(cluster, start_pipeline):
    cluster.need_hands()
    cluster.signal_container(cluster.leader_pod(), "spanway-system", "KILL")
    works_within(start_pipeline, "killed", 60)


def test_a_leader_that_leaves_hands_over_at_once(cluster, start_pipeline):
    before = cluster.leader_pod()
    cluster.kubectl("-n", "spanway-system", "delete", "pod", before, "--wait=false")
    # Sooner than the Lease of 15 s could expire: it was released.
    assert works_within(start_pipeline, "left", 60) < 14
    assert cluster.leader_pod() != before


def test_a_frozen_leader_is_followed_and_does_not_write_afterwards(cluster, operator, start_pipeline):
    cluster.need_hands()
    frozen = cluster.leader_pod()
    cluster.signal_container(frozen, "spanway-system", "STOP")
    try:
        # The Lease expires 15 s after another replica saw its last renewal; each of the two waits for
        # its next retry, and a busy machine delays both.
        wait_until(lambda: not cluster.lease_holder().startswith(frozen), 60, "another holder of the Lease", 0.2)
        works_within(start_pipeline, "frozen", 60)
    finally:
        cluster.signal_container(frozen, "spanway-system", "CONT")
    time.sleep(3)  # Something that must not happen has no moment to wait for.
    assert not cluster.lease_holder().startswith(frozen), "the thawed leader took the Lease back"


def test_the_api_server_killed_and_etcd_compacted(cluster, start_pipeline):
    cluster.need_hands()
    first = start_pipeline(name="first")
    first.wait_ready()
    pods = {p["metadata"]["uid"] for p in first.pods()}
    cluster.hold("cp", "apiserver", "kube-apiserver")
    try:
        cluster.compact_etcd()
        time.sleep(5)  # Long enough for watches and the Lease's renewals to fail.
    finally:
        cluster.release("cp", "apiserver")
    cluster.wait_api()
    works_within(start_pipeline, "second", 60)
    # The first one was not touched, and is still reconciled.
    assert {p["metadata"]["uid"] for p in first.pods()} == pods
    first.change({"ingress": {"replicas": 2}})
    first.wait_replicas("first-ingress", 2)


def test_an_operator_that_starts_while_the_api_server_is_down_waits_for_it(cluster, operator, start_pipeline):
    cluster.need_hands()
    pods = cluster.list("pods", "spanway-system", "app.kubernetes.io/component=operator")
    names = [pod["metadata"]["name"] for pod in pods]
    processes = [cluster.container_pid(name, "spanway-system") for name in names]
    before = restarts(pods)
    cluster.hold("cp", "apiserver", "kube-apiserver")
    try:
        for node, pid in processes:
            cluster.inside(node, "kill", "-KILL", pid)
        time.sleep(20)  # One that ended would have been started, and would have ended, several times.
    finally:
        cluster.release("cp", "apiserver")
    cluster.wait_api()
    works_within(start_pipeline, "waited", 90)
    after = restarts(cluster.list("pods", "spanway-system", "app.kubernetes.io/component=operator"))
    assert after == {name: before[name] + 1 for name in names}


def test_a_watch_over_compacted_history(cluster, start_pipeline):
    cluster.need_hands()
    pipeline = start_pipeline()
    pipeline.wait_ready()
    cluster.signal("cp", "kube-apiserver", "KILL")
    cluster.wait_api()
    cluster.compact_etcd()
    cluster.kubectl("-n", pipeline.namespace, "delete", "service", "p-ingress")
    wait_until(lambda: cluster.get("service", "p-ingress", pipeline.namespace), 60, "the Service again", 0.3)
