"""Which records are kept for how long, and what has to be forgotten when some of them have gone.

MongoDB removes a record by itself when its `forget_at` has come, which is written with its end. It tells nobody: so
what is known of long lists is forgotten when any of their records have gone. That they go is noted in the store before,
for whoever records by then.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from shared import telemetry
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.bus.notices import IdentityChanged
from shared.config import Platform
from shared.directory import Tenants
from shared.domain.limits import Amount
from shared.domain.problem import Problem
from shared.domain.retention import RETENTION, kept_s
from shared.remembered import Remembered
from shared.store import invocations, milestones, retention, tenants
from shared.store.client import Store
from shared.store.retention import Kept

_EVERY_S = 60.0  # as often as MongoDB looks
_LATE = timedelta(minutes=5)  # that it may be, when it has much to remove
_FOR_GOOD: Mapping[str, float] = MappingProxyType({})
_log = telemetry.logger("recorder")


class Retention:
    """For how long the ends of each tenant are kept, as far as this replica knows."""

    def __init__(self, store: Store, platform: Platform) -> None:
        self._store = store
        self._kept = Kept(platform.retention_days, max(platform.invoke_days, platform.event_days))
        self._tenants = Tenants(store, cache_s=platform.cache_s)
        self._any_own: Remembered[str, bool] = Remembered(self._ask, believed_s=platform.cache_s)

    async def of(self, ends: Iterable[Delivery[Finished]]) -> Mapping[str, float]:
        """Seconds by tenant; one that is not there has its records for good. Raises Problem(unavailable)."""
        any_own = await self._any_own.find(RETENTION)
        if not (self._kept.days or any_own):
            return _FOR_GOOD
        slugs = {end.body.tenant for end in ends}
        if not any_own:
            return dict.fromkeys(slugs, self._kept_s({}))
        return {slug: self._kept_s((await self._tenants.find(slug)).limits) for slug in slugs}

    def _kept_s(self, limits: Mapping[str, Amount]) -> float:
        return kept_s(self._kept.days, streams_days=self._kept.streams_days, tenant=limits)

    async def _ask(self, limit: str) -> bool:
        return await tenants.any_limited(self._store, limit)

    async def changed(self, notice: IdentityChanged) -> None:
        """A tenant may have another value: ask again, unless it is a user's or a token's matter."""
        if not (notice.user_id or notice.token or notice.login):
            self._any_own.expire(RETENTION)
        await self._tenants.changed(notice)

    def doubt(self) -> None:
        """Notices may have been missed: ask again for everything."""
        self._any_own.doubt()
        self._tenants.doubt()

    async def run(self) -> None:
        """Note what holds here, and look whose records go, again and again, until cancelled."""
        while True:
            try:
                await retention.note(self._store, self._kept)
                await self.look(datetime.now(UTC))
            except Problem as problem:
                _log.warning("retention waits", reason=problem.message)
            except Exception:  # noqa: BLE001 - the loop that logs our own faults and goes on
                _log.exception("retention failed")
            await asyncio.sleep(_EVERY_S)

    async def look(self, now: datetime) -> None:
        """Note whose records go just now, and forget what is known of long lists whose records have gone.

        While records of a tenant go all the time, this is every few minutes: what is forgotten is to be walked anew.
        Raises Problem(unavailable).
        """
        soon = now + timedelta(seconds=2 * _EVERY_S)
        going = await invocations.going(self._store, after=now - _LATE, before=soon)
        forgotten = await milestones.forget_outdated(self._store, now)
        await milestones.outdate(self._store, going, at=soon + _LATE)
        if going or forgotten:
            _log.debug("records go", tenants=len(going), forgotten=forgotten)
