"""The Grafana dashboard shows what is exposed: every metric, with labels that it has, and none that there is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.pages import OPERATIONS, ROOT, section
from tests.support.exposed import full

DASHBOARD: Final = ROOT / "docs" / "grafana" / "skill-orchestrator.json"
NOT_SHOWN: Final[frozenset[str]] = frozenset()  # families that no panel shows, on purpose

_NAME: Final = re.compile(r"\bskill_orchestrator_\w+")
_SELECTOR: Final = re.compile(r"\b(skill_orchestrator_\w+)(?:\{([^}]*)\})?")
_MATCHER: Final = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_BY: Final = re.compile(r"\bby \(([^)]*)\)")
_LEGEND: Final = re.compile(r"\{\{(\w+)\}\}")
_SCRAPED: Final = {"instance", "job"}  # every sample gets these from Prometheus


def exposed() -> dict[str, dict[str, set[str]]]:
    """Sample name -> label -> its values, as an orchestrator with every source exposes them."""
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(full().text()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return document


def targets(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Panel title, expression, legend."""
    for panel in document["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]


def offences(document: dict[str, Any]) -> list[str]:
    known, found = exposed(), []
    for title, expression, legend in targets(document):
        names = _NAME.findall(expression)
        found += [f"{title}: there is no {name}" for name in names if name not in known]
        here = set().union(*(known.get(name, {}) for name in names)) | _SCRAPED
        for name, matchers in _SELECTOR.findall(expression):
            for label, value in _MATCHER.findall(matchers):
                values = known.get(name, {}).get(label)
                if label not in _SCRAPED and (values is None or not set(value.split("|")) <= values):
                    found.append(f"{title}: {name} has no {label}={value}")
        grouped = {label.strip() for labels in _BY.findall(expression) for label in labels.split(",")}
        found += [f"{title}: no label {label}" for label in grouped - here]
        found += [f"{title}: the legend's {label} is grouped away" for label in set(_LEGEND.findall(legend)) - grouped]
    return found


def shown(document: dict[str, Any]) -> set[str]:
    return {name for _, expression, _ in targets(document) for name in _NAME.findall(expression)}


def test_every_expression_names_what_is_exposed() -> None:
    assert len(list(targets(dashboard()))) > 20
    assert offences(dashboard()) == []


def test_every_metric_is_shown_or_listed() -> None:
    names = shown(dashboard())
    for family in text_string_to_metric_families(full().text()):
        samples = {sample.name for sample in family.samples}
        assert bool(samples & names) is not (family.name in NOT_SHOWN), family.name


def test_it_can_be_imported() -> None:
    """As it is: the data source is a variable, ids are unique, panels do not overlap, nothing is bound to a server."""
    document = dashboard()
    assert document["schemaVersion"] >= 36
    assert document["id"] is None
    assert document["uid"]
    variables = {each["name"]: each for each in document["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    assert _NAME.findall(variables["instance"]["definition"])[0] in exposed()
    ids = [panel["id"] for panel in document["panels"]]
    assert len(set(ids)) == len(ids)
    sources = re.findall(r'"uid": "([^"]*)"', DASHBOARD.read_text("utf-8"))
    assert set(sources) == {"${datasource}", document["uid"]}
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in document["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_the_alarms_of_the_documentation_name_what_is_exposed() -> None:
    names = set(_NAME.findall(section(OPERATIONS, "Metrics")))
    assert len(names) >= 4
    assert names <= set(exposed())


@pytest.mark.parametrize(
    ("expression", "legend"),
    [
        ("skill_orchestrator_nosuch_total", ""),
        ("skill_orchestrator_runs", ""),
        ('skill_orchestrator_runs_total{status="nosuch"}', ""),
        ('skill_orchestrator_runs_total{skill="x"}', ""),
        ("sum by (stage) (skill_orchestrator_runs_total)", ""),
        ("sum by (status) (skill_orchestrator_runs_total)", "{{level}}"),
    ],
)
def test_the_check_can_fail(expression: str, legend: str) -> None:
    target = {"expr": expression, "legendFormat": legend}
    assert offences({"panels": [{"title": "t", "targets": [target]}]})
