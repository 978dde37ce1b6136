"""Counts orphans: invocations that have not ended for a while, and that are in no queue and in nobody's hands.

A look costs one query of an index that has only what has not ended. Where that finds anything, WORK is gone through,
so much of it at a look; whoever has moved on meanwhile is met further on. What is not met is looked up once more at the
next look, when all that had ended by then is on record. `shoal audit` does the same for everything, and mends it.
"""

import asyncio
import time
from collections.abc import Callable

from shared import telemetry
from shared.bus import backlog, scan, streams, subjects
from shared.bus.broker import Bus
from shared.domain.problem import Problem
from shared.store import states
from shared.store.client import Store

_MOST = 5000  # looked for at once, the oldest: some 200 bytes each
_MOST_READ = 50_000  # messages of WORK at a look
_MOST_ROUTING = 10_000
_NAMED = 3
_log = telemetry.logger("recorder")


class Orphans:
    """The looks of the recorder that is at work. `past` says up to which event it has recorded everything."""

    def __init__(self, bus: Bus, store: Store, *, after_s: float, past: Callable[[], int]) -> None:
        self._bus = bus
        self._store = store
        self._after_s = after_s
        self._past = past
        self._sought: set[str] = set()  # not met so far
        self._read = 0  # of WORK, up to this sequence
        self._events: int | None = None  # what there was of them when all of WORK was read

    async def run(self, *, every_s: float) -> None:
        """Look now and then, until cancelled."""
        try:
            while True:
                await asyncio.sleep(every_s)
                try:
                    await self.look()
                except Problem as problem:
                    _log.warning("orphans are not counted", reason=problem.message)
                except Exception:  # noqa: BLE001 - the loop that logs our own faults and goes on
                    _log.exception("counting orphans failed")
        finally:
            telemetry.ORPHANS.set(0)  # whoever is next counts them

    async def look(self) -> None:
        """One look. Raises Problem(unavailable)."""
        if self._events is not None:
            await self._conclude()
        if self._events is None and not self._sought:
            await self._begin()
        if self._events is None and self._sought:
            await self._go_through()

    async def _begin(self) -> None:
        """Whom to look for: those that are not with the router."""
        found = await states.unended(self._store, before=time.time() - self._after_s, limit=_MOST)
        floor = (await backlog.routing(self._bus)).floor if found else 0
        self._sought, self._read = {one.task_id for one in found if one.id <= floor}, 0
        if not self._sought:
            telemetry.ORPHANS.set(0)

    async def _go_through(self) -> None:
        read = 0
        async for found in backlog.queued(self._bus, after=self._read):
            self._sought.difference_update(one.task_id for one in found)
            self._read, read = found[-1].sequence, read + len(found)
            if read >= _MOST_READ or not self._sought:
                break
        if read < _MOST_READ:
            self._events = await self._bus.last_sequence(streams.EVENTS)

    async def _conclude(self) -> None:
        """Who has not ended on record by now, and was not put in anew."""
        assert self._events is not None
        if self._past() < self._events:
            return
        known = await states.states(self._store, list(self._sought)) if self._sought else {}
        left = [one for one in known.values() if not one.has_ended]
        if left:
            again = await self._routing()
            left = [one for one in left if one.task_id not in again]
        self._sought, self._events = set(), None
        telemetry.ORPHANS.set(len(left))
        if left:
            named = [f"{one.tenant}/{one.task_id}" for one in left[:_NAMED]]
            _log.warning("orphans: see shoal audit", count=len(left), among=named)

    async def _routing(self) -> set[str]:
        """The tasks that the router has not come to yet: one that was lost may be put in anew."""
        tasks: set[str] = set()
        routing = await backlog.routing(self._bus)
        if routing.waiting:
            pattern = subjects.invoke("*", "*")
            async for entries in scan.headers(self._bus, streams.INVOKE, subjects=[pattern], after=routing.floor):
                tasks |= {entry.id.partition(".")[0] for entry in entries}
                if len(tasks) >= _MOST_ROUTING:
                    break
        return tasks
