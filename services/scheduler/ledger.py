"""Every planned tick is accounted for, and none is submitted twice, however late it comes again.

Within the window of INVOKE a second command with the task id of a tick is dropped by the bus. Beyond it, the record of
invocations and the ledger say whether a tick was submitted; the record says so once the recorder has come past all
that had been submitted by then.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence

from services.scheduler.config import Scheduler
from services.scheduler.decide import Previous
from shared.boot import Service
from shared.bus import streams
from shared.domain.problem import Problem
from shared.domain.tick import Tick
from shared.store import checkpoints, invocations, schedules, ticks
from shared.store.schedules import Planned

_RECORDER = "recorder"
_LOOK_S = 0.2
_PATIENCE_S = 5.0
_DAY_S = 86_400.0


class Ledger:
    """What is known of ticks."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._settings: Scheduler = service.settings
        self._complete_at = 0.0  # what was submitted before this moment is on record

    @property
    def young_s(self) -> float:
        """A tick that is not older than this cannot have left the window of INVOKE."""
        return self._service.platform.dedupe_s / 3

    async def submitted(self, task_ids: Sequence[str]) -> set[str]:
        """Which of these were submitted or skipped before. Raises Problem(unavailable) while it cannot be known."""
        if not task_ids:
            return set()
        await self._complete()
        store = self._service.store
        entered, recorded = await asyncio.gather(ticks.entered(store, task_ids), invocations.statuses(store, task_ids))
        return entered | recorded.keys()

    async def entered(self, task_ids: Iterable[str]) -> set[str]:
        """Which of these have an entry."""
        return await ticks.entered(self._service.store, task_ids)

    async def previous(self, planned: Iterable[Planned]) -> dict[schedules.Key, Previous]:
        """The runs before, of those functions that must not overlap."""
        runs = {p.key: p.run for p in planned if p.run is not None and p.function.schedule_overlap == "skip"}
        if not runs:
            return {}
        found = await invocations.statuses(self._service.store, [run.task_id for run in runs.values()])
        return {key: Previous(run.task_id, run.at, found.get(run.task_id)) for key, run in runs.items()}

    async def enter(self, entries: Sequence[Tick]) -> None:
        """Enter them; what is there stands."""
        await ticks.enter(self._service.store, entries, kept_s=self._settings.tick_days * _DAY_S)

    async def _complete(self) -> None:
        """Return when all that had been submitted a window ago, or later, is on record."""
        began = time.time()
        if began - self._complete_at < self.young_s:
            return
        bus, store = self._service.bus, self._service.store
        last, created = await asyncio.gather(bus.last_sequence(streams.INVOKE), bus.created(streams.INVOKE))
        while True:
            mark = (await checkpoints.marks(store, _RECORDER)).get(streams.INVOKE)
            if last == 0 or (mark is not None and mark.created == created and mark.sequence >= last):
                self._complete_at = began
                return
            if time.time() - began > _PATIENCE_S:
                raise Problem("unavailable", "The recorder is behind: what has been submitted cannot be known yet")
            await asyncio.sleep(_LOOK_S)
