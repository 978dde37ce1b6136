"""Events from outside, each submitted once for a function, however often it is told.

What is known of an event stands on the bus, under a subject of its own that only one can be the first to write: so
any number of replicas may be told of it at once, and one that dies between the two steps leaves the second to whoever
is told next. A repetition of the command is dropped by its message id; past that window the record is asked.
"""

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import msgspec

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Last
from shared.bus.lookup import find_command
from shared.bus.notices import Submitted
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.store.client import Store
from shared.store.invocations import Invocations
from shared.submit import Origin, event_task_id, submit

_DIGEST_DIGITS = 40
_TRIES = 20  # each is lost only to somebody else who is told of the same event in the same moment
_WINDOW_SHARE = 0.8  # of the time in which the bus knows a message id: two clocks may differ
_LATE_S = 20.0  # a command that was stored so long after its entry would not be looked for at the entry's time


class Command(NamedTuple):
    """A run as it is to be submitted."""

    params: msgspec.Raw
    origin: Origin


Prepare = Callable[[str], Command]
"""Makes the command of a task id, each time just before it is sent; it may be asked more than once."""


class Delivered(NamedTuple):
    """What came of an event: the run that it set off; it is not `fresh` where that was set off before."""

    task_id: str
    fresh: bool


class Deliveries:
    """Submits the runs that events set off. The bus knows a message id again for `dedupe_s`."""

    def __init__(self, bus: Bus, store: Store, *, dedupe_s: float) -> None:
        self._bus = bus
        self._store = store
        self._young_s = dedupe_s * _WINDOW_SHARE

    async def submit(self, function: Function, event: str, prepare: Prepare, *, again: bool = False) -> Delivered:
        """Have the function run for this event, once. `event` is whatever makes it this one and no other.

        With `again`, an event whose run has failed, or was answered by its handler with an error, sets off another
        one. Returns when the command is on disk. Raises what `prepare` raises, and Problem(unavailable, too_large):
        whoever tells of the event again then finds it as it would be without.
        """
        subject = _subject(function, event)
        entry, last = _entry(subject), 0
        for _ in range(_TRIES):
            if await self._entered(subject, entry, last):
                return Delivered(entry.task_id, await self._sent(function, entry, prepare))
            known = await self._bus.last(streams.DELIVERIES, subject, Submitted)
            if known is None:  # it was let go of in between
                entry, last = _entry(subject), 0
                continue
            found = await self._repeated(function, subject, known, prepare=prepare, again=again)
            if isinstance(found, Delivered):
                return found
            entry, last = found, known.sequence
        raise Problem("unavailable", "The same event is being told too often; try again in a moment")

    async def failed(self, function: Function, event: str, task_id: str) -> None:
        """Know at once that this run for the event has failed: the record may be told only later.

        Raises Problem(unavailable).
        """
        subject = _subject(function, event)
        known = await self._bus.last(streams.DELIVERIES, subject, Submitted)
        if known is not None and known.body.task_id == task_id:
            await self._entered(subject, msgspec.structs.replace(known.body, failed=True), known.sequence)

    async def _entered(self, subject: str, entry: Submitted, last: int) -> bool:
        """Whether the entry stands now; not where another one came after `last`."""
        try:
            await self._bus.replace(subject, entry, last=last)
        except Problem as problem:
            if problem.code != "conflict":
                raise
            return False
        return True

    async def _repeated(
        self, function: Function, subject: str, known: Last[Submitted], *, prepare: Prepare, again: bool
    ) -> Delivered | Submitted:
        """What came of an event that was told before; or what is to be entered in the place of what is known."""
        entry = known.body
        if again and entry.failed:
            return _entry(subject, attempt=entry.attempt + 1)
        late_s = abs(time.time() - entry.at)  # it is as far ahead where another clock is
        is_old = late_s > self._young_s
        away: Problem | None = None
        if again or is_old:
            try:
                failed = await Invocations(self._store, function.tenant).failed(entry.task_id)
            except Problem as problem:
                failed, away = None, problem
            if failed is not None:
                return (
                    _entry(subject, attempt=entry.attempt + 1) if again and failed else Delivered(entry.task_id, False)
                )
        if is_old:
            return await self._old(function, entry, away)
        # Whoever entered it may have died before it was submitted.
        fresh = await self._sent(function, entry, prepare)
        if away is not None and not fresh:  # it may have failed: that is not known now
            raise away
        if fresh and late_s > _LATE_S:
            with suppress(Problem):
                await self._entered(subject, msgspec.structs.replace(entry, at=time.time()), known.sequence)
        return Delivered(entry.task_id, fresh)

    async def _old(self, function: Function, entry: Submitted, away: Problem | None) -> Delivered | Submitted:
        """The bus may not know the message id any more, and the record does not have it: was it ever submitted?"""
        if await find_command(self._bus, tenant=function.tenant, task_id=entry.task_id, around=entry.at) is not None:
            return Delivered(entry.task_id, fresh=False)
        if away is not None:
            raise away
        return msgspec.structs.replace(entry, at=time.time())

    async def _sent(self, function: Function, entry: Submitted, prepare: Prepare) -> bool:
        """Whether the command is new to the bus."""
        command = prepare(entry.task_id)
        accepted = await submit(
            self._bus, function, task_id=entry.task_id, params=command.params, origin=command.origin
        )
        return not accepted.repeated


def _subject(function: Function, event: str) -> str:
    digest = hashlib.sha256(event.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
    return subjects.delivery(function.tenant, function.id, digest)


def _entry(subject: str, *, attempt: int = 1) -> Submitted:
    """The run of an event that nobody has set off yet, or whose last run has failed."""
    now = time.time()
    return Submitted(task_id=event_task_id(subject, attempt=attempt, at=now), at=now, attempt=attempt)
