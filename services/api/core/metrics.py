"""The metrics of functions, as their owners see them: kept by the recorder, so that nothing is counted here."""

import time
from collections.abc import Collection
from datetime import datetime

import msgspec

from shared.domain import metrics as domain
from shared.store import metrics as stored
from shared.store.client import Store

_AT_ONCE = 1000


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """What a function's calls have come to. Rates are of a hundred, durations milliseconds.

    `last_status` is the HTTP status of the last call, 0 where there was none. `…_24h` is of the last 24 hours.
    """

    total_invocations: int = 0
    error_count: int = 0
    error_rate: float = 0.0
    avg_duration_ms: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    last_invocation: datetime | None = None
    last_status: int = 0
    invocations_24h: int = 0
    errors_24h: int = 0
    rate_24h: float = 0.0


NONE = Metrics()
"""Those of a function that nobody has called."""


class FunctionMetrics:
    """The metrics of any functions. About a second old at most."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, tenant: str, function_ids: Collection[int]) -> dict[int, Metrics]:
        """Those of each of these functions, by its id. Raises Problem(unavailable)."""
        ids, now = sorted(set(function_ids)), time.time()
        shown = dict.fromkeys(ids, NONE)
        for first in range(0, len(ids), _AT_ONCE):
            found = await stored.of(self._store, tenant, ids[first : first + _AT_ONCE])
            shown |= {id: _shown(metrics, now=now) for id, metrics in found.items()}
        return shown


def _shown(metrics: domain.Metrics, *, now: float) -> Metrics:
    latest = metrics.latest(now=now)
    return Metrics(
        total_invocations=metrics.total,
        error_count=metrics.errors,
        error_rate=metrics.error_rate,
        avg_duration_ms=metrics.avg_duration_ms,
        p50_ms=metrics.quantile_ms(0.5),
        p95_ms=metrics.quantile_ms(0.95),
        p99_ms=metrics.quantile_ms(0.99),
        last_invocation=metrics.last_at,
        last_status=metrics.last_status,
        invocations_24h=latest.total,
        errors_24h=latest.errors,
        rate_24h=100 * latest.errors / latest.total if latest.total else 0.0,
    )
