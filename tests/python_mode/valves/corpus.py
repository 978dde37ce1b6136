"""The list that the files beside this one add to."""

from typing import Any

VALVES: dict[str, tuple[str, list[dict[str, Any]]]] = {}


def valves(name: str, source: str, *values: dict[str, Any]) -> None:
    """Add a source that defines `Valves`, and values for it, good ones and bad ones; none at all are tried, too."""
    VALVES[name] = (source, [{}, *values])
