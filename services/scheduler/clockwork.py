"""Due, submit, next: what comes due is decided and submitted many at a time, then entered in the ledger and planned on.

A tick stays on the bus until its successor is planned, so a process that dies at any point leaves it to another, which
repeats what was done without effect: the bus drops the command, the ledger keeps its entry, the plan is there already.
First all runs are submitted that can be; the books are done when there is nothing to submit, or too much to enter.
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from services.scheduler.config import Scheduler
from services.scheduler.decide import Decision, Rules, decide, is_current
from services.scheduler.ledger import Ledger
from services.scheduler.plans import set_plan
from shared import telemetry, tracing
from shared.boot import Service
from shared.bus.delivery import DONE, Delivery, Verdict
from shared.bus.notices import Tick
from shared.domain import tick
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.schedule import timetable
from shared.store import schedules, tenants
from shared.store.schedules import NEVER, Planned, Run, Step
from shared.submit import Origin, due_task_id, submit

_ROUND = 250  # ticks decided together
_PAGE = 1000  # ticks entered together
_MOST_OPEN = 5000  # submitted, and not entered yet
_CALM_S = 1.0  # the books wait for so long while there is something to submit
_log = telemetry.logger("clockwork")


class _Held(msgspec.Struct, frozen=True):
    """A tick in hand; whoever waits for `verdict` settles it on the bus."""

    delivery: Delivery[Tick]
    verdict: "asyncio.Future[Verdict]"

    @property
    def tick(self) -> Tick:
        """What has come."""
        return self.delivery.body

    def end(self, fault: BaseException | None = None) -> None:
        """Handled, or with a fault to be handed out again."""
        if self.verdict.done():
            return
        if fault is None:
            self.verdict.set_result(DONE)
        else:
            self.verdict.set_exception(fault)


class _Decided(msgspec.Struct, frozen=True):
    held: _Held
    planned: Planned
    decision: Decision
    at: float
    task_id: str = ""  # of the run that is to be submitted


class Clockwork:
    """The ticks in hand of this process."""

    def __init__(self, service: Service) -> None:
        settings: Scheduler = service.settings
        self._service = service
        self._ledger = Ledger(service)
        self._rules = Rules(missed_s=settings.missed_s, overlap_s=settings.overlap_s)
        self._come: deque[_Held] = deque()
        self._open: deque[_Decided] = deque()
        self._some = asyncio.Event()
        self._submitted = asyncio.Event()
        self._calm = asyncio.Event()
        self.lateness_s = 0.0  # of the last run

    async def take(self, delivery: Delivery[Tick]) -> Verdict:
        """Handle one tick, with others that have come with it."""
        held = _Held(delivery, asyncio.get_running_loop().create_future())
        self._come.append(held)
        self._calm.clear()
        self._some.set()
        return await held.verdict

    async def submit(self) -> None:
        """Decide and submit, for ever."""
        while True:
            await self._some.wait()
            while self._come:
                round_ = [self._come.popleft() for _ in range(min(_ROUND, len(self._come)))]
                await _guarded(self._submit(round_), round_)
            self._some.clear()
            self._calm.set()

    async def keep_books(self) -> None:
        """Enter and plan on, for ever."""
        while True:
            await self._submitted.wait()
            while self._open:
                if len(self._open) < _MOST_OPEN and not self._calm.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._calm.wait(), timeout=_CALM_S)
                round_ = [self._open.popleft() for _ in range(min(_PAGE, len(self._open)))]
                await _guarded(self._enter(round_), [decided.held for decided in round_])
            self._submitted.clear()

    async def _submit(self, round_: Sequence[_Held]) -> None:
        found = await schedules.by_keys(
            self._service.store, {(held.tick.tenant, held.tick.function_id) for held in round_}
        )
        now = time.time()
        decided = await self._decided(round_, found, now)
        # Beyond the window of the bus, what was submitted before must not be submitted again.
        old = [one.task_id for one in decided if one.decision.run and now - one.decision.run > self._ledger.young_s]
        before = await self._ledger.submitted(old)
        await asyncio.gather(*(self._submit_one(one, before) for one in decided))

    async def _decided(
        self, round_: Sequence[_Held], found: dict[schedules.Key, Planned], now: float
    ) -> list[_Decided]:
        """What is to be done. A tick that is nobody's any more ends here."""
        current: list[tuple[_Held, Planned]] = []
        for held in round_:
            planned = found.get((held.tick.tenant, held.tick.function_id))
            if planned is not None and is_current(held.tick, planned.function):
                current.append((held, planned))
            else:
                telemetry.TICKS.labels("withdrawn").inc()
                held.end()
        previous = await self._ledger.previous(planned for _, planned in current)
        barred = await tenants.inactive(self._service.store, {planned.function.tenant for _, planned in current})
        handled = await self._ledger.entered(
            _id(h.tick) for h, p in current if p.due is not None and p.due > h.tick.due
        )
        decided: list[_Decided] = []
        for held, planned in current:
            if planned.due is not None and _id(held.tick) in handled:  # all that may be missing is the next plan
                decision = Decision(run=None, entries=[], after=planned.due - 1)
            else:
                function = planned.function
                decision = decide(
                    held.tick,
                    function=function,
                    table=timetable(function.cron_expression, function.schedule_timezone),
                    now=now,
                    previous=previous.get(planned.key),
                    rules=msgspec.structs.replace(self._rules, is_active=function.tenant not in barred),
                )
            task_id = "" if decision.run is None else due_task_id(*planned.key, decision.run)
            decided.append(_Decided(held, planned, decision, now, task_id))
        return decided

    async def _submit_one(self, one: _Decided, before: set[str]) -> None:
        try:
            if one.decision.run is not None and one.task_id not in before:
                function = one.planned.function
                with tracing.span("tick", kind="consumer", facts=_facts(function) if tracing.on else None):
                    await submit(
                        self._service.bus,
                        function,
                        task_id=one.task_id,
                        params=msgspec.Raw(msgspec.json.encode(function.schedule_params)),
                        origin=Origin(trigger_type="schedule"),
                    )
                self.lateness_s = max(0.0, time.time() - one.decision.run)
                telemetry.LATENESS.observe(self.lateness_s)
        except Problem as problem:
            one.held.end(problem)
            return
        one.held.delivery.release()
        self._open.append(one)
        self._submitted.set()

    async def _enter(self, round_: Sequence[_Decided]) -> None:
        entries = [entry for one in round_ for entry in _entries(one)]
        steps = [_step(one) for one in round_]
        _, all_current = await asyncio.gather(self._ledger.enter(entries), schedules.keep(self._service.store, steps))
        for entry in entries:
            telemetry.TICKS.labels(entry.state).inc(entry.count)
        open_ = steps if all_current else await self._still_current(round_, steps)
        await asyncio.gather(*(set_plan(self._service.bus, step.planned.function, step.due) for step in open_))
        for one in round_:
            one.held.end()

    async def _still_current(self, round_: Sequence[_Decided], steps: Sequence[Step]) -> list[Step]:
        """Those whose schedule has not changed since it was read: whoever changed the others has them planned anew."""
        found = await schedules.by_keys(self._service.store, {one.planned.key for one in round_})
        return [
            step
            for one, step in zip(round_, steps, strict=True)
            if (planned := found.get(one.planned.key)) and is_current(one.held.tick, planned.function)
        ]


async def _guarded(work: Coroutine[Any, Any, None], round_: Sequence[_Held]) -> None:
    """A fault is that of every tick of the round: each is handed out again."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - told by the loop that hands the ticks back, once for each of them
        for held in round_:
            held.end(error)


def _facts(function: Function) -> tracing.Facts:
    return {"faas.trigger": "timer", "faas.cron": function.cron_expression}


def _id(tick: Tick) -> str:
    return due_task_id(tick.tenant, tick.function_id, tick.due)


def _step(one: _Decided) -> Step:
    function = one.planned.function
    then = timetable(function.cron_expression, function.schedule_timezone).after(one.decision.after)
    return Step(one.planned, then or NEVER, Run(one.task_id, one.at) if one.task_id else None)


def _entries(one: _Decided) -> list[tick.Tick]:
    function = one.planned.function
    return [
        tick.Tick(
            task_id=due_task_id(function.tenant, function.id, entry.due),
            tenant=function.tenant,
            function_id=function.id,
            due=entry.due,
            state=entry.state,
            late_s=round(max(0.0, one.at - entry.due), 3),
            reason=entry.reason,
            count=entry.count,
            until=entry.until,
        )
        for entry in one.decision.entries
    ]
