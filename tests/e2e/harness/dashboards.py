"""Grafana's dashboards of k8s/dashboards, as tests read them."""
import json

from .processes import ROOT

FOLDER = ROOT / "k8s/dashboards"


def boards():
    """File name without its ending -> dashboard."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def queries(board, variables):
    """(panel, expression), with `variables` in place of $name and ${name}."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel, filled(target["expr"], variables)


def filled(text, variables):
    for name, value in variables.items():
        text = text.replace("${" + name + "}", value).replace("$" + name, value)
    return text
