"""One cluster for the session: SPANWAY_KUBECONFIG names one that runs; else the one of
tests/cluster/up.sh, which is started when it does not run and then also ended."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from cluster import Cluster, kube_folder, run  # noqa: E402
from harness.load import Sink  # noqa: E402
from harness.parts import Kafka, require_built  # noqa: E402
from harness.processes import BIN, ROOT, wait_until  # noqa: E402
from pipelines import Running, make_pipeline  # noqa: E402

STATE = pathlib.Path(os.environ.get("STATE", "/tmp/spanway-cluster"))
IMAGE = ROOT / "build/images/spanway.tar"
# Several quiet periods must fit into a test.
QUICK = ["config.resync=20s", "config.secrets_poll=10s", "config.statusz_poll=2s", "config.statusz_poll_idle=10s"]


def _own_cluster(request):
    if reason := run([HERE / "up.sh", "possible"], check=False).stdout.strip():
        pytest.skip(f"no cluster can run here: {reason}")
    require_built("kube")
    # `make cluster-test` always makes it; a single test that is started by hand may come before it.
    if not IMAGE.exists():
        pytest.skip(f"{IMAGE} is missing: ci/images/oci.sh makes it")
    if not (STATE / "kubeconfig").exists():
        request.addfinalizer(lambda: run([HERE / "down.sh"], check=False))
        size = {"NODES": "2", "METRICS": "1", "HPA_FAST": "1"}  # The environment may override it, except the image.
        run([HERE / "up.sh"], env={**size, **os.environ, "STATE": str(STATE), "IMAGES": str(IMAGE)}, stdin=subprocess.DEVNULL)
    return Cluster(STATE / "kubeconfig", kube_folder() / "bin", STATE)


@pytest.fixture(scope="session")
def cluster(request):
    if path := os.environ.get("SPANWAY_KUBECONFIG"):
        return Cluster(path, host=os.environ.get("SPANWAY_HOST_ADDRESS", "10.77.0.1"))
    return _own_cluster(request)


@pytest.fixture(scope="session")
def crd(cluster):
    path = ROOT / "k8s/crd/pipelines.spanway.dev.yaml"
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", path)
    # kubectl fails while the API server has not set the first condition; it does not wait.
    established = ("get", "crd/pipelines.spanway.dev", "-o", "jsonpath={.status.conditions[?(@.type=='Established')].status}")
    wait_until(lambda: cluster.kubectl(*established, check=False).stdout == "True", 60, "the CRD to be established", 0.5)
    return path


@pytest.fixture(scope="session")
def operator(cluster, crd):
    """Installed by Helm, two replicas, as a user would."""
    if not (BIN / "spanway-operator").exists() and not os.environ.get("SPANWAY_OPERATOR_IN_IMAGE"):
        pytest.skip("spanway-operator is not built")
    cluster.tool("helm", "uninstall", "spanway", "-n", "spanway-system", "--wait", check=False)
    settings = [word for setting in QUICK for word in ("--set", setting)]
    cluster.tool(
        "helm", "install", "spanway", ROOT / "helm/spanway", "-n", "spanway-system", "--create-namespace", "--wait",
        "--timeout", "120s", "--set", "image.repository=localhost/spanway", "--set", "crds.enabled=false", *settings,
    )
    yield "system:serviceaccount:spanway-system:spanway-operator"
    cluster.tool("helm", "uninstall", "spanway", "-n", "spanway-system", "--wait", check=False)


class HostKafka(Kafka):
    """On an address that pods can reach."""

    def __init__(self, folder, address):
        super().__init__(folder)
        self.environment["LISTEN"] = address
        self.brokers = f"{address}:{self.port}"


@pytest.fixture(scope="session")
def kafka(request, cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kafka")
    kafka = HostKafka(folder, cluster.host)
    request.addfinalizer(lambda: (kafka.stop(), shutil.rmtree(folder, ignore_errors=True)))
    return kafka.start()


@pytest.fixture
def sink(cluster, tmp_path):
    """Counts what leaves. `address` is how pods reach it."""
    with Sink(tmp_path, "sink", "--host", "0.0.0.0").start() as sink:
        sink.address = f"{cluster.host}:{sink.port}"
        yield sink


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed = outcome.get_result().failed


@pytest.fixture
def namespace(request, cluster, crd):
    name = cluster.create_namespace()
    yield name
    if getattr(request.node, "failed", False):
        print(cluster.describe(name))
    cluster.kubectl("-n", name, "delete", "pipelines", "--all", "--timeout=60s", check=False)
    cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture
def start_pipeline(cluster, operator, namespace, kafka, sink):
    """Makes and applies a Pipeline that sends to `sink`."""

    def start(spec=None, name="p", endpoint=None, exporter=None):
        manifest = make_pipeline(namespace, kafka, endpoint or sink.address, spec, name, exporter)
        return Running(cluster, manifest).apply()

    return start
