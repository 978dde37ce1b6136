"""One invocation's life in an executor: load, claim, run, classify, settle, report.

Knows neither the bus nor the store: what it needs of them is `Links`, which `handlers.py` provides.
"""

import asyncio
import time
from typing import Any, Protocol

from services.executor.mode import Artefact, Call, Limits, Mode, Refusal, Unavailable
from services.executor.slots import Slots
from shared import telemetry
from shared.bus.delivery import DONE, Delivery, Later, Verdict
from shared.bus.messages import Answer, Dispatch, Finished, Started
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, failure

_UNAVAILABLE_S = 1.0  # before work is handed out again that could not even begin


class Links(Protocol):
    """What an execution needs of the world."""

    async def load(self, tenant: str, code_hash: str) -> Artefact | Refusal:
        """The compiled code."""
        ...

    async def finished(self, tenant: str, task_id: str) -> bool:
        """Whether this task's end is on record."""
        ...

    async def answer(self, reply_to: str, answer: Answer) -> None:
        """Tell the waiting caller."""
        ...

    async def started(self, dispatch: Dispatch, event: Started) -> None:
        """Say that it runs."""
        ...

    async def report(self, finished: Finished) -> bool:
        """Say durably that it ended; True when an end had been reported before."""
        ...


class Execution:
    """The executor's part in every invocation of one pool."""

    def __init__(
        self,
        links: Links,
        mode: Mode,
        *,
        executor: str,
        limits: Limits,
        slots: int,
        notice_s: float,
        slot_wait_s: float,
    ) -> None:
        self._links = links
        self._mode = mode
        self._executor = executor
        self._limits = limits
        self._notice_s = notice_s
        self._slot_wait_s = slot_wait_s
        self._slots = Slots(slots)
        self._busy = telemetry.BUSY.labels(mode.name)
        telemetry.SLOTS.labels(mode.name).set(slots)

    async def handle(self, delivery: Delivery[Dispatch]) -> Verdict:
        """Run one dispatch to its end. Acknowledged only after its end is on disk."""
        dispatch, picked = delivery.body, time.time()
        if delivery.count > 1 and await self._links.finished(dispatch.tenant, dispatch.task_id):
            return DONE
        loaded = await self._links.load(dispatch.tenant, dispatch.code_hash)
        if isinstance(loaded, Refusal):
            reasons = "; ".join(str(error) for error in loaded.errors)
            timeline = _timeline(dispatch, picked=picked, started=picked, done=time.time())
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

    async def _run(self, dispatch: Dispatch, artefact: Artefact, *, picked: float, started: float) -> Outcome:
        notice = asyncio.get_running_loop().call_later(self._notice_s, self._announce, dispatch, picked, started)
        call = Call(
            task_id=dispatch.task_id,
            tenant=dispatch.tenant,
            function_id=dispatch.function_id,
            code_hash=dispatch.code_hash,
            artefact=artefact,
            params=bytes(dispatch.params),
            context=_context(dispatch),
            limits=Limits(
                timeout_s=dispatch.timeout_s,
                memory_mb=dispatch.memory_mb,
                output_bytes=self._limits.output_bytes,
                result_bytes=self._limits.result_bytes,
            ),
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
        self._announcing = asyncio.ensure_future(self._links.started(dispatch, event))

    async def _settle(self, delivery: Delivery[Dispatch], outcome: Outcome, timeline: Timeline) -> None:
        """Answer the caller first, then put the end on disk."""
        dispatch = delivery.body
        if dispatch.reply_to:
            await self._links.answer(dispatch.reply_to, Answer(task_id=dispatch.task_id, outcome=outcome))
        await self._links.report(
            Finished(
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
                executor=self._executor,
                outcome=outcome,
            )
        )


def _timeline(dispatch: Dispatch, *, picked: float, started: float, done: float) -> Timeline:
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
