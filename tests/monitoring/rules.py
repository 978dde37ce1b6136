"""What is in deploy/prometheus and in the dashboards: alerts, recordings, panels, and the names in a query."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
RUNBOOKS = ROOT / "docs" / "runbooks.md"

_WORDS = {"and", "bool", "by", "group_left", "group_right", "ignoring", "offset", "on", "or", "unless", "without"}
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_LABEL = re.compile(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)")
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")


class Query(NamedTuple):
    """One query of a panel."""

    board: str
    number: int
    panel: str
    expr: str
    legend: str

    @property
    def name(self) -> str:
        return f"{self.board} {self.number}: {self.panel}: {self.legend}"


def rules(file: str) -> list[dict[str, Any]]:
    """The rules of one file, of all its groups."""
    return [rule for group in yaml.safe_load((PROMETHEUS / file).read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return rules("alerts.yaml")


def recordings() -> list[dict[str, Any]]:
    return rules("recording.yaml")


def boards() -> dict[str, dict[str, Any]]:
    """The dashboards as they are in the repository, by the name of their file."""
    return {path.stem: json.loads(path.read_text()) for path in DASHBOARDS}


def queries() -> Iterator[Query]:
    for board, model in boards().items():
        for panel in model["panels"]:
            for target in panel.get("targets", ()):
                yield Query(board, panel["id"], panel["title"], target["expr"], target["legendFormat"])


def bare(expr: str) -> str:
    """The expression without texts, numbers, durations and Grafana's variables."""
    expr = re.sub(r'"[^"]*"', '""', expr)
    expr = re.sub(r"\[[^\]]*\]", "", expr)
    expr = re.sub(r"\boffset\s+\w+", "", expr)
    return re.sub(r"(?<![\w:])\d[\w.]*", "", expr)


def metrics_of(expr: str) -> set[str]:
    """The names of series in an expression."""
    expr = _GROUPING.sub("", re.sub(r"\{[^}]*\}", "", bare(expr)))
    names = re.finditer(r"([a-zA-Z_:][\w:]*)\s*(\(?)", expr)
    return {found[1] for found in names if not found[2] and found[1] not in _WORDS}


def grouped_by(expr: str) -> set[str]:
    """The labels that are named after `by`, `on` and the like."""
    return {label.strip() for group in _GROUPING.findall(bare(expr)) for label in group.split(",") if label.strip()}


def selected(expr: str) -> Iterator[tuple[str, set[str]]]:
    """Each series that is chosen by its labels, and which."""
    for name, matchers in _SELECTOR.findall(bare(expr)):
        yield name, set(_LABEL.findall(matchers))
