"""Neighbours: one tenant's steady calls, alone and while another tenant has tens of thousands queued.

The flood is queued while the executor stands; then it continues, and the neighbour's calls are measured while the flood
is worked off: one call at a time, with a pause after each, so that what is measured is the wait and not the load.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import nats

from bench import tax
from bench.contenders import shoal as contender
from bench.contenders.contender import HttpTarget
from bench.contenders.shoal import Shoal
from bench.context import Context
from bench.sample import Sample, middle, percentile
from bench.table import Check, Row, Table, at_most
from shared.domain.caller import SCOPES
from shared.store import tenants, tokens
from shared.store.client import Store
from shared.store.users import Draft, Users

TITLE = "Neighbours"
ORDER = 35
PAUSE_S = 0.02
MOST = 1.2  # a neighbour's p99 may be so many times what it is alone
QUIET_S = 300.0
NEIGHBOUR = "neighbour"
CALM = "alone"
WORK = "WORK"
WAITING = """import time
def main(params, user_data):
    time.sleep(0.2)
    return 1150.0"""


async def measure(context: Context) -> Table | None:
    """Medians over the rounds, in which the two floods and the calm take turns."""
    shoal = context.shoal
    if shoal is None:
        return None
    there = await _neighbour(shoal)
    await _load(context, there)
    waiting = await asyncio.to_thread(contender.create_with, shoal.ready, "Waiting", WAITING)
    floods = {"short calls": tax.SLUG, "waiting calls": waiting}
    alone: list[Sample] = []
    late: dict[str, list[float]] = {name: [] for name in (CALM, *floods)}
    flooded: dict[str, list[Sample]] = {name: [] for name in floods}
    left: dict[str, list[int]] = {name: [] for name in floods}
    for _ in range(context.options.rounds):
        for name, slug in floods.items():
            alone.append(await _watched(context, there, late[CALM]))
            sample, rest = await _flooded(context, shoal, slug, lambda: _watched(context, there, late[name]))  # noqa: B023
            flooded[name].append(sample)
            left[name].append(rest)
    middles = {name: middle(samples) for name, samples in flooded.items()}
    return _table(context, middle(alone), middles, left=left, late=late)


async def _neighbour(shoal: Shoal) -> HttpTarget:
    """Another tenant, with a function and a token of its own."""
    store = Store(shoal.ready.mongodb, database=contender.DATABASE)
    try:
        await tenants.add(store, NEIGHBOUR)
        account = await Users(store, NEIGHBOUR).add(Draft(username="bench", role="admin"))
        draft = tokens.Draft(name="bench", user_id=account.id, role="admin", scopes=SCOPES)
        _, token = await tokens.Tokens(store, NEIGHBOUR).add(draft)
    finally:
        store.close()
    ready = msgspec.structs.replace(shoal.ready, token=token)
    slug = await asyncio.to_thread(contender.create, ready, tax.NAME)
    return HttpTarget(url=f"{ready.url.rstrip('/')}/api/functions/{slug}/execute/", token=token)


async def _load(context: Context, there: HttpTarget) -> Sample:
    timing = ("--seconds", str(context.options.seconds), "--warm", str(context.options.warm_s), "--pause", str(PAUSE_S))
    return await there.run("--in-flight", "1", *timing, "--body", tax.BODY, "--expect", tax.EXPECT)


async def _watched(context: Context, there: HttpTarget, late: list[float]) -> Sample:
    """The same; and how late, in ms, this process woke up meanwhile, which only sleeps: what the machine costs."""
    loop = asyncio.get_running_loop()
    load = asyncio.create_task(_load(context, there))
    while not load.done():
        due = loop.time() + PAUSE_S
        await asyncio.sleep(PAUSE_S)
        late.append((loop.time() - due) * 1e3)
    return load.result()


async def _flooded(
    context: Context, shoal: Shoal, slug: str, load: Callable[[], Awaitable[Sample]]
) -> tuple[Sample, int]:
    """What `load` finds while calls of this function are queued; and how many of them were left after it."""
    target = HttpTarget(url=f"{shoal.ready.url.rstrip('/')}/api/functions/{slug}/execute/", token=shoal.ready.token)
    executor = shoal.executor_pid()
    os.kill(executor, signal.SIGSTOP)
    try:
        sent = await target.submit(in_flight=context.options.in_flight, count=_count(context), ids=context.folder / "i")
        await _until(shoal, lambda queued: queued >= _count(context))
    finally:
        os.kill(executor, signal.SIGCONT)
    if sent.errors:
        raise RuntimeError(f"{sent.errors} calls were not accepted, the first: {sent.first_error}")
    sample = await load()
    rest = await _queued(shoal)
    await _purge(shoal)
    await _until(shoal, lambda queued: queued == 0)
    return sample, rest


def _count(context: Context) -> int:
    return 2 * context.options.drain


async def _queued(shoal: Shoal) -> int:
    return sum((await _work(shoal)).values())


async def _work(shoal: Shoal) -> dict[str, int]:
    connection = await nats.connect(shoal.ready.nats)
    try:
        info = await connection.jetstream().stream_info(WORK, subjects_filter="work.>")
        return dict(info.state.subjects or {})
    finally:
        await connection.close()


async def _purge(shoal: Shoal) -> None:
    """Whatever of the flood is left would be run for minutes: it is taken out of the queue."""
    connection = await nats.connect(shoal.ready.nats)
    try:
        for subject in await _work(shoal):
            await connection.jetstream().purge_stream(WORK, subject=subject)
    finally:
        await connection.close()


async def _until(shoal: Shoal, enough: Callable[[int], bool]) -> None:
    async with asyncio.timeout(QUIET_S):
        while not enough(await _queued(shoal)):  # noqa: ASYNC110 - the bus does not call back
            await asyncio.sleep(0.05)


def _table(
    context: Context,
    alone: Sample,
    flooded: dict[str, Sample],
    *,
    left: dict[str, list[int]],
    late: dict[str, list[float]],
) -> Table:
    rows = [_row("a neighbour alone, p50", alone, "p50_ms"), _row("a neighbour alone, p99", alone, "p99_ms")]
    for name, sample in flooded.items():
        what = f"beside {_count(context):,} {name} queued"
        rows.append(_row(f"{what}, p50", sample, "p50_ms"))
        check = at_most(sample.p99_ms, alone.p99_ms, MOST, "alone")
        if not sample.p99_ms:  # none of its calls began and ended within the measurement
            check = Check("none answered in time", check.target, False)
        late_calls = Check(f"{sample.errors} of {sample.served} not answered in time", "0", sample.errors == 0)
        rows.append(_row(f"{what}, p99", sample, "p99_ms", check, late_calls))
    for name, lateness in late.items():
        what = f"a process that only sleeps wakes up late, p99, {name}"
        ordered = sorted(int(one * 1e6) for one in lateness)
        rows.append(Row(what=what, cells={Shoal.name: f"{percentile(ordered, 0.99) / 1e6:.2f} ms"}))
    notes = [f"{name} still queued after the measurement, by round: {counts}" for name, counts in left.items()]
    return Table(title=TITLE, columns=[Shoal.name], rows=rows, notes=notes)


def _row(what: str, sample: Sample, field: str, *checks: Check) -> Row:
    cell: Any = getattr(sample, field)
    return Row(what=what, cells={Shoal.name: f"{cell:.2f} ms" if cell else "-"}, checks=list(checks))
