"""A node loses its power under load, and comes back."""
import json
import os
import subprocess

from cluster import HERE, run
from harness.load import Load, compare
from harness.processes import wait_until


def is_ready(cluster, node):
    conditions = json.loads(cluster.kubectl("get", "node", node, "-o", "json").stdout)["status"]["conditions"]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def test_a_node_that_dies_takes_no_acknowledged_span_with_it(request, cluster, start_pipeline, sink, tmp_path):
    cluster.need_hands()
    cluster.need_nodes(2)
    two = {"replicas": 2}
    pipeline = start_pipeline({"ingress": two, "bridge": {"produce": two}}, exporter={**two, "consumer": two})
    pipeline.wait_good()
    environment = dict(os.environ, STATE=str(cluster.state), IMAGES=str(HERE.parents[1] / "build/images/spanway.tar"))

    def power_on():
        run([HERE / "node.sh", "2"], env=environment, stdin=subprocess.DEVNULL)
        wait_until(lambda: is_ready(cluster, "node2"), 60, "node2 ready", 0.5)

    with Load(tmp_path, pipeline.endpoint(), 500, 75, "--connections", "8", "--timeout", "5s", "--retry-for", "100s").start() as load:
        wait_until(lambda: sink.report()["received"] > 2000, 60, "spans at the sink", 0.5)
        run([HERE / "down.sh", "node2"], env=environment)
        request.addfinalizer(lambda: is_ready(cluster, "node2") or power_on())
        wait_until(lambda: not is_ready(cluster, "node2"), 120, "the cluster to miss node2", 1)
        # With half of its pods gone the Pipeline says so, and delivers what it takes.
        assert "node2 does not answer" in pipeline.wait_condition("Degraded", "True", 60, "NodeLost")["message"]
        assert load.wait(240) == 0, load.log()
        wait_until(lambda: compare(sink, load.ledger)["missing"] == 0, 120, "all acknowledged spans", 1)
    power_on()
    pipeline.wait_ready(180)
    for workload in pipeline.workloads():
        pipeline.wait_replicas(workload, 2, 180)
