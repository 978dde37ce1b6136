"""Orphans are counted by the recorder: those that have not ended, though nobody has them."""

from collections.abc import AsyncIterator

import pytest

from services.recorder.orphans import Orphans
from shared import telemetry
from shared.bus import scan, streams
from shared.bus.backlog import queued
from shared.domain.function import Function
from tests.audit.mended import mended
from tests.audit.platform import Audited


@pytest.fixture
async def held(shoal: Audited) -> Function:
    return await shoal.function("Held", shoal.held)


@pytest.fixture
async def orphans(shoal: Audited) -> AsyncIterator[Orphans]:
    past = await shoal.bus.last_sequence(streams.EVENTS)
    yield Orphans(shoal.bus, shoal.store, after_s=0.0, past=lambda: max(past, 1 << 40))
    telemetry.ORPHANS.set(0)


def counted() -> float:
    return telemetry.ORPHANS._value.get()


async def looked(orphans: Orphans) -> float:
    """A look to find them, and one to be sure."""
    await orphans.look()
    await orphans.look()
    return counted()


async def test_what_runs_or_waits_is_no_orphan(shoal: Audited, held: Function, orphans: Orphans) -> None:
    await shoal.many(held, 5)
    again = await shoal.function("Again", shoal.fails, config={"max_retries": 1, "retry_first_s": 86_400})
    await shoal.until(await shoal.submit(again), "PENDING", "STARTED")
    await shoal.quiet()
    assert await looked(orphans) == 0


async def test_what_nobody_has_is_one_until_it_is_mended(
    shoal: Audited, held: Function, orphans: Orphans, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = await shoal.many(held, 5)
    await shoal.until(tasks[-1], "PENDING")
    await shoal.quiet()
    await shoal.stop("executor")
    work = [one async for found in queued(shoal.bus) for one in found if one.task_id in tasks[3:]]
    for one in work:
        await scan.remove(shoal.bus, streams.WORK, one.sequence)
    assert await looked(orphans) == 2
    said = capsys.readouterr().out
    assert tasks[3] in said
    assert tasks[4] in said
    await mended(shoal, await shoal.audit())
    assert await looked(orphans) == 0


async def test_an_idle_platform_is_asked_one_question(
    shoal: Audited, orphans: Orphans, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("shared.bus.backlog.queued", read)
    monkeypatch.setattr("shared.bus.backlog.routing", read)
    assert await looked(orphans) == 0
