"""The record is written anew from the streams, while all goes on."""

import asyncio

import pytest

from shared.audit.passes import nobody
from shared.audit.rebuilding import rebuild
from shared.store import deletions, metrics
from shared.store.invocations import Filter, Invocations
from tests.audit.platform import RETRIES, WITHIN_S, Audited
from tests.executor_host.platform import TENANT


async def everything(shoal: Audited) -> dict[str, object]:
    found = await Invocations(shoal.store, TENANT).listed(Filter(), limit=10_000, skip=0)
    return {one.task_id: one for one in found}


@pytest.fixture
async def mixed(shoal: Audited) -> list[str]:
    """Calls that succeeded, failed, wait for another try, run, and wait in the queue."""
    done, fails = await shoal.function("Done", shoal.done), await shoal.function("Fails", shoal.fails)
    again, held = await shoal.function("Again", shoal.fails, config=RETRIES), await shoal.function("Held", shoal.held)
    tasks = [*await shoal.many(done, 300), *await shoal.many(fails, 50), *await shoal.many(again, 20)]
    for task_id in tasks[300:350]:
        await shoal.until(task_id, "FAILURE")
    for task_id in tasks[350:]:
        await shoal.until(task_id, "RETRY")
    tasks += await shoal.many(held, 10)
    await shoal.until(tasks[370], "STARTED")
    await shoal.quiet()
    return tasks


async def test_a_record_that_is_gone_comes_back(shoal: Audited, mixed: list[str]) -> None:
    before, counted = await everything(shoal), await metrics.totals(shoal.store, limit=100)
    assert len(before) == len(mixed)
    await shoal.store.global_delete("invocations", {})
    report = await shoal.audit()
    assert report.found["missing"] == len(mixed)
    assert await rebuild(shoal.bus, shoal.store, wait_s=WITHIN_S, told=nobody)
    assert await everything(shoal) == before
    await shoal.quiet()
    assert await metrics.totals(shoal.store, limit=100) == counted
    report = await shoal.audit()
    assert report.is_clean, report.findings


async def test_calls_go_on_while_the_record_is_written_anew(shoal: Audited, mixed: list[str]) -> None:
    done = await shoal.function("More", shoal.done)
    shoal.gate.set()
    submitted: list[str] = []
    stop = asyncio.Event()

    async def traffic() -> None:
        while not stop.is_set():
            submitted.append(await shoal.submit(done))

    going = asyncio.create_task(traffic())
    await shoal.store.global_delete("invocations", {})
    assert await rebuild(shoal.bus, shoal.store, wait_s=WITHIN_S, told=nobody)
    report = await shoal.audit()
    assert report.is_clean, report.findings
    stop.set()
    await going
    await shoal.until(submitted[-1], "SUCCESS")
    await shoal.quiet()
    assert {*mixed, *submitted} == (await everything(shoal)).keys()
    (more,) = [one for one in await metrics.totals(shoal.store, limit=100) if one.function_id == done.id]
    assert more.total == len(submitted)
    assert (await shoal.audit()).is_clean


async def test_a_function_that_was_deleted_does_not_come_back(shoal: Audited) -> None:
    done, kept = await shoal.function("Done", shoal.done), await shoal.function("Kept", shoal.done)
    gone, there = await shoal.many(done, 5), await shoal.many(kept, 5)
    for task_id in (*gone, *there):
        await shoal.until(task_id, "SUCCESS")
    await shoal.quiet()
    await shoal.stop("recorder")
    await deletions.note(shoal.store, deletions.Gone(TENANT, done.id), kept_s=3600)
    await shoal.store.global_delete("invocations", {})
    assert not await rebuild(shoal.bus, shoal.store, wait_s=0.5, told=nobody)  # nobody is there to do it
    await shoal.start("recorder")
    for task_id in there:
        await shoal.until(task_id, "SUCCESS")
    await shoal.quiet()
    assert (await everything(shoal)).keys() == set(there)
    report = await shoal.audit()
    assert report.is_clean, report.findings
