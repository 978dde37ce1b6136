"""One invocation's life in an executor: load, claim, run, classify, settle, report.

Knows neither the bus nor the store: what it needs of them is `Links`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.executor import events
from services.executor.links import Aside, Links, Loaded
from services.executor.mode import Again, Crowded, Mode, Refusal, Unavailable
from services.executor.postponing import Postponing, until_done
from services.executor.slots import Asker, Slots
from shared import telemetry
from shared.bus.delivery import DONE, Delivery, Later, Verdict
from shared.bus.messages import Answer, Dispatch
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, failure
from shared.domain.problem import Problem
from shared.secrets import SealBrokenError

_UNAVAILABLE_S = 1.0  # before another try at what could not be done at all


class Execution:
    """The executor's part in every invocation of one pool. At most `line` calls of a function wait for a slot here."""

    def __init__(
        self,
        links: Links,
        mode: Mode,
        *,
        executor: str,
        notice_s: float,
        slot_wait_s: float,
        line: int = 1 << 30,
    ) -> None:
        self._links = links
        self._mode = mode
        self._executor = executor
        self._notice_s = notice_s
        self._slot_wait_s = slot_wait_s
        self._slots = Slots(mode.slots, share=mode.share, line=line)
        self._postponing = Postponing(links)
        self._announcing: set[asyncio.Future[None]] = set()
        self._busy = telemetry.BUSY.labels(mode.name)
        telemetry.SLOTS.labels(mode.name).set(mode.slots)

    async def handle(self, delivery: Delivery[Dispatch]) -> Verdict:
        """Run one dispatch to its end. Acknowledged only after its end, or its next attempt, is on disk."""
        dispatch, picked = delivery.body, time.time()
        asker = events.asker(dispatch)
        if (delivery.count > 1 or dispatch.repeated) and await self._passed(dispatch):
            return DONE
        loaded = await self._links.load(dispatch)
        if isinstance(loaded, Refusal):
            reasons = "; ".join(str(error) for error in loaded.errors)
            timeline = events.timeline(dispatch, picked=picked, done=time.time())
            await self._settle(delivery, failure("CodeRefused", reasons), timeline)
            return DONE
        if not await self._slots.take(asker, within_s=self._slot_wait_s):
            return await self._put_aside(delivery) if self._mode.share < 1 else Later(0.0)
        self._busy.inc()
        started = time.time()
        try:
            end = await self._run(dispatch, loaded, picked=picked, started=started)
        except Crowded:
            end = None
        except Unavailable:
            return Later(_UNAVAILABLE_S)
        finally:
            self._slots.give(asker)
            self._postponing.ended(asker)
            self._busy.dec()
            delivery.release()
        if end is None:
            return await self._put_aside(delivery)
        timeline = events.timeline(dispatch, picked=picked, started=started, done=time.time())
        if isinstance(end, Again):
            if await self._postponing.retry(dispatch, end, timeline):
                return DONE
            end = end.outcome
        await self._settle(delivery, end, timeline)
        return DONE

    async def give_up(self, delivery: Delivery[Dispatch], reason: str) -> None:
        """End an invocation that cannot be handled by any means, so that nobody waits for it."""
        now = time.time()
        timeline = events.timeline(delivery.body, picked=now, done=now)
        await self._settle(delivery, failure("Undeliverable", reason), timeline)

    async def _passed(self, dispatch: Dispatch) -> bool:
        """Whether it has been run before. With the store away it is run again, and the second end is dropped."""
        try:
            return await self._links.passed(dispatch)
        except Problem:
            return False

    async def _put_aside(self, delivery: Delivery[Dispatch]) -> Verdict:
        if not await self._postponing.put_aside(delivery):
            await self.give_up(delivery, "there was no room for it for too long")
        return DONE

    async def _run(self, dispatch: Dispatch, loaded: Loaded, *, picked: float, started: float) -> Outcome | Again:
        try:
            request = self._links.request(dispatch)
        except SealBrokenError:
            return failure("SecretUnreadable", "the request's headers cannot be opened with the operator's key")
        host = self._links.host(dispatch, loaded.function, aside=self._aside(events.asker(dispatch)))
        notice = asyncio.get_running_loop().call_later(self._notice_s, self._announce, dispatch, picked, started)
        try:
            return await self._mode.run(events.call_of(dispatch, loaded, request=request, host=host))
        finally:
            notice.cancel()

    def _aside(self, asker: Asker) -> Aside:
        """A call that waits for another one holds no slot: else those that wait could keep out what they wait for."""

        @asynccontextmanager
        async def aside() -> AsyncIterator[None]:
            self._slots.give(asker)
            try:
                yield
            finally:
                self._slots.retake(asker)

        return aside

    def _announce(self, dispatch: Dispatch, picked: float, started: float) -> None:
        event = events.started(dispatch, events.timeline(dispatch, picked=picked, started=started, done=0.0))
        announcing = asyncio.ensure_future(self._links.started(dispatch, event))
        self._announcing.add(announcing)
        announcing.add_done_callback(self._announcing.discard)

    async def _settle(self, delivery: Delivery[Dispatch], outcome: Outcome, timeline: Timeline) -> None:
        """Answer the caller first, then put the end on disk, however long the bus is away: the work is done."""
        try:
            await self._tell(delivery, outcome, timeline)
        except Problem as problem:
            if problem.code != "too_large":
                raise
            await self._tell(delivery, failure("ResultTooLarge", problem.message), timeline)

    async def _tell(self, delivery: Delivery[Dispatch], outcome: Outcome, timeline: Timeline) -> None:
        recorded = outcome.recorded()
        finished = events.finished(delivery, recorded, timeline, executor=self._executor)
        told = outcome if delivery.body.request is not None else recorded

        async def tell() -> None:
            if delivery.body.reply_to:  # again after an outage: the first may have been lost in it
                await self._links.answer(delivery.body.reply_to, Answer(task_id=finished.task_id, outcome=told))
            await self._links.report(finished)

        await until_done(tell)
