"""How fast functions are called: of counts that are looked at again and again."""

from collections import deque
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Sort = Literal["rate", "latency", "errors", "calls", "name"]
_WINDOW_S = 10.0  # the counts are a second behind: over less than some of them a rate jumps


class Row(NamedTuple):
    """A function now: calls and errors a second, durations in milliseconds, calls in all."""

    name: str
    app: str
    status: str
    rate: float
    failing: float
    p50_ms: float
    p95_ms: float
    errors: float
    calls: int


class Rates:
    """Takes looks, and tells the rates between the first and the last of some seconds."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, dict[str, tuple[int, int]]]] = deque()

    def look(self, at: float, found: list[dict[str, Any]]) -> list[Row]:
        """The rows of functions as they are listed at a moment, in seconds of any clock."""
        counts = {f"{one['app']}/{one['name']}": _counts(one["metrics"]) for one in found}
        self._looks.append((at, counts))
        while at - self._looks[0][0] > _WINDOW_S and len(self._looks) > 2:  # noqa: PLR2004 - two make a rate
            self._looks.popleft()
        first_at, first = self._looks[0]
        passed = at - first_at
        return [_row(one, counts, first, passed) for one in found]


def ordered(rows: list[Row], sort: Sort) -> list[Row]:
    """The most of it first, or by name."""
    if sort == "name":
        return sorted(rows, key=lambda row: (row.name, row.app))
    by = {"rate": "rate", "latency": "p95_ms", "errors": "errors", "calls": "calls"}[sort]
    return sorted(rows, key=lambda row: (-getattr(row, by), row.name, row.app))


def _counts(metrics: Mapping[str, Any]) -> tuple[int, int]:
    return metrics["total_invocations"], metrics["error_count"]


def _row(
    one: dict[str, Any], counts: dict[str, tuple[int, int]], first: dict[str, tuple[int, int]], passed: float
) -> Row:
    metrics, key = one["metrics"], f"{one['app']}/{one['name']}"
    calls, errors = counts[key]
    calls_before, errors_before = first.get(key, (0, 0))  # it is new: all of it is of this time
    made = max(0, calls - calls_before)
    failed = max(0, errors - errors_before)
    return Row(
        name=one["name"],
        app=one["app"],
        status=one["status"],
        rate=made / passed if passed > 0 else 0.0,
        failing=failed / passed if passed > 0 else 0.0,
        p50_ms=metrics["p50_duration_ms"],
        p95_ms=metrics["p95_duration_ms"],
        errors=100 * failed / made if made else metrics["error_rate_24h"],
        calls=calls,
    )
