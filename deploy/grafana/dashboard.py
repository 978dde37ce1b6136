"""A dashboard of rows of panels: where each stands, what a reader can choose, and the links to the others."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.grafana.panel import SOURCE, Panel

SCHEMA = 39
"""The classic model, which Grafana 11 and all later ones read."""
_COLUMNS = 24


@dataclass(frozen=True, kw_only=True)
class Row:
    """Panels under a title, side by side as far as the width goes."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True)
class Board:
    """One dashboard. `variables` are what a reader chooses beside the data source."""

    uid: str
    title: str
    what: str
    rows: Sequence[Row]
    variables: Sequence[dict[str, Any]] = ()


def choice(name: str, label: str, query: str, *, several: bool = True) -> dict[str, Any]:
    """A variable of the values that a label has; all of them, unless some are chosen."""
    everything = {"selected": True, "text": "All", "value": "$__all"}
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "query": {"query": query, "refId": f"{name}-values"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": True,
        "allValue": ".*",
        "current": everything,
        "options": [],
        "regex": "",
        "hide": 0,
    }


def text(board: Board) -> str:
    """The dashboard as it is kept in the repository."""
    return json.dumps(model(board), indent=1, ensure_ascii=False) + "\n"


def model(board: Board) -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.what,
        "tags": ["shoal"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "annotations": {"list": [_alerts()]},
        "links": [_links()],
        "templating": {"list": [_source(), *board.variables]},
        "panels": [{"id": number, **panel} for number, panel in enumerate(_laid_out(board.rows), start=1)],
    }


def _laid_out(rows: Sequence[Row]) -> Iterator[Panel]:
    top = 0
    for row in rows:
        head = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
        yield {**head, "gridPos": {"x": 0, "y": top, "w": _COLUMNS, "h": 1}}
        top += 1
        left = height = 0
        for panel in row.panels:
            size = panel["gridPos"]
            if left + size["w"] > _COLUMNS:
                top, left, height = top + height, 0, 0
            yield {**panel, "gridPos": {"x": left, "y": top, **size}}
            left, height = left + size["w"], max(height, size["h"])
        top += height


def _source() -> dict[str, Any]:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "current": {},
        "options": [],
        "multi": False,
        "includeAll": False,
        "refresh": 1,
        "regex": "",
        "hide": 0,
    }


def _links() -> dict[str, Any]:
    return {
        "type": "dashboards",
        "title": "Shoal",
        "tags": ["shoal"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def _alerts() -> dict[str, Any]:
    """Marks the times at which an alert began to fire."""
    return {
        "name": "Alerts",
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "datasource": SOURCE,
        "expr": 'ALERTS{alertstate="firing", alertname=~"Shoal.+"}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}}",
        "tagKeys": "service,pool",
    }
