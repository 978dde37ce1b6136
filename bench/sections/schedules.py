"""Schedules: what many cost while nothing is due, and how soon all runs are asked for when many come due at once.

The ticks come due while two schedulers run, and one of them is killed when a tenth is submitted. What counts is the
time from the due moment until the last command is stored in INVOKE. The router stands still meanwhile: what is measured
is the schedulers, not how soon thousands of functions find a process; the drain of a backlog is a section of its own.
"""

import asyncio
import os
import signal
import time
from datetime import UTC, datetime

import msgspec
import nats
from nats.js import JetStreamContext

from bench import tax
from bench.contenders.shoal import DATABASE, Shoal
from bench.context import Context
from bench.processes import child, python
from bench.procfs import cpu_s, rss_bytes
from bench.table import Check, Row, Table
from services.scheduler.plans import set_plan
from shared.bus import broker, subjects
from shared.bus.broker import Bus
from shared.bus.notices import FunctionChanged
from shared.domain.function import Function
from shared.store import schedules
from shared.store.client import Store
from shared.store.functions import Functions

TITLE = "Schedules"
ORDER = 90  # what it leaves behind must not cost the others
TENANT = "default"
RARELY = "0 0 29 2 *"
AT_REST, AT_ONCE = 100_000, 5_000
FIRST_ID = 10_000_000
PAGE = 1000
PLANNED_S = 600.0
REST_S = 20.0
LEAD_S = 15
FIRED_S = 60.0
RESIDENT_MB, RESIDENT_CPU, ALL_S = 150, 2.0, 2.0


async def measure(context: Context) -> Table | None:
    """Both figures, on Shoal alone: no contender has schedules that survive a kill."""
    shoal = context.shoal
    if shoal is None:
        return None
    quick = context.options.functions < 1000
    rest, once = (AT_REST // 20, AT_ONCE // 10) if quick else (AT_REST, AT_ONCE)
    store = Store(shoal.ready.mongodb, database=DATABASE)
    try:
        async with broker.connect(shoal.ready.nats, name="bench", timeout_s=10) as bus:
            found = await Functions(store, TENANT).by_slug(tax.SLUG)
            if found is None:
                raise RuntimeError("the tax function is not there")
            rows = await _at_rest(shoal, bus, store, found, count=rest)
            rows += await _at_once(context, bus, store, found, count=once)
    finally:
        store.close()
    return Table(title=TITLE, columns=[Shoal.name], rows=rows, notes=["two schedulers, one killed with -9 midway"])


async def _at_rest(shoal: Shoal, bus: Bus, store: Store, like: Function, *, count: int) -> list[Row]:
    await _insert(store, like, first=FIRST_ID, count=count, due=0)
    pid = shoal.ready.services["scheduler"].pid
    began = time.monotonic()
    await bus.send(subjects.changed(TENANT, like.slug), FunctionChanged(tenant=TENANT, function=like.slug, revision=1))
    async with asyncio.timeout(PLANNED_S):
        while await schedules.count(store) < count:  # noqa: ASYNC110 - the store does not call back
            await asyncio.sleep(0.2)
    planned_s = time.monotonic() - began
    await asyncio.sleep(1)
    before = cpu_s(pid)
    await asyncio.sleep(REST_S)
    cpu, resident = (cpu_s(pid) - before) / REST_S * 100, rss_bytes(pid) / 2**20
    return [
        _row(f"{count:,} schedules planned anew", Check(f"{planned_s:.1f} s", "", None)),
        _row(
            f"{count:,} schedules at rest, memory",
            Check(f"{resident:.0f} MB", f"< {RESIDENT_MB}", resident < RESIDENT_MB),
        ),
        _row(f"{count:,} schedules at rest, CPU", Check(f"{cpu:.1f} %", f"< {RESIDENT_CPU:g}", cpu < RESIDENT_CPU)),
    ]


async def _at_once(context: Context, bus: Bus, store: Store, like: Function, *, count: int) -> list[Row]:
    shoal = context.shoal
    assert shoal is not None
    first = FIRST_ID + AT_REST
    due = int(time.time()) + LEAD_S
    environ = {"NATS_URL": shoal.ready.nats, "MONGODB_URL": shoal.ready.mongodb}
    command = ["env", *(f"{name}={value}" for name, value in environ.items()), *python("services.scheduler")]
    async with child("scheduler", command, log=context.folder / "scheduler.log") as other:
        await _insert(store, like, first=first, count=count, due=due)
        made = [_function(like, first + number) for number in range(count)]
        for start in range(0, count, PAGE):
            await asyncio.gather(*(set_plan(bus, one, due) for one in made[start : start + PAGE]))
        spare_s = due - time.time()
        if spare_s < 0:
            raise RuntimeError("the machine is too slow: the ticks came due before all were planned")
        connection = await nats.connect(shoal.ready.nats)
        router = shoal.ready.services["router"].pid
        os.kill(router, signal.SIGSTOP)
        try:
            return await _fired(connection.jetstream(timeout=10), other.pid, due=due, count=count)
        finally:
            os.kill(router, signal.SIGCONT)
            await connection.close()


async def _fired(stream: JetStreamContext, victim: int, *, due: int, count: int) -> list[Row]:
    before = (await stream.stream_info("INVOKE")).state.last_seq
    killed = False
    async with asyncio.timeout(FIRED_S):
        while (last := (await stream.stream_info("INVOKE")).state.last_seq) - before < count:
            if not killed and last - before >= count // 10:
                os.kill(victim, signal.SIGKILL)
                killed = True
            await asyncio.sleep(0.01)
    stored = await stream.get_msg("INVOKE", before + count)
    all_s = (stored.time or datetime.now(UTC)).timestamp() - due
    await asyncio.sleep(5)  # for what comes again
    after = (await stream.stream_info("INVOKE")).state.last_seq
    found = (await stream.stream_info("INVOKE", subjects_filter=f"invoke.{TENANT}.*")).state.subjects or {}
    ours = {subject: many for subject, many in found.items() if ".cron-" in subject}
    doubles = sum(many - 1 for many in ours.values()) + (after - before - count)
    good = len(ours) == count and doubles == 0
    return [
        _row(f"{count:,} ticks due at once, all in INVOKE", Check(f"{all_s:.2f} s", f"< {ALL_S:g}", all_s < ALL_S)),
        _row("of these", Check(f"{len(ours):,} asked for, {doubles} twice", "none lost, none twice", good and killed)),
    ]


def _function(like: Function, id: int) -> Function:
    return msgspec.structs.replace(
        like, id=id, slug=f"cron-{id}", name=f"Cron {id}", schedule_enabled=True, cron_expression=RARELY
    )


async def _insert(store: Store, like: Function, *, first: int, count: int, due: int) -> None:
    for start in range(first, first + count, PAGE):
        made = [_function(like, id) for id in range(start, min(start + PAGE, first + count))]
        documents = [{**msgspec.to_builtins(one, builtin_types=(datetime,)), "schedule_due": due} for one in made]
        await store.add_new("functions", documents)


def _row(what: str, check: Check) -> Row:
    return Row(what=what, cells={Shoal.name: check.ratio}, checks=[check])
