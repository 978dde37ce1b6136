"""Commands that are handed out again: a router had them before, and may have sent their work.

Within the window of deduplication the bus drops what is sent twice. A router that was killed, or away, may come back
after it: then the work is looked for. It is in the queue until its end is in the stream of events, and in there until
that is on record.
"""

import time
from typing import NamedTuple

from shared.boot import Service
from shared.bus import backlog, streams
from shared.bus.delivery import Delivery
from shared.bus.messages import Invoke
from shared.domain.problem import Problem
from shared.store import checkpoints
from shared.store.invocations import Invocations

_KEPT_S = 30.0  # a look at the queue is good for all commands that were handed out before it
_SURE = 0.5  # of the window: clocks differ


class _Seen(NamedTuple):
    """What was queued at a moment, and what the stream of events had then."""

    at: float
    tasks: set[str]
    events: int


class Repeats:
    """Knows whether a command has been routed before."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._window_s = service.platform.dedupe_s * _SURE
        self._seen: _Seen | None = None

    async def routed(self, delivery: Delivery[Invoke]) -> bool:
        """Whether the command's work is known to be done or queued. Raises Problem(unavailable)."""
        command = delivery.body
        if delivery.count == 1 and not command.is_again:
            return False
        record = Invocations(self._service.store, command.tenant)
        if await record.finished(command.task_id):
            return True
        if delivery.count == 1 or time.time() - command.accepted_at < self._window_s:
            return False  # what was sent is known by its id
        return await self.queued(command) or await record.finished(command.task_id)  # once more: all is on record now

    async def over(self, delivery: Delivery[Invoke]) -> bool:
        """Whether what is to be refused now was sent before, or has ended meanwhile. Raises Problem(unavailable)."""
        command = delivery.body
        return (delivery.count > 1 and await self.queued(command)) or await self.ended(command)

    async def ended(self, command: Invoke) -> bool:
        """Whether its end is on record, and so old, maybe, that the bus would take another one.

        Of what is younger the bus knows the end by its id. Raises Problem(unavailable).
        """
        if time.time() - command.accepted_at < self._window_s:
            return False
        return await Invocations(self._service.store, command.tenant).finished(command.task_id)

    async def queued(self, command: Invoke) -> bool:
        """Whether its work is queued or held; else all that has ended is on record. Raises Problem(unavailable)."""
        seen = self._seen
        if seen is None or time.monotonic() - seen.at > _KEPT_S:
            seen = self._seen = await self._look()
        if command.task_id in seen.tasks:
            return True
        marks = await checkpoints.marks(self._service.store, checkpoints.RECORDER)
        mark = marks.get(streams.EVENTS)
        if mark is None or mark.created != await self._service.bus.created(streams.EVENTS):
            mark = checkpoints.Mark("", 0)
        if mark.sequence < seen.events:
            raise Problem("unavailable", "What has ended lately is not on record yet")
        return False

    async def _look(self) -> _Seen:
        at, tasks = time.monotonic(), set[str]()
        async for found in backlog.queued(self._service.bus):
            tasks.update(one.task_id for one in found)
        return _Seen(at, tasks, await self._service.bus.last_sequence(streams.EVENTS))
