"""What is done later: another attempt, or the same one when there may be room for it. The bus holds it, not a slot."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import msgspec

from services.executor import events
from services.executor.backlog import Backlog
from services.executor.links import Links
from services.executor.mode import Again
from services.executor.slots import Asker
from shared import labels, telemetry
from shared.bus.delivery import Delivery
from shared.bus.messages import Dispatch
from shared.domain.concurrency import has_own_lane
from shared.domain.function import Function
from shared.domain.invocation import Timeline
from shared.domain.problem import Problem
from shared.domain.retry import Backoff, class_of

_AGAIN_S = 1.0  # before another try at telling the bus
_LONGEST_ASIDE_S = 3600.0  # an attempt that finds no room for so long is given up


class Postponing:
    """Puts dispatches off. A repeat changes nothing: ids say which attempt is meant, or which message it was."""

    def __init__(self, links: Links, backoff: Backoff) -> None:
        self._links = links
        self._backoff = backoff
        self._backlogs: dict[Asker, Backlog] = {}  # by function; those that have one

    def ended(self, asker: Asker) -> None:
        """A call of the function gave back its slot."""
        backlog = self._backlogs.get(asker)
        if backlog is None:
            return
        backlog.ended()
        if not len(backlog):
            del self._backlogs[asker]

    async def retry(self, dispatch: Dispatch, again: Again, timeline: Timeline) -> bool:
        """Have the next attempt made when it is due, and say so; False when none is left, or it cannot be kept.

        The next attempt is on disk first. Who dies in between is followed by somebody who makes this one again, and
        whose next attempt is the same message, which is not stored twice.
        """
        failed = again.outcome
        if dispatch.attempt > dispatch.retries.after(class_of(failed.error_type)):
            return False
        number, due_at = dispatch.attempt + 1, time.time() + self._pause_s(dispatch, again.asked_s)
        following = msgspec.structs.replace(dispatch, attempt=number, put_aside_at=0.0, repeated=True)
        event = events.retrying(dispatch, timeline, failed, due_at=due_at)

        async def postpone() -> None:
            await self._links.postpone(following, due_at=due_at, id=f"{dispatch.task_id}.{number}")

        async def tell() -> None:
            await self._links.retrying(event)

        try:
            await until_done(postpone)
        except Problem as problem:
            if problem.code != "too_large":
                raise
            return False
        await until_done(tell)
        telemetry.RETRIED.labels(labels.error(failed.error_type)).inc()
        return True

    def _pause_s(self, dispatch: Dispatch, asked_s: float) -> float:
        backoff = self._backoff.of(first_s=dispatch.retry_first_s, most_s=dispatch.retry_most_s)
        return backoff.pause_s(dispatch.attempt, chance=random.random(), asked_s=asked_s)  # noqa: S311 - jitter is no secret

    async def moved(self, delivery: Delivery[Dispatch], function: Function) -> bool:
        """Whether it was put into the function's own lane, which it has been given since this was queued.

        What was handed out before, or is called by another call, stays where it is.
        """
        dispatch = delivery.body
        lane = str(function.id)
        if not has_own_lane(function.config) or dispatch.lane == lane or delivery.count > 1 or dispatch.repeated:
            return False
        following = msgspec.structs.replace(dispatch, lane=lane)
        await self._links.requeue(following, id=f"{dispatch.task_id}.lane.{delivery.sequence}")
        return True

    async def put_aside(self, delivery: Delivery[Dispatch]) -> bool:
        """Have the same attempt come again when there may be room; False when it has waited long enough."""
        dispatch, now = delivery.body, time.time()
        if dispatch.put_aside_at and now - dispatch.put_aside_at > _LONGEST_ASIDE_S:
            return False
        backlog = self._backlogs.setdefault(events.asker(dispatch), Backlog())
        due_at = now + backlog.put_aside(jitter=random.uniform(0.5, 1.0))  # noqa: S311 - jitter is no secret
        following = msgspec.structs.replace(dispatch, put_aside_at=dispatch.put_aside_at or now, repeated=True)
        # The sequence makes it one a message: the same attempt may be put aside again, by another message.
        id = f"{dispatch.task_id}.{dispatch.attempt}.{delivery.sequence}"

        async def postpone() -> None:
            await self._links.postpone(following, due_at=due_at, id=id)

        await until_done(postpone)
        return True


async def until_done(act: Callable[[], Awaitable[None]]) -> None:
    """Do it, again and again while the bus is away: the work is done, and must not be lost. Raises other Problems."""
    while True:
        try:
            return await act()
        except Problem as problem:
            if problem.code != "unavailable":
                raise
        await asyncio.sleep(_AGAIN_S)
