"""Panels, in the JSON that Grafana reads: a curve, a figure, a heatmap, a table, a text."""

from collections.abc import Mapping, Sequence
from typing import Any

Panel = dict[str, Any]
Queries = Sequence[tuple[str, str]]
"""Names, which may be made of labels (`{{status}}`), and what each is."""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def curves(
    title: str,
    what: str,
    queries: Queries,
    *,
    unit: str = "short",
    stacked: bool = False,
    limits: Sequence[float] = (),
    width: int = 8,
) -> Panel:
    """Curves over time. `limits` are drawn as lines: the last one red, those before it orange."""
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if limits else "off"},
    }
    defaults = {"unit": unit, "min": 0, "color": {"mode": "palette-classic"}, "custom": custom, **_limits(limits)}
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel(
        "timeseries", title, what, targets=_targets(queries), size=(width, 8), defaults=defaults, options=options
    )


def figure(
    title: str, what: str, query: str, *, unit: str = "short", limits: Sequence[float] = (), link: str = ""
) -> Panel:
    """One number, green unless it reaches a limit. `link` is the dashboard that says more."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "value",
        "justifyMode": "auto",
        "orientation": "auto",
    }
    defaults: dict[str, Any] = {"unit": unit, "color": {"mode": "thresholds"}, "noValue": "-", **_limits(limits)}
    if link:
        defaults["links"] = [{"title": "More", "url": f"/d/{link}?${{__url_time_range}}&${{datasource:queryparam}}"}]
    return _panel("stat", title, what, targets=_targets([("", query)]), size=(3, 4), defaults=defaults, options=options)


def heatmap(title: str, what: str, query: str, *, unit: str = "s", width: int = 12) -> Panel:
    """How many fell into which bucket, over time: shows two humps where a quantile shows a line between them."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "exponent": 0.5, "fill": "dark-orange", "steps": 64},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }
    targets = [{**target, "format": "heatmap"} for target in _targets([("{{le}}", query)])]
    return _panel("heatmap", title, what, targets=targets, size=(width, 8), defaults={}, options=options)


def table(
    title: str,
    what: str,
    columns: Sequence[tuple[str, str, str]],
    *,
    links: Mapping[str, str] | None = None,
    width: int = 24,
) -> Panel:
    """A row for each set of labels; `columns` are name, unit and query. `links` lead from a label's cell somewhere.

    Two columns at least: Grafana has no sign for the value of a single one.
    """
    targets = [
        {**target, "format": "table", "instant": True, "range": False}
        for target in _targets([(name, query) for name, _, query in columns])
    ]
    names = {f"Value #{sign}": name for sign, (name, _, _) in zip(_SIGNS, columns, strict=False)}
    overrides = [_override(name, {"unit": unit}) for name, unit, _ in columns]
    overrides += [_override(name, {"links": [{"title": "Open", "url": url}]}) for name, url in (links or {}).items()]
    panel = _panel(
        "table",
        title,
        what,
        targets=targets,
        size=(width, 10),
        defaults={"custom": {"align": "auto", "filterable": True}},
        options={"showHeader": True, "cellHeight": "sm", "sortBy": [{"displayName": columns[0][0], "desc": True}]},
    )
    panel["fieldConfig"]["overrides"] = overrides
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names}},
    ]
    return panel


def note(title: str, markdown: str, *, width: int = 24, height: int = 3) -> Panel:
    """What a reader has to know of the other panels."""
    return {
        "type": "text",
        "title": title,
        "description": "",
        "gridPos": {"w": width, "h": height},
        "options": {"mode": "markdown", "content": markdown},
        "transparent": True,
    }


def _panel(
    kind: str,
    title: str,
    what: str,
    *,
    targets: list[dict[str, Any]],
    size: tuple[int, int],
    defaults: dict[str, Any],
    options: dict[str, Any],
) -> Panel:
    return {
        "type": kind,
        "title": title,
        "description": what,
        "datasource": SOURCE,
        "gridPos": {"w": size[0], "h": size[1]},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
    }


def _targets(queries: Queries) -> list[dict[str, Any]]:
    return [
        {
            "refId": sign,
            "datasource": SOURCE,
            "expr": query,
            "legendFormat": name or "__auto",
            "range": True,
            "instant": False,
            "exemplar": "_bucket" in query,
            "editorMode": "code",
        }
        for sign, (name, query) in zip(_SIGNS, queries, strict=False)
    ]


def _limits(limits: Sequence[float]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    steps += [{"color": "orange", "value": limit} for limit in limits[:-1]]
    steps += [{"color": "red", "value": limit} for limit in limits[-1:]]
    return {"thresholds": {"mode": "absolute", "steps": steps}}


def _override(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }
