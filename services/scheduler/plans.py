"""Plans on the bus: one timer a function, which brings its next tick."""

import asyncio
import time
from collections.abc import Sequence

from services.scheduler.decide import plan_of
from shared import telemetry
from shared.bus import subjects, timers
from shared.bus.broker import Bus
from shared.bus.notices import Tick
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.schedule import timetable
from shared.store import schedules
from shared.store.client import Store
from shared.store.schedules import NEVER, Key, Planned, Step

_log = telemetry.logger("plans")


async def set_plan(bus: Bus, function: Function, due: int, *, after: int = 0) -> bool:
    """Plan the tick at `due`; False if the function's plan is not number `after` (0: it has none). Past: at once."""
    if due == NEVER:
        return True
    tick = Tick(tenant=function.tenant, function_id=function.id, due=due, plan=plan_of(function))
    target = subjects.due(function.tenant, function.id)
    return await timers.set_timer(
        bus, _subject((function.tenant, function.id)), tick, target=target, at=due, after=after
    )


async def plan_anew(bus: Bus, store: Store, keys: Sequence[Key]) -> None:
    """Plan for functions whose schedule has changed, and withdraw the plans of those that have none any more.

    The number of the plan that is there is asked for before the function is read: who has read an older function
    cannot put its plan over that of a newer one. Who loses finds the function still to be planned, and tries again.
    """
    there = dict(zip(keys, await asyncio.gather(*(timers.last(bus, _subject(key)) for key in keys)), strict=True))
    found = await schedules.by_keys(store, keys)
    now = int(time.time())
    wanted = [p for p in found.values() if p.due is not None and p.due <= 0]
    idle = [p for p in wanted if not p.function.is_scheduled]
    steps = [Step(p, _first(p, now)) for p in wanted if p.function.is_scheduled]
    await asyncio.gather(*(withdraw(bus, p.key) for p in idle if there[p.key]))
    await schedules.clear(store, idle)
    done = await asyncio.gather(
        *(set_plan(bus, step.planned.function, step.due, after=there[step.planned.key]) for step in steps)
    )
    await schedules.keep(store, [step for step, planned in zip(steps, done, strict=True) if planned])


async def plan_again(bus: Bus, store: Store, keys: Sequence[Key]) -> int:
    """Plan for functions whose plan should be there and may not be; how many had none."""
    found = await schedules.by_keys(store, keys)
    due = [p for p in found.values() if p.due is not None and p.due > 0 and p.function.is_scheduled]
    done = await asyncio.gather(*(set_plan(bus, p.function, p.due or NEVER) for p in due))
    return sum(done)


async def withdraw(bus: Bus, key: Key) -> None:
    """Take a function's plan back."""
    await timers.withdraw(bus, _subject(key))


def _subject(key: Key) -> str:
    return subjects.plan(*key)


def _first(planned: Planned, now: int) -> int:
    function = planned.function
    try:
        return timetable(function.cron_expression, function.schedule_timezone).after(now) or NEVER
    except Problem as problem:  # it was taken by a release, or in a place, that knows more
        _log.error("cannot plan", tenant=function.tenant, function=function.slug, reason=problem.message)
        return NEVER
