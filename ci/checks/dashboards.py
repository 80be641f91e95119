"""Grafana's dashboards out of ci/dashboards/*.yaml. ci/checks/manifests.py writes them to k8s/dashboards and to
the chart.

In an expression %P is the selection of the variables namespace and pipeline, %S and %C that of spans of one
service's own work and of its calls to others, %R the window that Grafana picks for rates.
"""
import json
import pathlib

import yaml

SOURCES = pathlib.Path(__file__).resolve().parents[1] / "dashboards"
SHORTHANDS = {
    "%P": 'namespace=~"$namespace",spanway_dev_pipeline=~"$pipeline"',
    "%S": 'service=~"$service",span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"',
    "%C": 'service=~"$service",span_kind=~"SPAN_KIND_CLIENT|SPAN_KIND_PRODUCER"',
    "%R": "$__rate_interval",
}
UNITS = {"cps", "reqps", "s", "bytes", "Bps", "percentunit", "short", "bool_yes_no"}
COLUMNS = 24
# Counters exist at 0 from the start, one for each reason: a series without a value above 0 stays out of the legend.
HIDE_ZEROS = {
    "matcher": {"id": "byValue", "options": {"reducer": "allIsZero", "op": "gte", "value": 0}},
    "properties": [{"id": "custom.hideFrom", "value": {"legend": True, "tooltip": True, "viz": False}}],
}


def expression(text):
    for short, full in SHORTHANDS.items():
        text = text.replace(short, full)
    assert "%" not in text, f"an unknown shorthand: {text}"
    return text


def data_source_variable(name):
    """A data source is chosen by the reader: `datasource` has the metrics of Spanway's processes, `tenant` is
    spanway-query with the credentials of a tenant."""
    found = {"name": name, "label": {"datasource": "Data source", "tenant": "Tenant"}[name], "type": "datasource", "query": "prometheus"}
    return found | ({"regex": "/^Spanway metrics/"} if name == "tenant" else {})


def label_variable(source, name, label, query):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": source,
        "query": {"query": query, "refId": "A"},
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "refresh": 2,
        "current": {"text": "All", "value": "$__all"},
    }


def panel_of(given, kind, source, number, place):
    assert given["unit"] in UNITS, f"unit {given['unit']} of {given['title']}"
    defaults = {"unit": given["unit"], "min": 0}
    if "max" in given:
        defaults["max"] = given["max"]
    panel = {
        "id": number,
        "type": kind,
        "title": given["title"],
        "description": given["about"],
        "gridPos": place,
        "datasource": source,
        "fieldConfig": {"defaults": defaults, "overrides": []},
    }
    if kind == "timeseries":
        panel["fieldConfig"]["overrides"] = [HIDE_ZEROS]
        panel["options"] = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    panel["targets"] = [
        {"refId": chr(ord("A") + i), "expr": expression(query["expr"]), "legendFormat": query.get("legend", given["title"])}
        for i, query in enumerate(given["queries"])
    ]
    return panel


def panels_of(rows, source):
    panels, y = [], 0
    for row in rows:
        panels.append({"id": len(panels) + 1, "type": "row", "title": row["title"], "collapsed": False, "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y}, "panels": []})
        y, x = y + 1, 0
        width, height = row.get("width", 8), row.get("height", 7)
        for given in row["panels"]:
            if x + width > COLUMNS:
                x, y = 0, y + height
            panels.append(panel_of(given, row.get("type", "timeseries"), source, len(panels) + 1, {"h": height, "w": width, "x": x, "y": y}))
            x += width
        y += height
    return panels


def dashboard(given):
    name = given.get("source", "datasource")
    source = {"type": "prometheus", "uid": "${" + name + "}"}
    variables = given.get("variables") or [
        {"name": "namespace", "label": "Namespace", "query": "label_values(spanway_build_info, namespace)"},
        {
            "name": "pipeline",
            "label": "Pipeline",
            "query": 'label_values(spanway_build_info{namespace=~"$namespace"}, spanway_dev_pipeline)',
        },
    ]
    return {
        "title": given["title"],
        "uid": given["uid"],
        "tags": ["spanway", "opentelemetry"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["spanway"], "title": "Spanway", "asDropdown": True, "keepTime": True, "includeVars": True}],
        "templating": {"list": [data_source_variable(name), *(label_variable(source, **one) for one in variables)]},
        "panels": panels_of(given["rows"], source),
    }


def rendered():
    """File name -> text."""
    return {
        f"{path.stem}.json": json.dumps(dashboard(yaml.safe_load(path.read_text())), indent=1, ensure_ascii=False) + "\n"
        for path in sorted(SOURCES.glob("*.yaml"))
    }
