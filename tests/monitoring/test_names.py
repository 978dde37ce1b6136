"""Every metric and label that is named in a panel, a rule or a page exists in the code."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.monitoring.rules import (
    ROOT,
    RUNBOOKS,
    alerts,
    boards,
    grouped_by,
    metrics_of,
    queries,
    recordings,
    selected,
)
from tests.unit.test_metric_names import in_code

# What Prometheus itself says, and what its client for Python says of a process.
SCRAPED = {"job", "instance", "service"}
FOREIGN = {
    "up": set(),
    "ALERTS": {"alertname", "alertstate", "severity"},
    "process_cpu_seconds_total": set(),
    "process_max_fds": set(),
    "process_open_fds": set(),
    "process_resident_memory_bytes": set(),
    "process_start_time_seconds": set(),
}


class Named(NamedTuple):
    """An expression, where it is, and the labels that are shown of its result."""

    where: str
    expr: str
    shown: set[str]


def known() -> dict[str, set[str]]:
    """The series that there are, each with its labels."""
    found = {name: set(labels) for name, labels in FOREIGN.items()}
    for name, metric in in_code().items():
        labels = set(metric.labels)
        if metric.type == "histogram":
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_count": labels, f"{name}_sum": labels}
        else:
            found[name] = labels
    return found | {rule["record"]: grouped_by(rule["expr"]) for rule in recordings()}


def named() -> Iterator[Named]:
    for query in queries():
        yield Named(query.name, query.expr, set(re.findall(r"\{\{(\w+)\}\}", query.legend)))
    for rule in (*alerts(), *recordings()):
        told = " ".join(rule.get("annotations", {}).values())
        name = rule.get("alert", rule.get("record"))
        yield Named(name, rule["expr"], set(re.findall(r"\$labels\.(\w+)", told)))


ALL = list(named())


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.where)
def test_an_expression_names_only_what_there_is(one: Named) -> None:
    series = known()
    names = metrics_of(one.expr)
    assert names or one.expr == "vector(0)"
    assert names <= set(series)
    for name, labels in selected(one.expr):
        assert labels <= series[name] | SCRAPED, name
    everything = set().union(*(series[name] for name in names)) | SCRAPED
    assert grouped_by(one.expr) <= everything
    # What is summed has the labels that it is summed by, and no others.
    assert one.shown <= (grouped_by(one.expr) or everything)


def test_a_name_that_is_not_there_is_found() -> None:
    expr = 'sum by (pol) (rate(shoal_no_such_total{kind="x"}[5m])) / on (q) (up{job="shoal"} > 0) or vector(0)'
    assert metrics_of(expr) == {"shoal_no_such_total", "up"}
    assert grouped_by(expr) == {"pol", "q"}
    assert list(selected(expr)) == [("shoal_no_such_total", {"kind"}), ("up", {"job"})]


def test_values_that_are_chosen_are_those_of_the_code() -> None:
    stages = {value for one in ALL for value in re.findall(r'stage=~?"([^"]+)"', one.expr)}
    assert set("|".join(stages).split("|")) <= {"routed", "picked", "started", "done", "recorded"}
    statuses = {value for one in ALL for value in re.findall(r'\bstatus="([A-Z]+)"', one.expr)}
    assert statuses == {"FAILURE"}


def test_variables_are_asked_of_series_that_there_are() -> None:
    asked = [variable["query"]["query"] for board in boards().values() for variable in board["templating"]["list"][1:]]
    assert asked
    for query in asked:
        found = re.fullmatch(r"label_values\((\w+)(?:\{(\w+)=~[^}]*\})?, (\w+)\)", query)
        assert found, query
        assert {found[3], *filter(None, [found[2]])} <= known()[found[1]], query


@pytest.mark.parametrize("page", [RUNBOOKS, ROOT / "docs" / "monitoring.md"], ids=lambda page: page.name)
def test_panels_and_alerts_that_a_page_names_are_there(page) -> None:
    text = page.read_text()
    names = {alert["alert"] for alert in alerts()}
    assert set(re.findall(r"\bShoal[A-Z]\w+", text)) <= names
    titles = {panel["title"] for board in boards().values() for panel in board["panels"]}
    quoted = set(re.findall(r'"([A-Z][^"\n]+)"', re.sub(r"```.*?```|<!--.*?-->", "", text, flags=re.DOTALL)))
    assert quoted <= titles
