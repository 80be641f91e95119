"""The objects that the chart renders, without a cluster. Needs helm, which tests/parts/kube.sh brings."""
import json
import os
import pathlib
import re
import shutil

import pytest
import yaml
from cluster import kube_folder, run
from harness.processes import BIN, ROOT

CHART = ROOT / "helm/spanway"
VALUES = sorted((ROOT / "tests/cluster/values").glob("*.yaml"))


@pytest.fixture(scope="module")
def helm():
    path = os.environ.get("HELM") or shutil.which("helm") or str(kube_folder() / "bin/helm")
    if not pathlib.Path(path).exists():
        pytest.skip("helm is neither in HELM nor on PATH; tests/parts/kube.sh get fetches it")
    return path


def render(helm, *arguments):
    """(kind, name, namespace) -> object."""
    text = run([helm, "template", "spanway", CHART, "-n", "spanway-system", *arguments]).stdout
    objects = [document for document in yaml.load_all(text, UniqueKeys) if document]
    keys = [(o["kind"], o["metadata"]["name"], o["metadata"].get("namespace", "")) for o in objects]
    assert len(set(keys)) == len(keys), "an object is rendered twice"
    return dict(zip(keys, objects))


class UniqueKeys(yaml.SafeLoader):
    """The API server refuses what YAML readers let pass: a key that is there twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        assert len(set(keys)) == len(keys), f"a key is there twice: {keys} at {node.start_mark}"
        return super().construct_mapping(node, deep)


def of_kind(objects, kind):
    return [o for (k, _, _), o in objects.items() if k == kind]


@pytest.mark.parametrize("values", [None, *VALUES], ids=lambda path: path.stem if path else "defaults")
def test_lint_is_clean(helm, values):
    done = run([helm, "lint", "--strict", CHART, *(["-f", values] if values else [])])
    assert "0 chart(s) failed" in done.stdout


@pytest.mark.parametrize("values", [None, *VALUES], ids=lambda path: path.stem if path else "defaults")
def test_every_pod_is_restricted_and_selected(helm, values):
    objects = render(helm, *(["-f", values] if values else []))
    deployment = of_kind(objects, "Deployment")[0]
    pods = [deployment["spec"]["template"]["spec"], *(o["spec"] for o in of_kind(objects, "Pod"))]
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            assert container["resources"]["limits"]["memory"]
            assert container["command"][0].startswith("/usr/bin/spanway-")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    for service in of_kind(objects, "Service"):
        assert service["spec"]["selector"] == selector
    for pod in of_kind(objects, "Pod"):
        assert not selector.items() <= pod["metadata"]["labels"].items(), "the test pod is taken for an operator"


def test_the_defaults(helm):
    objects = render(helm)
    deployment = objects["Deployment", "spanway-operator", "spanway-system"]
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == f"spanway:{version}"
    assert ("PodDisruptionBudget", "spanway-operator", "spanway-system") in objects
    config = yaml.safe_load(objects["ConfigMap", "spanway-operator", "spanway-system"]["data"]["config.yaml"])
    assert config["lease"] == {"name": "spanway-operator", "namespace": "spanway-system"}
    assert config["watch_namespaces"] == []
    crd = objects["CustomResourceDefinition", "pipelines.spanway.dev", ""]
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_secrets_are_only_got(helm):
    for role in of_kind(render(helm), "ClusterRole"):
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            if "secrets" in rule["resources"]:
                assert rule["verbs"] == ["get"]


def test_namespaced_nothing_of_the_operators_is_cluster_wide(helm):
    objects = render(helm, "-f", ROOT / "tests/cluster/values/namespaced.yaml")
    assert not of_kind(objects, "ClusterRole") and not of_kind(objects, "ClusterRoleBinding")
    for namespace in ("telemetry", "payments"):
        role = objects["Role", "spanway-operator", namespace]
        assert not any("secrets" in rule["resources"] for rule in role["rules"])
        binding = objects["RoleBinding", "spanway-operator", namespace]
        assert binding["subjects"][0]["namespace"] == "spanway-system"
    config = yaml.safe_load(objects["ConfigMap", "spanway-operator", "spanway-system"]["data"]["config.yaml"])
    assert config["watch_namespaces"] == ["telemetry", "payments"]
    crd = objects["CustomResourceDefinition", "pipelines.spanway.dev", ""]
    assert "helm.sh/resource-policy" not in crd["metadata"]["annotations"]


def test_every_value_arrives(helm):
    objects = render(helm, "-f", ROOT / "tests/cluster/values/everything.yaml")
    pod = objects["Deployment", "pipes", "spanway-system"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    assert container["image"].startswith("registry.example.com:5000/spanway@sha256:0123")
    assert container["imagePullPolicy"] == "Always"
    assert pod["metadata"]["labels"]["team"] == "observability"
    assert pod["metadata"]["annotations"]["example.com/owner"] == "me"
    for name, expected in {
        "serviceAccountName": "own-account", "priorityClassName": "system-cluster-critical",
        "imagePullSecrets": [{"name": "registry"}], "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    }.items():
        assert pod["spec"][name] == expected, name
    assert pod["spec"]["topologySpreadConstraints"][0]["topologyKey"] == "topology.kubernetes.io/zone"
    config = yaml.safe_load(objects["ConfigMap", "pipes", "spanway-system"]["data"]["config.yaml"])
    assert config["workers"] == 4 and config["resync"] == "60s" and config["log"]["level"] == "debug"
    assert of_kind(objects, "ServiceMonitor")[0]["metadata"]["labels"]["release"] == "prometheus"
    egress = objects["NetworkPolicy", "pipes", "spanway-system"]["spec"]["egress"]
    assert {"port": 16443, "protocol": "TCP"} in egress[1]["ports"]
    for path in (CHART / "dashboards").glob("*.json"):
        shown = objects["ConfigMap", f"pipes-dashboard-{path.stem}", "spanway-system"]
        assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert shown["metadata"]["annotations"] == {"grafana_folder": "Spanway"}
        assert json.loads(shown["data"][path.name]) == json.loads(path.read_text())
    assert "p-ingress.telemetry.svc:4317" in of_kind(objects, "Pod")[0]["spec"]["containers"][0]["command"]


def test_bare(helm):
    objects = render(helm, "-f", ROOT / "tests/cluster/values/bare.yaml")
    assert {kind for kind, _, _ in objects} == {"Deployment", "ConfigMap", "Service", "Pod"}


@pytest.mark.parametrize("bad", [
    "replica=3", "replicas=-1", "image.digest=sha256:short", "image.pullPolicy=Sometimes", "logLevel=verbose",
    "watchNamespaces[0]=Not_A_Name", "crds.keeps=true", "config.resync=soon", "config.no_such_key=1",
    "networkPolicy.apiServerPorts[0]=0", "test.ingress=no-port", "fullnameOverride=UPPER",
    "datasources.enabled=true", "datasources.queries[0].name=x", "datasources.queries[0].url=stored-query:8081",
    "datasources.queries[0].url=http://q:1,datasources.queries[0].token=in-the-clear",
    "datasources.enabled=true,datasources.queries[0].url=http://a:1,datasources.queries[1].url=http://b:1",
    "image.repository=example.com/spanway:1.2", r"podLabels.app\.kubernetes\.io/component=mine",
])
def test_a_value_that_does_nothing_is_refused(helm, bad):
    done = run([helm, "template", "spanway", CHART, "--set", bad], check=False)
    assert done.returncode != 0, f"--set {bad} was accepted"


@pytest.mark.parametrize("value, taken", [
    (f"config.{key}={value}", taken)
    for key, values in {
        "request_timeout": {"1s": True, "30s": True, "1500ms": True, "0s": False, "999ms": False, "31s": False, "1m": False, "1h": False},
        "resync": {"10s": True, "90s": True, "86400s": True, "1440m": True, "24h": True, "9s": False, "1m30s": False, "86401s": False, "1441m": False, "25h": False},
        "secrets_poll": {"5s": True, "3600s": True, "60m": True, "1h": True, "4s": False, "3601s": False, "61m": False, "2h": False},
        "statusz_poll": {"1s": True, "30s": True, "30000ms": True, "31s": False, "30001ms": False, "1m": False, "1h": False, "0s": False},
        "statusz_poll_idle": {"10s": True, "3600s": True, "60m": True, "1h": True, "0s": False, "3601s": False, "61m": False, "2h": False},
    }.items()
    for value, taken in values.items()
] + [
    (f"maintenanceWindow={value}", taken)
    for value, taken in {
        "00:00-23:59": True, "22:00-06:00": True, "Sat 22:00-06:00": True, "24:00-25:00": False, "22:00-24:00": False,
        "29:00-29:30": False, "02:00-02:00": False, "Sat 02:00-02:00": False,
    }.items()
])
def test_the_chart_takes_what_the_operator_takes(helm, tmp_path, value, taken):
    """A value that the chart takes and the operator refuses ends as a CrashLoopBackOff."""
    done = run([helm, "template", "spanway", CHART, "--set", value], check=False)
    assert (done.returncode == 0) == taken, f"{value}\n{done.stderr}"
    operator = BIN / "spanway-operator"
    if not operator.exists():
        return
    (path := tmp_path / "config.yaml").write_text(yaml.safe_dump(dict([value.removeprefix("config.").split("=")])).replace("maintenanceWindow", "maintenance_window"))
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}], contexts: [{name: a, context: {cluster: a, user: a}}], current-context: a, users: [{name: a, user: {token: a}}]}")
    checked = run([operator, "--config", path, "--check-config"], check=False, env=dict(os.environ, KUBECONFIG=str(kubeconfig)))
    assert (checked.returncode == 0) == taken, checked.stdout + checked.stderr


def test_data_sources_are_those_of_the_sample_and_one_set_for_each_tenant(helm):
    objects = render(helm, "-f", ROOT / "tests/cluster/values/everything.yaml")
    made = objects["ConfigMap", "pipes-datasources", "spanway-system"]
    assert made["metadata"]["labels"]["grafana_datasource"] == "1"
    sources = yaml.load(made["data"]["spanway.yaml"], UniqueKeys)["datasources"]
    sample = yaml.safe_load((ROOT / "k8s/samples/grafana-datasources.yaml").read_text())
    own = yaml.safe_load(sample["data"]["spanway.yaml"])["datasources"]
    assert sources[: len(own)] == own and len(sources) == 3 * len(own)
    assert len({source["uid"] for source in sources}) == len({source["name"] for source in sources}) == len(sources)
    for source, plain in zip(sources[len(own) : 2 * len(own)], own):
        assert source["uid"] == plain["uid"] + "-shop" and source["name"] == plain["name"] + " (shop)"
        assert source["url"] == plain["url"].replace("http://stored-query.default:8081", "https://query.example.com/spanway")
        assert source["jsonData"]["httpHeaderName1"] == "X-Scope-OrgID" and source["jsonData"]["httpHeaderName2"] == "Authorization"
        assert source["secureJsonData"] == {"httpHeaderValue1": "shop", "httpHeaderValue2": "Bearer $SHOP_TOKEN"}
    for source in sources[2 * len(own) :]:
        assert source["jsonData"]["httpHeaderName1"] == "Authorization" and source["secureJsonData"] == {"httpHeaderValue1": "Bearer ${PAY_TOKEN}"}
    uids = {source["uid"] for source in sources}
    for named in re.findall(r'"?datasourceUid"?: "?([a-z-]+)', made["data"]["spanway.yaml"]):
        assert named in uids, f"{named} is no data source"
    # The variable `tenant` of the dashboard of services finds the metrics of every tenant.
    board = json.loads((CHART / "dashboards/services.json").read_text())
    pattern = board["templating"]["list"][0]["regex"].strip("/")
    assert [source["type"] for source in sources if re.search(pattern, source["name"])] == ["prometheus"] * 3


def test_dashboards_and_data_sources_are_off_by_default(helm):
    names = {name for _, name, _ in render(helm)}
    assert not any("dashboard" in name or "datasources" in name for name in names)


def test_all_that_is_generated_is_current(helm):
    import sys

    run([sys.executable, ROOT / "ci/checks/manifests.py", "check"], env=dict(os.environ, HELM=helm))
