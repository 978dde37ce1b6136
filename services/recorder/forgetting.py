"""Which functions are gone: nothing of them is written any more, and what was written meanwhile is removed.

A call that is queued when its function is deleted ends later, and its end arrives here like any other. So whoever
deletes a function leaves a note before; it is read when this replica's turn begins, after every notice of a deletion,
and once a second should a notice be lost. No batch waits for the store because of it.
"""

import asyncio
from contextlib import suppress

from shared import telemetry
from shared.bus.messages import Event, Invoke
from shared.domain.problem import Problem
from shared.store import attempts, deletions, invocations, metrics, milestones
from shared.store.client import Store

_AT_ONCE = 100
_CHECK_S = 1.0
_log = telemetry.logger("recorder")


class Forgetting:
    """The functions that are gone, as far as this replica knows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids: set[int] = set()
        self._tenants: dict[str, float] = {}
        self._news = asyncio.Event()
        self.writing = asyncio.Lock()
        """Held while a batch is written: what it may contain is removed after it."""
        self.counting = asyncio.Lock()
        """Held while metrics are written, likewise."""

    def __contains__(self, body: Invoke | Event) -> bool:
        """Whether a command or an event is of a function that is gone, or of a tenant that was when it was asked."""
        if body.function_id in self._ids:
            return True
        if body.tenant not in self._tenants:
            return False
        accepted_at = body.accepted_at if isinstance(body, Invoke) else body.timeline.accepted
        return accepted_at < self._tenants[body.tenant]

    def knows(self, function_id: int) -> bool:
        """Whether this function is gone."""
        return function_id in self._ids

    async def begin(self) -> None:
        """Learn of all, before the first batch. Raises Problem(unavailable)."""
        self._ids = await deletions.all_ids(self._store)
        self._tenants = await deletions.all_tenants(self._store)

    def hint(self) -> None:
        """A function was deleted: look at once."""
        self._news.set()

    async def run(self) -> None:
        """Look after every hint, and once a second, until cancelled."""
        while True:
            self._news.clear()
            try:
                await self.look()
            except Problem as problem:
                _log.warning("deletions wait", reason=problem.message)
            except Exception:  # noqa: BLE001 - the loop that logs our own faults and goes on
                _log.exception("forgetting failed")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), timeout=_CHECK_S)

    async def look(self) -> None:
        """Learn of those that are new, and remove what was written of them. Raises Problem(unavailable)."""
        before, self._tenants = self._tenants, await deletions.all_tenants(self._store)
        for tenant, at in self._tenants.items() - before.items():
            async with self.writing:
                pass
            await invocations.Invocations(self._store, tenant).delete_before(at)
        for gone in await deletions.unswept(self._store, most=_AT_ONCE):
            self._ids.add(gone.function_id)
            async with self.writing, self.counting:  # what was begun before it was known
                pass
            await invocations.Invocations(self._store, gone.tenant).delete_of(gone.function_id)
            await milestones.forget(self._store, gone.tenant)
            await attempts.Attempts(self._store, gone.tenant).delete_of(gone.function_id)
            await metrics.forget(self._store, gone.tenant, gone.function_id)
            await deletions.swept(self._store, gone)
            _log.info("function forgotten", tenant=gone.tenant, function_id=gone.function_id)
