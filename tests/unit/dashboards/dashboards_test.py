"""Grafana's dashboards and the alerts of the operator: our own parser reads each expression, and it names only
metrics and labels that the services declare. No panel needs a data source of a certain id."""
import pathlib
import re
import sys

import pytest
import requests
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/e2e"))
sys.path.insert(0, str(ROOT / "ci/checks"))

import dashboards  # noqa: E402
from harness.dashboards import boards, filled, queries  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.processes import Service  # noqa: E402

VARIABLES = {"namespace": "a", "pipeline": "a", "service": "a", "__rate_interval": "5m"}
# From the scrape, not from the process: Prometheus's own and those that the ServiceMonitor has pods' labels for.
OF_TARGETS = {"namespace", "pod", "instance", "job", "spanway_dev_pipeline", "spanway_dev_component", "spanway_dev_exporter"}
OF_COUNTERS = {"rate", "increase", "irate"}


def declared():
    """Name of a series -> its labels and whether it is a counter, as the services print them."""
    found = {}
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w,]*) \|", (ROOT / "METRICS.md").read_text(), re.M)
    for name, kind, labels in rows:
        own = set(filter(None, labels.split(",")))
        if kind == "histogram":
            found |= {f"{name}_bucket": (own | {"le"}, True), f"{name}_sum": (own, True), f"{name}_count": (own, True)}
        else:
            found[name] = (own, kind == "counter")
    # The README's table of metrics out of spans.
    text = (ROOT / "services/query/store/span_metrics/README.md").read_text()
    header = (ROOT / "services/query/store/span_metrics/span_series.h").read_text()
    calls, latency = re.search(r'kSpanCalls = "(\w+)"', header)[1], re.search(r'kSpanLatency = "(\w+)"', header)[1]
    for name in (calls, latency):
        own = set(re.findall(r"`([a-z_]+)`", re.search(rf"^\| `{name}`[^|]*\| ([^|]*) \|", text, re.M)[1]))
        if name == calls:
            found[name] = (own, True)
        else:
            found |= {f"{name}_{part}": (own | ({"le"} if part == "bucket" else set()), True) for part in ("bucket", "sum", "count")}
    return found


DECLARED = declared()


@pytest.fixture(scope="module")
def parse(tmp_path_factory):
    """Expression -> the tree of our parser."""
    port = free_port()
    config = {"api": {"host": "127.0.0.1", "port": port}, "traces_from": "memory", "stores": {"memory": {"grpc_port": free_port()}}}
    service = Service("query", "spanway-query", config, tmp_path_factory.mktemp("query"))
    service.start().wait_ready()

    def ask(expression):
        answer = requests.get(f"http://127.0.0.1:{port}/api/v1/parse_query", {"query": expression}, timeout=30)
        assert answer.status_code == 200, f"{expression}\n{answer.text}"
        return answer.json()["data"]

    yield ask
    service.stop()


def below(tree):
    """The node and all below it."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for one in tree:
            yield from below(one)


def selectors(tree):
    return [node for node in below(tree) if node.get("type") in ("vectorSelector", "matrixSelector")]


def mistakes(tree):
    for node in selectors(tree):
        if node["name"] not in DECLARED:
            yield f"no service declares {node['name']}"
            continue
        labels = DECLARED[node["name"]][0] | OF_TARGETS
        used = {matcher["name"] for matcher in node["matchers"]} - {"__name__"}
        if used - labels:
            yield f"{node['name']} has no {used - labels}"
    for node in below(tree):
        known = [DECLARED[one["name"]] for one in selectors(node) if one["name"] in DECLARED]
        if node.get("type") == "aggregation" and known and not node["without"]:
            if absent := set(node["grouping"]) - OF_TARGETS - set.union(*(labels for labels, _ in known)):
                yield f"by {absent}: a label of none of its metrics"
        if node.get("type") == "call" and node["func"]["name"] in OF_COUNTERS and not all(counter for _, counter in known):
            yield f"{node['func']['name']}() of a gauge"


def check(parse, places):
    found = [f"{place}: {mistake}" for place, expression in places for mistake in mistakes(parse(expression))]
    assert not found, "\n".join(found)


def test_panels_ask_for_what_is_declared(parse):
    places = [(f"{name}: {panel['title']}", expression) for name, board in boards().items() for panel, expression in queries(board, VARIABLES)]
    assert len(places) > 100
    check(parse, places)


def test_variables_ask_for_what_is_declared(parse):
    found = 0
    for board in boards().values():
        for variable in board["templating"]["list"]:
            if variable["type"] != "query":
                continue
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", filled(variable["query"]["query"], VARIABLES)).groups()
            check(parse, [(variable["name"], f"count by ({label}) ({selector})")])
            found += 1
    assert found == 7


def test_alerts_ask_for_what_is_declared(parse):
    places = []
    for path in sorted((ROOT / "tests/golden/operator").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document and document.get("kind") == "PrometheusRule":
                places += [(f"{path.name}: {rule['alert']}", rule["expr"]) for group in document["spec"]["groups"] for rule in group["rules"]]
    assert len({place.split(": ")[1] for place, _ in places}) >= 9
    check(parse, places)


@pytest.mark.parametrize("wrong", [
    'rate(spanway_nothing_total{namespace="a"}[5m])',
    'rate(spanway_query_running_requests[5m])',
    'spanway_query_running_requests{api="x"}',
    "sum by (signal) (spanway_query_running_requests)",
])
def test_a_mistake_is_found(parse, wrong):
    assert list(mistakes(parse(wrong)))


def test_ids_are_unique_and_panels_complete():
    uids = set()
    for name, board in boards().items():
        assert board["uid"] == f"spanway-{name}"
        uids.add(board["uid"])
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids), name
        titles = [panel["title"] for panel in board["panels"] if panel["type"] != "row"]
        taken = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            assert not cells & taken and place["x"] + place["w"] <= 24, f"{name}: {panel['title']} lies over another panel"
            taken |= cells
            if panel["type"] == "row":
                continue
            assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], f"{name}: {panel['title']}"
            references = [target["refId"] for target in panel["targets"]]
            assert references and len(set(references)) == len(references)
        assert len(titles) >= 9 and len(set(titles)) == len(titles), name
    assert len(uids) == 4


def test_data_sources_are_variables():
    for name, board in boards().items():
        variables = {variable["name"]: variable for variable in board["templating"]["list"]}
        chosen = [one for one in variables.values() if one["type"] == "datasource"]
        assert len(chosen) == 1 and chosen[0]["query"] == "prometheus", name
        expected = {"type": "prometheus", "uid": "${" + chosen[0]["name"] + "}"}
        readers = [panel for panel in board["panels"] if panel["type"] != "row"] + [one for one in variables.values() if one["type"] == "query"]
        assert all(one["datasource"] == expected for one in readers), name
        text = " ".join(target["expr"] for panel in board["panels"] for target in panel.get("targets", []))
        assert set(re.findall(r"\$\{?(\w+)", text)) - {"__rate_interval"} <= set(variables), name
        assert ("tenant" if name == "services" else "datasource") == chosen[0]["name"]
        if name != "services":
            assert {"namespace", "pipeline"} <= set(variables)


def test_they_are_made_of_their_sources():
    for folder in (ROOT / "k8s/dashboards", ROOT / "helm/spanway/dashboards"):
        assert {path.name: path.read_text() for path in folder.glob("*.json")} == dashboards.rendered(), f"{folder}: run ci/checks/manifests.py write"
