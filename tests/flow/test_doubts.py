"""A caller who waits while his call is cancelled: told nothing that the end on disk does not say."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from shared.bus import broker, subjects
from shared.bus.broker import Bus
from shared.bus.messages import Answer
from shared.bus.notices import Cancelling
from shared.domain.outcome import NULL, Outcome, cancelled, failure
from shared.domain.request import Response
from shared.store.client import Store
from shared.waiting import Wait, Waiting

TASK = "0190a000-0000-7000-8000-000000000001"
WHOLE = Outcome(status="SUCCESS", response=Response(status=201, headers=[("x-one", "1")]))
BARE = Outcome(status="SUCCESS", result=msgspec.Raw(b"1"))
CANCELLED = cancelled("ann")


@pytest.fixture
async def waiting(nats: str) -> AsyncIterator[Waiting]:
    """As an API instance has it, on a connection of its own; no store answers."""
    store = Store("mongodb://127.0.0.1:1", database="none", timeout_s=0.2)
    async with broker.connect(nats, name="waiting", timeout_s=5) as bus:
        waiting = Waiting(bus, store, instance="api-1", most=10)
        await waiting.open()
        await bus.client.flush()
        yield waiting
        waiting.give_up()
    store.close()


@pytest.fixture
async def wait(waiting: Waiting) -> Wait:
    return waiting.enter(TASK, tenant="acme", within_s=20)


async def doubted(bus: Bus, *, tenant: str = "acme") -> None:
    word = Cancelling(task_id=TASK, tenant=tenant, by="ann", at=1.0)
    await bus.store(subjects.cancel(tenant, TASK), word, id=f"{tenant}.cancel")


async def told(bus: Bus, outcome: Outcome, *, settled: bool = False) -> None:
    await bus.send(subjects.reply("api-1", TASK), Answer(task_id=TASK, outcome=outcome, settled=settled))


async def test_without_doubt_the_first_answer_is_the_answer(bus: Bus, wait: Wait) -> None:
    await told(bus, BARE)
    await told(bus, CANCELLED, settled=True)
    assert (await wait.outcome() or CANCELLED).status == "SUCCESS"


async def test_an_answer_in_doubt_is_not_believed_before_the_end_is_known(bus: Bus, wait: Wait) -> None:
    await doubted(bus)
    await told(bus, BARE)
    outcome = asyncio.create_task(wait.outcome())
    await bus.client.flush()
    await asyncio.wait({outcome}, timeout=0.3)
    assert not outcome.done()
    await told(bus, CANCELLED, settled=True)
    assert await outcome == CANCELLED


async def test_of_the_same_end_the_whole_answer_is_given(bus: Bus, wait: Wait) -> None:
    await doubted(bus)
    await told(bus, WHOLE)
    await told(bus, BARE, settled=True)
    assert await wait.outcome() == WHOLE


async def test_the_whole_answer_may_come_after_the_end_is_known(bus: Bus, wait: Wait) -> None:
    await doubted(bus)
    await told(bus, BARE, settled=True)
    await told(bus, WHOLE)
    assert await wait.outcome() == WHOLE


async def test_the_record_ends_it_where_whoever_cancelled_is_gone(bus: Bus, wait: Wait, waiting: Waiting) -> None:
    await doubted(bus)
    await told(bus, BARE)
    await told_of(wait)
    wait.settled(failure("TimeoutError", "late"))
    assert (await wait.outcome() or BARE).error_type == "TimeoutError"
    assert len(waiting) == 0


async def told_of(wait: Wait) -> None:
    """Until the answer is here."""
    async with asyncio.timeout(5):
        while wait._kept is None:
            await asyncio.sleep(0.01)


async def test_another_tenant_s_word_is_no_doubt(bus: Bus, wait: Wait) -> None:
    await doubted(bus, tenant="elsewhere")
    await told(bus, BARE)
    assert (await wait.outcome() or CANCELLED).status == "SUCCESS"


async def test_an_end_comes_before_the_answer_that_is_sent_beside_it(bus: Bus, nats: str) -> None:
    """Else another end could come in between, and be the one that counts."""
    seen: list[str] = []
    async with broker.connect(nats, name="witness", timeout_s=5) as witness:
        await witness.hear(">", lambda _, subject: seen.append(subject))
        await witness.client.flush()

        async def answer() -> None:
            await told(bus, BARE)

        for number in range(100):
            end = Answer(task_id=TASK, outcome=Outcome(status="SUCCESS", result=NULL))
            await bus.store("events.acme.f.finished", end, id=f"order.{number}", sent=answer)
        await witness.client.flush()
    ours = [subject for subject in seen if subject.startswith(("events.", "reply."))]
    assert ours == ["events.acme.f.finished", subjects.reply("api-1", TASK)] * 100
