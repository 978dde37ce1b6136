"""Which records are kept for how long, and what has to be forgotten when some of them have gone.

MongoDB removes a record by itself when its `forget_at` has come, which is written with its end. It tells nobody: so
what is known of long lists is forgotten while any of their records go.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from shared import telemetry
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.config import Platform
from shared.directory import Tenants
from shared.domain.problem import Problem
from shared.domain.retention import kept_s
from shared.store import invocations, milestones
from shared.store.client import Store

_EVERY_S = 60.0  # as often as MongoDB looks
_LATE = timedelta(minutes=5)  # that it may be, when it has much to remove
_MOST = 5000  # records of which it is asked whose they are
_log = telemetry.logger("recorder")


class Retention:
    """For how long the ends of each tenant are kept, as far as this replica knows."""

    def __init__(self, store: Store, platform: Platform) -> None:
        self._store = store
        self._days = platform.retention_days
        self._streams_days = max(platform.invoke_days, platform.event_days)
        self.tenants = Tenants(store, cache_s=platform.cache_s)
        self._going: dict[str, datetime] = {}

    async def of(self, ends: Iterable[Delivery[Finished]]) -> dict[str, float]:
        """Seconds by tenant. Raises Problem(unavailable)."""
        kept: dict[str, float] = {}
        for slug in {end.body.tenant for end in ends}:
            limits = (await self.tenants.find(slug)).limits
            kept[slug] = kept_s(self._days, streams_days=self._streams_days, tenant=limits)
        return kept

    async def run(self) -> None:
        """Look whose records go, again and again, until cancelled."""
        while True:
            try:
                await self.look(datetime.now(UTC))
            except Problem as problem:
                _log.warning("retention waits", reason=problem.message)
            except Exception:  # noqa: BLE001 - the loop that logs our own faults and goes on
                _log.exception("retention failed")
            await asyncio.sleep(_EVERY_S)

    async def look(self, now: datetime) -> None:
        """Forget what is known of the long lists whose records go just now. Raises Problem(unavailable)."""
        soon = now + timedelta(seconds=2 * _EVERY_S)
        found = await invocations.going(self._store, after=now - _LATE, before=soon, most=_MOST)
        self._going |= dict.fromkeys(found, soon + _LATE)
        self._going = {slug: until for slug, until in self._going.items() if until > now}
        for slug in self._going:
            await milestones.forget(self._store, slug)
        if self._going:
            _log.debug("records go", tenants=len(self._going))
