"""Events from outside, each submitted once for a function, however often it is told.

What is known of an event stands on the bus, under a subject of its own that only one can be the first to write: so
any number of replicas may be told of it at once, and one that dies between the two steps leaves the second to whoever
is told next. A repetition of the command is dropped by its message id; past that window the record is asked.
"""

import hashlib
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from shared.boot import Service
from shared.bus import streams, subjects
from shared.bus.delivery import Last
from shared.bus.lookup import find_command
from shared.bus.messages import Submitted
from shared.domain.function import Function
from shared.domain.invocation import Invocation
from shared.domain.problem import Problem
from shared.store.invocations import Invocations
from shared.submit import Origin, event_task_id, submit

_DIGEST_DIGITS = 40
_TRIES = 20  # each is lost only to somebody else who is told of the same event in the same moment
_WINDOW_SHARE = 0.8  # of the time in which the bus knows a message id: two clocks may differ


class Command(NamedTuple):
    """A run as it is to be submitted."""

    params: msgspec.Raw
    origin: Origin


class Delivered(NamedTuple):
    """What came of an event: the run that it set off; it is not `fresh` where that was set off before."""

    task_id: str
    fresh: bool


class Deliveries:
    """Submits the runs that events set off."""

    def __init__(self, service: Service) -> None:
        self._bus = service.bus
        self._store = service.store
        self._young_s = service.platform.dedupe_s * _WINDOW_SHARE

    async def submit(
        self, function: Function, event: str, prepare: Callable[[str], Command], *, again: bool = False
    ) -> Delivered:
        """Have the function run for this event, once. `event` is whatever makes it this one and no other.

        `prepare` makes the command of a task id, just before it is sent. With `again`, an event whose run has failed
        sets off another one. Returns when the command is on disk. Raises Problem(unavailable, too_large).
        """
        digest = hashlib.sha256(event.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
        subject = subjects.delivery(function.tenant, function.id, digest)
        known: Last[Submitted] | None = None
        for _ in range(_TRIES):
            try:
                entry = await self._entered(subject, known)
            except Problem as problem:
                if problem.code != "conflict":
                    raise
                known = await self._bus.last(streams.DELIVERIES, subject, Submitted)
                if known is None or (again and await self._failed(function, known.body)):
                    continue
                return await self._repeated(function, known.body, prepare)
            fresh = await self._sent(function, entry, prepare)
            return Delivered(entry.task_id, fresh)
        raise Problem("unavailable", "The same event is being told too often; try again in a moment")

    async def _entered(self, subject: str, known: Last[Submitted] | None) -> Submitted:
        """The event entered as ours to submit: for the first time, or after what is known has failed."""
        now = time.time()
        attempt = 1 if known is None else known.body.attempt + 1
        task_id = event_task_id(subject, attempt=attempt, at=now)
        entry = Submitted(task_id=task_id, at=now, attempt=attempt)
        await self._bus.replace(subject, entry, last=0 if known is None else known.sequence)
        return entry

    async def _repeated(self, function: Function, entry: Submitted, prepare: Callable[[str], Command]) -> Delivered:
        """Whoever entered it may have died before it was submitted."""
        if time.time() - entry.at > self._young_s and await self._is_known(function, entry):
            return Delivered(entry.task_id, fresh=False)
        return Delivered(entry.task_id, await self._sent(function, entry, prepare))

    async def _sent(self, function: Function, entry: Submitted, prepare: Callable[[str], Command]) -> bool:
        """Whether the command is new to the bus."""
        command = prepare(entry.task_id)
        accepted = await submit(
            self._bus, function, task_id=entry.task_id, params=command.params, origin=command.origin
        )
        return not accepted.repeated

    async def _is_known(self, function: Function, entry: Submitted) -> bool:
        """Whether its command was ever submitted, by the record or by what the bus still has."""
        if await Invocations(self._store, function.tenant).known(entry.task_id):
            return True
        return await find_command(self._bus, tenant=function.tenant, task_id=entry.task_id, around=entry.at) is not None

    async def _failed(self, function: Function, entry: Submitted) -> bool:
        found: Invocation | None = await Invocations(self._store, function.tenant).by_task(entry.task_id)
        return found is not None and found.status == "FAILURE"
