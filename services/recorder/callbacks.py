"""Has it told how invocations ended: for each end with a `callback_url`, an invocation of `deliver_callback`.

Here every end comes by once it is on record, whoever made it; and a batch whose callbacks are not on the bus is not
done, so the recorder's place in the log never moves past one. A batch may be read again: the task id of a callback is
made of that of what has ended, and as long as the bus knows ids, the same one is not stored twice. After that it is
looked for, on record and on the bus.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Sequence

import msgspec

from shared import tracing
from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.bus.stored_ids import stored_ids
from shared.domain import callback
from shared.domain.function import SYSTEM_ID, Function
from shared.domain.problem import Problem
from shared.registry import WITHOUT_PACKAGES
from shared.store import invocations
from shared.store.client import Store
from shared.submit import Origin, step_task_id, submit

_SURE = 0.5  # of the bus's window for ids: clocks differ, and it takes a while to get there

Ends = Sequence[Delivery[Finished]]


class Callbacks:
    """One recorder's turn at having callbacks made. `dedupe_s` is for how long the bus knows the id of a message."""

    def __init__(self, bus: Bus, store: Store, *, dedupe_s: float) -> None:
        self._bus = bus
        self._store = store
        self._dedupe_s = dedupe_s
        self._others_upto: int | None = None  # the last command that was not of this turn

    async def submit(self, ends: Ends, *, again: Collection[str]) -> None:
        """Submit those of the ends that want it; `again` are the tasks whose end was on record before.

        Raises Problem(unavailable): then all is to be tried again.
        """
        wanted = {_task_id(end): end for end in ends if _is_wanted(end.body)}
        if not wanted:
            return
        try:
            for task_id in await self._submitted(wanted, again):
                del wanted[task_id]
            told = (self._tell(task_id, end) for task_id, end in wanted.items())
            faults = [one for one in await asyncio.gather(*told, return_exceptions=True) if one is not None]
        except Problem:
            self._others_upto = None
            raise
        if faults:
            self._others_upto = None  # what was stored without our hearing of it counts among the others'
            raise faults[0]

    async def _submitted(self, wanted: dict[str, Delivery[Finished]], again: Collection[str]) -> set[str]:
        """Which of them were submitted before, as far as the bus would not notice by itself."""
        old = {id: end for id, end in wanted.items() if time.time() - end.body.timeline.done > self._dedupe_s * _SURE}
        doubted = [id for id, end in wanted.items() if id in old or end.body.task_id in again]
        if not doubted:
            return set()
        found = set(await invocations.statuses(self._store, doubted))
        if unknown := {id: end for id, end in old.items() if id not in found}:
            found |= await self._on_the_bus(unknown)
        return found

    async def _on_the_bus(self, wanted: dict[str, Delivery[Finished]]) -> set[str]:
        """Which of them have their command there, stored before this turn: it may not be on record yet."""
        if self._others_upto is None:
            self._others_upto = await self._bus.last_sequence(streams.INVOKE)
        of_tenants: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for task_id, end in wanted.items():
            of_tenants[end.body.tenant][task_id] = end.body.id
        found: set[str] = set()
        for tenant, ids in of_tenants.items():
            subject = subjects.invoke(tenant, callback.SLUG)
            # A callback comes after what it tells of.
            found |= await stored_ids(self._bus, subject, ids.keys(), after=min(ids.values()), upto=self._others_upto)
        return found

    async def _tell(self, task_id: str, delivery: Delivery[Finished]) -> None:
        end = delivery.body
        function = _function(end.tenant)
        params = msgspec.json.encode({"task_id": end.task_id, "url": end.callback_url})
        origin = Origin(trigger_type="function", user=end.user, parent_task_id=end.task_id)
        with tracing.within(delivery.trace):
            await submit(self._bus, function, task_id=task_id, params=msgspec.Raw(params), origin=origin)


def _is_wanted(end: Finished) -> bool:
    """Whether somebody is to be told; nobody is of a callback itself."""
    return bool(end.callback_url) and (end.function_id, end.function) != (SYSTEM_ID, callback.SLUG)


def _task_id(end: Delivery[Finished]) -> str:
    return step_task_id(end.body.task_id, callback.STEP)


def _function(tenant: str) -> Function:
    found = WITHOUT_PACKAGES.function(tenant, callback.SLUG)
    assert found is not None
    return found
