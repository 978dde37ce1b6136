"""What is recorded again goes when it would have gone: mending keeps nothing for longer than the recorder does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from shared import embedded
from shared.bus import streams
from shared.domain.function import Function
from shared.store import retention, tenants
from shared.store.retention import Kept
from tests.audit.mended import mended
from tests.audit.platform import WITHIN_S, Audited
from tests.executor_host.platform import TENANT

DAYS = 30.0


@pytest.fixture
async def shoal(audit_servers: embedded.Servers) -> AsyncIterator[Audited]:
    """One that keeps records for 30 days."""
    async with AsyncExitStack() as stack:
        shoal = Audited(audit_servers, retention_days=DAYS)
        await shoal.open(stack)
        async with asyncio.timeout(WITHIN_S):
            while await retention.noted(shoal.store) is None:
                await asyncio.sleep(0.02)
        yield shoal
        shoal.gate.set()


@pytest.fixture
async def done(shoal: Audited) -> Function:
    return await shoal.function("Done", shoal.done)


async def ended(shoal: Audited, function: Function) -> dict[str, Any]:
    """The record of a call that has ended."""
    task_id = await shoal.submit(function)
    await shoal.until(task_id, "SUCCESS")
    await shoal.quiet()
    return await document(shoal, task_id)


async def document(shoal: Audited, task_id: str) -> dict[str, Any]:
    found = await shoal.store.table("invocations", TENANT).one({"_id": task_id})
    assert found is not None
    return found


async def recorded_again(shoal: Audited, before: dict[str, Any]) -> dict[str, Any]:
    await shoal.store.global_delete("invocations", {"_id": before["_id"]})
    assert (await mended(shoal, await shoal.audit())).done == {"recorded again": 1}
    return await document(shoal, before["_id"])


async def test_the_recorder_notes_for_how_long_it_keeps_records(shoal: Audited) -> None:
    days = max(shoal.platform.invoke_days, shoal.platform.event_days)
    assert await retention.noted(shoal.store) == Kept(DAYS, days)


async def test_what_is_recorded_again_goes_when_it_would_have_gone(shoal: Audited, done: Function) -> None:
    before = await ended(shoal, done)
    assert before["forget_at"] - before["done_at"] == timedelta(days=DAYS)
    assert await recorded_again(shoal, before) == before


async def test_an_end_that_is_put_on_record_says_when_it_goes(shoal: Audited, done: Function) -> None:
    before = await ended(shoal, done)
    gone = {"event": 1, "done_at": 1, "forget_at": 1}
    change = {"$set": {"status": "STARTED"}, "$unset": gone}
    await shoal.store.global_change("invocations", {"_id": before["_id"]}, change)
    assert (await mended(shoal, await shoal.audit())).done == {"recorded again": 1}
    assert await document(shoal, before["_id"]) == before


async def test_what_is_closed_goes_too(shoal: Audited) -> None:
    held = await shoal.function("Held", shoal.held)
    task_id = await shoal.submit(held)
    await shoal.until(task_id, "STARTED")
    await shoal.quiet()
    await shoal.stop("recorder")  # it would record the end, too
    await shoal.bus.stream.purge_stream(streams.INVOKE)
    await shoal.bus.stream.purge_stream(streams.WORK)
    assert (await mended(shoal, await shoal.audit())).done == {"closed": 1}
    closed = await document(shoal, task_id)
    assert closed["status"] == "FAILURE"
    assert closed["forget_at"] - closed["done_at"] == timedelta(days=DAYS)


async def test_a_tenants_own_value_holds(shoal: Audited, done: Function) -> None:
    before = await ended(shoal, done)
    await tenants.add(shoal.store, TENANT)
    await tenants.change(shoal.store, TENANT, limits={"retention_days": 90})
    found = await recorded_again(shoal, before)
    assert found["forget_at"] - found["done_at"] == timedelta(days=90)


@pytest.mark.parametrize("kept", [None, Kept(0.0, 7.0)])
async def test_where_nothing_goes_or_nobody_knows_it_is_for_good(
    shoal: Audited, done: Function, kept: Kept | None
) -> None:
    before = await ended(shoal, done)
    await shoal.stop("recorder")  # it would note its own again
    if kept is None:
        await shoal.store.global_delete("retention", {})
    else:
        await retention.note(shoal.store, kept)
    assert "forget_at" not in await recorded_again(shoal, before)
