"""The audit: every accepted invocation is finished, or has a live lease, or a schedule, or a place in a queue.

The streams are read in the direction in which invocations go, commands before work before ends, so that one that moves
on meanwhile is seen further on. What looks wrong all the same is looked at again after a while, and only then told.
"""

import asyncio
import time
from itertools import islice
from typing import NamedTuple

from shared.audit import counted
from shared.audit.compare import Marks, finding_of, where
from shared.audit.deleted import Deleted
from shared.audit.doubles import examined
from shared.audit.passes import Passes, Told, nobody
from shared.audit.report import Report
from shared.bus import backlog, scan, streams
from shared.bus.broker import Bus
from shared.store import checkpoints
from shared.store.client import Store

SETTLE_S = 5.0
_LOOKS = 3  # at what seems wrong, `settle_s` apart
_MOST_ASKED = 1000  # of what seems wrong, whether it was deleted: beyond, a while costs less than the questions


class _Begun(NamedTuple):
    """What there was when the audit began: only of that anything is said."""

    commands: int
    marks: Marks
    dead: int
    at: float


async def audit(bus: Bus, store: Store, *, tenant: str = "", settle_s: float = SETTLE_S, told: Told = nobody) -> Report:
    """Compare what the streams have with the record. Raises Problem(unavailable), when it could not be done.

    Of one tenant, or of all. `settle_s` is how long what seems wrong is given to come right, twice.
    """
    begun, since = await _begun(bus, store), time.monotonic()
    report = Report(tenant=tenant, dead=begun.dead)
    passes = Passes(bus, store, tenant=tenant, told=told)
    try:
        await passes.commands(report, upto=begun.commands)
        await passes.unended(before=begun.at, upto=begun.commands)
        marks = begun.marks._replace(routed=(await backlog.routing(bus)).floor)
        await passes.places()
        await passes.letters()
        read = await passes.ends(report, after=0, marked=marks.ends)
        for _ in range(_LOOKS - 1):
            if not await _suspects(passes, marks):
                break
            await asyncio.sleep(settle_s)
            await passes.places()
            read = await passes.ends(report, after=read, marked=marks.ends)
            await passes.again(report)
        await _judge(passes, report, marks)
        await counted.check(bus, store, report, tenant=tenant)
    finally:
        passes.sheet.close()
    report.took_s = time.monotonic() - since
    return report


async def _begun(bus: Bus, store: Store) -> _Begun:
    """The recorder's marks first: what is before them was on record then."""
    at = time.time()
    marks = await checkpoints.marks(store, checkpoints.RECORDER)
    found = {name: await scan.state(bus, name) for name in (streams.INVOKE, streams.EVENTS, streams.DEAD)}
    past = {
        name: mark.sequence for name, mark in marks.items() if name in found and found[name].created == mark.created
    }
    recorded = Marks(past.get(streams.INVOKE, 0), past.get(streams.EVENTS, 0), 0)
    return _Begun(found[streams.INVOKE].last, recorded, found[streams.DEAD].messages, at)


async def _suspects(passes: Passes, marks: Marks) -> bool:
    """Whether anything seems wrong that another look may put right: what was deleted stays away."""
    seeming = (found for page in passes.sheet.rows() for row in page if (found := finding_of(row, marks)))
    suspects = list(islice(seeming, _MOST_ASKED + 1))
    if not suspects or len(suspects) > _MOST_ASKED:
        return bool(suspects)
    deleted = await Deleted.read(passes.bus, passes.store)
    for finding in suspects:
        if not await deleted.has(finding):
            return True
    return False


async def _judge(passes: Passes, report: Report, marks: Marks) -> None:
    """Count what is on the sheet, and tell what is wrong."""
    deleted = await Deleted.read(passes.bus, passes.store)
    for page in passes.sheet.rows():
        for row in page:
            finding = finding_of(row, marks)
            if finding is not None and await deleted.has(finding):
                continue
            if finding is not None:
                report.add(finding)
            if place := where(row, marks) if row.first else "older" if row.command == 0 and not row.event else "":
                setattr(report, place, getattr(report, place) + 1)
            report.accepted += row.first > 0
    report.accepted += sum(report.finished.values())
    for twice in passes.twice:
        if (doubled := await examined(passes.bus, twice)) is not None:
            report.add(doubled)
