"""Lists of invocations, however long: how many match, and any part of them, without walking them all.

A list of up to `SMALL` is simply counted. In a longer one every `STEP`-th record from the oldest is a milestone: a look
walks what came after the last one, and a far page what lies between two. Whoever meets a list with a long way
behind its last milestone sets them, in the background; until then that look has to walk, up to `_WALK` records.

Only what has settled gets a milestone: no record may come, or change into the filter, before one. Records come in the
order of their ids but for the seconds that the recorder may be late; a status is settled when it is final.
"""

import asyncio
from datetime import timedelta

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


class Counting:
    """The lists of all tenants, as this process knows them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._long: dict[tuple[str, str], None] = {}
        self._surveys: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def listed(self, tenant: str, wanted: Filter, *, limit: int, skip: int) -> tuple[int, list[Invocation]]:
        """How many match, and a part of them, the newest first. Raises Problem(unavailable)."""
        record, of = Invocations(self._store, tenant), wanted.name
        if (tenant, of) not in self._long:
            count = await record.count(wanted, most=SMALL + 1)
            if count <= SMALL:
                return count, await record.listed(wanted, limit=limit, skip=skip)
            self._remember((tenant, of))
        generation = await marks.generation(self._store, tenant)
        known = Milestones(self._store, tenant, of=of, generation=generation)
        last = await known.last()
        behind = await record.count(wanted, after=last.id, most=_WALK)
        if behind > SMALL and (wanted.status is None or wanted.status in FINAL):
            self._survey(tenant, wanted, known, last)
        count = last.rank * STEP + behind
        if skip < behind or behind == _WALK:
            return count, await record.listed(wanted, limit=limit, skip=skip)
        return count, await _far(record, wanted, known, limit=limit, rank=count - skip)

    def _remember(self, one: tuple[str, str]) -> None:
        self._long[one] = None
        if len(self._long) > _LONG:
            del self._long[next(iter(self._long))]

    def _survey(self, tenant: str, wanted: Filter, known: Milestones, last: Milestone) -> None:
        """Begin to set milestones, unless somebody is at it."""
        key = (tenant, wanted.name)
        if key not in self._surveys and len(self._surveys) < _SURVEYS:
            record = Invocations(self._store, tenant)
            survey = self._surveys[key] = asyncio.create_task(_set_milestones(record, wanted, known, last))
            survey.add_done_callback(lambda _: self._surveys.pop(key, None))

    async def surveyed(self) -> None:
        """Wait until no survey is under way."""
        while self._surveys:
            await asyncio.wait(self._surveys.values())


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
    """The filter with the function that its slug names; None when it asks for another one, too."""
    if wanted.function_id not in (None, function_id):
        return None
    return msgspec.structs.replace(wanted, function_id=function_id, function_slug=None)
