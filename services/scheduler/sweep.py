"""What is planned, compared with what should be: at once when a function has changed, and now and then for all.

Notices can be lost, and so can plans. One scheduler at a time sweeps; every one plans anew for what has changed.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

from services.scheduler.config import Scheduler
from services.scheduler.plans import plan_again, plan_anew, withdraw
from shared import telemetry
from shared.boot import Service
from shared.bus import streams, subjects, timers
from shared.bus.notices import FunctionChanged
from shared.domain.problem import Problem
from shared.store import checkpoints, schedules
from shared.store.schedules import Key

_PAGE = 500
_GRACE_S = 30  # a tick that is under way is not overdue
_BUSY = 100  # so many that wait to be handled are what is overdue
_RETRY_S = 1.0
_SWEEPER = "scheduler"
_log = telemetry.logger("sweep")


class Sweep:
    """Looks for what is not planned as it should be."""

    def __init__(self, service: Service, consumer: streams.Consumer) -> None:
        self._service = service
        self._settings: Scheduler = service.settings
        self._consumer = consumer
        self._changed = asyncio.Event()
        self._differed = False
        self.schedules = 0
        self.next_due: int | None = None

    async def heard(self, _notice: FunctionChanged) -> None:
        """Some function has changed: look for those that are to be planned."""
        self._changed.set()

    def doubt(self) -> None:
        """Notices may have been missed."""
        self._changed.set()

    async def work(self) -> None:
        """Look when something changes, sweep when it is time; for ever."""
        swept_at, pause_s = 0.0, 0.0
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout=pause_s)
            self._changed.clear()
            try:
                await self._look()
                if time.monotonic() - swept_at >= self._settings.sweep_s or not swept_at:
                    await self._sweep()
                    swept_at = time.monotonic()
                pause_s = max(0.0, swept_at + self._settings.sweep_s - time.monotonic())
            except Problem as problem:
                _log.warning("waiting", reason=problem.message)
                await asyncio.sleep(_RETRY_S)
                pause_s = 0.0
            except Exception:  # noqa: BLE001 - the loop that logs our own faults and goes on: ticks must not wait for it
                _log.exception("sweeping failed")
                await asyncio.sleep(_RETRY_S)
                pause_s = self._settings.sweep_s

    async def _look(self) -> None:
        """Plan anew for every function whose schedule has changed. What others win is not looked at again here."""
        store, bus = self._service.store, self._service.bus
        before: list[Key] = []
        while (keys := await schedules.unplanned(store, limit=_PAGE)) and keys != before:
            await plan_anew(bus, store, keys)
            before = keys

    async def _sweep(self) -> None:
        store = self._service.store
        lease_s = 1.5 * self._settings.sweep_s
        mine = await checkpoints.take(store, _SWEEPER, holder=self._service.seat, lease_s=lease_s)
        if mine is not None:
            await checkpoints.keep(store, _SWEEPER, {}, holder=self._service.seat, lease_s=lease_s)
            await self._plan_overdue()
            await self._compare()
        self.schedules, self.next_due = await schedules.count(store), await schedules.next_due(store)

    async def _plan_overdue(self) -> None:
        """Ticks that should have come: their plans were lost. Unless many wait to be handled: then they are there."""
        store, bus = self._service.store, self._service.bus
        if await timers.waiting(bus, self._consumer) > _BUSY:
            return
        after: Any = None
        while True:
            after, keys = await schedules.overdue(store, before=int(time.time()) - _GRACE_S, after=after, limit=_PAGE)
            if keys and (lost := await plan_again(bus, store, keys)):
                _log.warning("plans were lost", count=lost)
            if after is None:
                return

    async def _compare(self) -> None:
        """As many plans as there should be? If they are more or fewer twice in a row, they are compared one by one."""
        store, bus = self._service.store, self._service.bus
        differs = await timers.count(bus) != await schedules.count(store)
        if differs and self._differed:
            await self._mend()
            differs = False
        self._differed = differs

    async def _mend(self) -> None:
        store, bus = self._service.store, self._service.bus
        orphans = {subjects.plan_key(subject) for subject in await timers.subjects(bus, subjects.PLANS)}
        there, lost = frozenset(orphans), 0
        after: Any = None
        while True:
            after, keys = await schedules.with_plans(store, after=after, limit=_PAGE)
            lost += await plan_again(bus, store, [key for key in keys if key not in there])
            orphans.difference_update(keys)
            if after is None:
                break
        fresh = await schedules.by_keys(store, list(orphans)) if orphans else {}
        for key in orphans:
            planned = fresh.get(key)
            if planned is None or not planned.function.is_scheduled:
                await withdraw(bus, key)
        _log.warning("plans mended", lost=lost, orphans=len(orphans))
