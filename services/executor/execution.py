"""One invocation's life in an executor: load, claim, run, classify, settle, report.

Knows neither the bus nor the store: what it needs of them is `Links`, which `handlers.py` provides.
"""

import asyncio
import time
from typing import Any, Protocol

from services.executor.mode import NO_CODE, Artefact, Call, Mode, Refusal, Unavailable
from services.executor.slots import Slots
from shared import telemetry
from shared.bus.delivery import DONE, Delivery, Later, Verdict
from shared.bus.messages import Answer, Dispatch, Finished, Started
from shared.domain.function import Function
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, failure
from shared.domain.problem import Problem

_UNAVAILABLE_S = 1.0  # before another try at what could not be done at all


class Links(Protocol):
    """What an execution needs of the world."""

    async def load(self, dispatch: Dispatch) -> Artefact | Function | Refusal:
        """The compiled code, or the function's settings for a mode that runs no code. Raises Problem(unavailable)."""
        ...

    async def finished(self, tenant: str, task_id: str) -> bool:
        """Whether this task's end is on record. Raises Problem(unavailable)."""
        ...

    async def answer(self, reply_to: str, answer: Answer) -> None:
        """Tell the waiting caller."""
        ...

    async def started(self, dispatch: Dispatch, event: Started) -> None:
        """Say that it runs."""
        ...

    async def report(self, finished: Finished) -> None:
        """Say durably that it ended. Raises Problem(unavailable, too_large)."""
        ...


class Execution:
    """The executor's part in every invocation of one pool."""

    def __init__(
        self,
        links: Links,
        mode: Mode,
        *,
        executor: str,
        slots: int,
        notice_s: float,
        slot_wait_s: float,
    ) -> None:
        self._links = links
        self._mode = mode
        self._executor = executor
        self._notice_s = notice_s
        self._slot_wait_s = slot_wait_s
        self._slots = Slots(slots)
        self._announcing: set[asyncio.Future[None]] = set()
        self._busy = telemetry.BUSY.labels(mode.name)
        telemetry.SLOTS.labels(mode.name).set(slots)

    async def handle(self, delivery: Delivery[Dispatch]) -> Verdict:
        """Run one dispatch to its end. Acknowledged only after its end is on disk."""
        dispatch, picked = delivery.body, time.time()
        if (delivery.count > 1 or dispatch.repeated) and await self._ended(dispatch):
            return DONE
        loaded = await self._links.load(dispatch)
        if isinstance(loaded, Refusal):
            reasons = "; ".join(str(error) for error in loaded.errors)
            timeline = _timeline(dispatch, picked=picked, done=time.time())
            await self._settle(delivery, failure("CodeRefused", reasons), timeline)
            return DONE
        if not await self._slots.take(within_s=self._slot_wait_s):
            return Later(0.0)
        self._busy.inc()
        started = time.time()
        try:
            outcome = await self._run(dispatch, loaded, picked=picked, started=started)
        except Unavailable:
            return Later(_UNAVAILABLE_S)
        finally:
            self._slots.give()
            self._busy.dec()
            delivery.release()
        await self._settle(delivery, outcome, _timeline(dispatch, picked=picked, started=started, done=time.time()))
        return DONE

    async def give_up(self, delivery: Delivery[Dispatch], reason: str) -> None:
        """End an invocation that cannot be handled by any means, so that nobody waits for it."""
        now = time.time()
        await self._settle(delivery, failure("Undeliverable", reason), _timeline(delivery.body, picked=now, done=now))

    async def _ended(self, dispatch: Dispatch) -> bool:
        """Whether it has been run before. With the store away it is run again, and the second end is dropped."""
        try:
            return await self._links.finished(dispatch.tenant, dispatch.task_id)
        except Problem:
            return False

    async def _run(self, dispatch: Dispatch, loaded: Artefact | Function, *, picked: float, started: float) -> Outcome:
        notice = asyncio.get_running_loop().call_later(self._notice_s, self._announce, dispatch, picked, started)
        call = Call(
            task_id=dispatch.task_id,
            tenant=dispatch.tenant,
            function_id=dispatch.function_id,
            code_hash=dispatch.code_hash,
            artefact=loaded if isinstance(loaded, Artefact) else NO_CODE,
            function=loaded if isinstance(loaded, Function) else None,
            params=bytes(dispatch.params),
            context=_context(dispatch),
            limits=dispatch.limits,
        )
        try:
            return await self._mode.run(call)
        finally:
            notice.cancel()

    def _announce(self, dispatch: Dispatch, picked: float, started: float) -> None:
        event = Started(
            id=dispatch.id,
            task_id=dispatch.task_id,
            tenant=dispatch.tenant,
            function=dispatch.function,
            function_id=dispatch.function_id,
            function_name=dispatch.function_name,
            trigger_type=dispatch.trigger_type,
            user=dispatch.user,
            timeline=_timeline(dispatch, picked=picked, started=started, done=0.0),
        )
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
        finished = _finished(delivery, outcome, timeline, executor=self._executor)
        while True:
            if delivery.body.reply_to:  # again after an outage: the first may have been lost in it
                await self._links.answer(delivery.body.reply_to, Answer(task_id=finished.task_id, outcome=outcome))
            try:
                return await self._links.report(finished)
            except Problem as problem:
                if problem.code != "unavailable":
                    raise
            await asyncio.sleep(_UNAVAILABLE_S)


def _finished(delivery: Delivery[Dispatch], outcome: Outcome, timeline: Timeline, *, executor: str) -> Finished:
    dispatch = delivery.body
    return Finished(
        id=dispatch.id,
        task_id=dispatch.task_id,
        tenant=dispatch.tenant,
        function=dispatch.function,
        function_id=dispatch.function_id,
        function_name=dispatch.function_name,
        version=dispatch.version,
        trigger_type=dispatch.trigger_type,
        user=dispatch.user,
        timeline=timeline,
        delivery=delivery.count,
        executor=executor,
        outcome=outcome,
    )


def _timeline(dispatch: Dispatch, *, picked: float, done: float, started: float = 0.0) -> Timeline:
    before = dispatch.timeline
    return Timeline(accepted=before.accepted, routed=before.routed, picked=picked, started=started, done=done)


def _context(dispatch: Dispatch) -> dict[str, Any]:
    """The handler's second argument: function and user, and the user's fields once more at the top."""
    user = dispatch.user
    person = {"id": user.id, "username": user.username, "email": user.email} if user else None
    return {
        "function": {"name": dispatch.function_name, "slug": dispatch.function, "category": dispatch.category},
        "user": person,
        **({**person, "full_name": person["username"]} if person else {}),
    }
