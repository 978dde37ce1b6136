"""The backlog: invocations are queued while the executor is stopped, then it continues and they are counted out.

Checked: as many distinct task ids as were accepted, all recorded as SUCCESS, and no more ends on the bus than calls.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
from motor.motor_asyncio import AsyncIOMotorClient

from bench import tax
from bench.contenders.shoal import COLLECTION, DATABASE, Shoal
from bench.context import Context
from bench.table import Check, Row, Table, at_least

TITLE = "Drain of a backlog"
ORDER = 30
LIMIT_S = 300.0
POLL_S = 0.05
EVENTS = "EVENTS"
FINAL = ["SUCCESS", "FAILURE"]


async def measure(context: Context) -> Table | None:
    """Time from the executor's continuation until the last invocation is recorded."""
    shoal, count = context.shoal, context.options.drain
    if shoal is None:
        return None
    ids = context.folder / "queued"
    ends_before, size_before = await _ends(shoal), await _size(shoal)
    async with _stopped(shoal.executor_pid()):
        sample = await shoal.target.submit(in_flight=context.options.in_flight, count=count, ids=ids)
        early = await _final(shoal, ids)
        started = time.perf_counter()
    if sample.errors:
        raise RuntimeError(f"{sample.errors} of {count} were not accepted, the first: {sample.first_error}")
    context.count(shoal.name, sample.served)
    await _until_recorded(shoal, ids, count=count, size=size_before + count)
    seconds = time.perf_counter() - started
    doubles = await _ends(shoal) - ends_before - count
    distinct, succeeded = len(set(_read(ids))), await _final(shoal, ids, ["SUCCESS"])
    good = distinct == count == succeeded and doubles == 0
    verdict = Check(f"{distinct:,} ids, {succeeded:,} SUCCESS, {doubles} ends too many", "none lost, none twice", good)
    rate, busy = (count - early) / seconds, context.busy.get(shoal.name)
    rows = [
        _row("queued while the executor stands", f"{count:,} at {sample.rate:,.0f}/s"),
        _row("drained", f"{rate:,.0f}/s", at_least(rate, busy.rate if busy else None, 1.0, "own busy rate")),
        _row("until all are recorded", f"{seconds:.2f} s", verdict),
    ]
    notes = [f"{early} had ended before the executor continued"] if early else []
    return Table(title=TITLE, columns=[Shoal.name], rows=rows, notes=notes)


def _row(what: str, cell: str, *checks: Check) -> Row:
    return Row(what=what, cells={Shoal.name: cell}, checks=list(checks))


@contextlib.asynccontextmanager
async def _stopped(pid: int) -> AsyncIterator[None]:
    """The process stands still inside the block, and never longer."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _read(ids: Path) -> list[str]:
    return ids.read_text().split()


async def _final(shoal: Shoal, ids: Path, statuses: list[str] | None = None) -> int:
    """How many of the ids are recorded with one of the statuses."""
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(shoal.ready.mongodb)
    try:
        wanted = {"_id": {"$in": _read(ids)}, "status": {"$in": statuses or FINAL}}
        return int(await client[DATABASE][COLLECTION].count_documents(wanted))
    finally:
        client.close()


async def _until_recorded(shoal: Shoal, ids: Path, *, count: int, size: int) -> None:
    """Return when all are recorded as ended. Asks for the collection's size, which is cheap, until it can be true."""
    async with asyncio.timeout(LIMIT_S):
        while await _size(shoal) < size:  # noqa: ASYNC110 - the store does not call back
            await asyncio.sleep(POLL_S)
        while await _final(shoal, ids) < count:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)


async def _size(shoal: Shoal) -> int:
    """Documents in the collection, from its metadata."""
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(shoal.ready.mongodb)
    try:
        return int(await client[DATABASE][COLLECTION].estimated_document_count())
    finally:
        client.close()


async def _ends(shoal: Shoal) -> int:
    """Finished events of the tax function on the bus: one more than calls means that something ran twice."""
    connection = await nats.connect(shoal.ready.nats)
    try:
        info = await connection.jetstream().stream_info(EVENTS, subjects_filter=f"events.*.{tax.SLUG}.finished")
        return sum((info.state.subjects or {}).values())
    finally:
        await connection.close()
