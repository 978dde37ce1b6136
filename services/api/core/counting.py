"""Lists of invocations, however long: how many match, and any part of them, without walking them all.

A list of up to `SMALL` is simply counted. In a longer one every `STEP`-th record from the oldest is a milestone: a look
walks what came after the last one, and a far page what lies between two. Whoever meets a list with a long way
behind its last milestone sets them, in the background; until then that look has to walk, up to `_WALK` records.

Only what has settled gets a milestone: no record may come, or change into the filter, before one. Records come in the
order of their ids but for the seconds that the recorder may be late; a status is settled when it is final.
"""

import asyncio
from datetime import timedelta
from typing import NamedTuple

import msgspec

from shared import telemetry
from shared.domain.invocation import FINAL, Invocation
from shared.domain.problem import Problem
from shared.store import milestones as marks
from shared.store.client import Store
from shared.store.invocations import Filter, Invocations
from shared.store.milestones import Milestone, Milestones

STEP = 2000
SMALL = 2 * STEP
_WALK = 2_000_000  # about a second; a longer list counts as so much more than its milestones, until they are set
_SETTLED_S = 15.0
_SURVEYS = 2  # side by side
_BATCH = 50  # milestones written at once
_LONG = 10_000  # lists that are remembered to be long
_log = telemetry.logger("api")


class _Known(NamedTuple):
    """What this process knows of a long list."""

    generation: int
    last: Milestone


class Counting:
    """The lists of all tenants, as this process knows them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._long: dict[tuple[str, str], _Known] = {}
        self._surveys: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def listed(self, tenant: str, wanted: Filter, *, limit: int, skip: int) -> tuple[int, list[Invocation]]:
        """How many match, and a part of them, the newest first. Raises Problem(unavailable)."""
        record, key = Invocations(self._store, tenant), (tenant, wanted.name)
        # A near page is looked up while it is being counted.
        near = record.listed(wanted, limit=limit, skip=skip) if skip <= SMALL else _nothing()
        if key not in self._long:
            count, found = await asyncio.gather(record.count(wanted, most=SMALL + 1), near)
            if count <= SMALL:
                return count, found
            known = await self._look(key)
            behind = await record.count(wanted, after=known.last.id, most=_WALK)
        else:
            known = self._long[key]
            counted = record.count(wanted, after=known.last.id, most=_WALK)
            generation, behind, found = await asyncio.gather(marks.generation(self._store, tenant), counted, near)
            if generation != known.generation or behind > SMALL:
                known = await self._look(key)
                behind = await record.count(wanted, after=known.last.id, most=_WALK)
        if behind > SMALL and (wanted.status is None or wanted.status in FINAL):
            self._survey(record, wanted, key, known)
        count = known.last.rank * STEP + behind
        if SMALL < skip < behind or behind == _WALK:
            found = await record.listed(wanted, limit=limit, skip=skip)
        elif skip > SMALL:
            found = await _far(record, wanted, self._milestones(key, known), limit=limit, rank=count - skip)
        return count, found

    def _milestones(self, key: tuple[str, str], known: _Known) -> Milestones:
        return Milestones(self._store, key[0], of=key[1], generation=known.generation)

    async def _look(self, key: tuple[str, str]) -> _Known:
        """What is known by all."""
        generation = await marks.generation(self._store, key[0])
        last = await Milestones(self._store, key[0], of=key[1], generation=generation).last()
        known = self._long[key] = _Known(generation, last)
        if len(self._long) > _LONG:
            del self._long[next(iter(self._long))]
        return known

    def _survey(self, record: Invocations, wanted: Filter, key: tuple[str, str], known: _Known) -> None:
        """Begin to set milestones, unless somebody is at it."""
        if key not in self._surveys and len(self._surveys) < _SURVEYS:
            setting = _set_milestones(record, wanted, self._milestones(key, known), known.last)
            survey = self._surveys[key] = asyncio.create_task(setting)
            survey.add_done_callback(lambda _: self._surveys.pop(key, None))

    async def surveyed(self) -> None:
        """Wait until no survey is under way."""
        while self._surveys:
            await asyncio.wait(self._surveys.values())


async def _nothing() -> list[Invocation]:
    return []


async def _far(record: Invocations, wanted: Filter, known: Milestones, *, limit: int, rank: int) -> list[Invocation]:
    """From the `rank`-th record, counted from the oldest, to older ones."""
    if rank <= 0:
        return []
    steps = -(-rank // STEP)
    milestone = await known.at(steps)
    if milestone is None:  # the generation has ended meanwhile
        raise Problem("unavailable", "Records are being removed; try again in a moment")
    return await record.listed(wanted, upto=milestone.id, limit=limit, skip=steps * STEP - rank)


async def _set_milestones(record: Invocations, wanted: Filter, known: Milestones, last: Milestone) -> None:
    try:
        while batch := await _next(record, wanted, last):
            await known.add(batch)
            last = batch[-1]
    except Problem as problem:
        _log.warning("survey ended", reason=problem.message)
    except Exception:  # noqa: BLE001 - the outermost frame of a task: our own fault becomes a log line
        _log.exception("survey failed")


async def _next(record: Invocations, wanted: Filter, last: Milestone) -> list[Milestone]:
    """The next milestones behind this one, as far as the list has settled."""
    newest = await record.newest()
    unended = None if wanted.status is None else await record.first_unended()
    batch: list[Milestone] = []
    while newest is not None and len(batch) < _BATCH:
        found = await record.nth(wanted, STEP, after=last.id)
        if found is None or found.created_at > newest.created_at - timedelta(seconds=_SETTLED_S):
            break
        if unended is not None and found.id >= unended:
            break
        last = Milestone(last.rank + 1, found.id)
        batch.append(last)
    return batch


def narrowed(wanted: Filter, *, function_id: int) -> Filter | None:
    """The filter with the function that its slug names; None when it asks for another one, too.

    The function is taken to be in the app that is asked for: it says more than the app does.
    """
    if wanted.function_id not in (None, function_id):
        return None
    return msgspec.structs.replace(wanted, function_id=function_id, function_slug=None, app_slug=None)
