"""Following what is cancelled: all that was there, all that comes, and nothing missed over an outage."""

import asyncio
import uuid

import pytest

from shared import embedded
from shared.bus import broker, held_back, streams, subjects
from shared.bus.broker import Bus
from shared.bus.cancels import SOMEBODY, Cancels
from shared.bus.notices import Cancelling
from tests.flow.commands import BOUNDS


def task() -> str:
    return str(uuid.uuid4())


async def cancel(bus: Bus, task_id: str, *, by: str = "ann") -> None:
    word = Cancelling(task_id=task_id, tenant="acme", by=by, at=1.0)
    await bus.store(subjects.cancel("acme", task_id), word, id=f"{task_id}.{by}")


async def has(cancels: Cancels, task_id: str) -> None:
    async with asyncio.timeout(20):
        while task_id not in cancels:
            await asyncio.sleep(0.01)


async def test_everything_that_was_there_is_known_when_it_has_started(bus: Bus) -> None:
    before = [task() for _ in range(5000)]
    await asyncio.gather(*(cancel(bus, one) for one in before))
    cancels = Cancels(bus)
    await cancels.start()
    assert all(one in cancels for one in before)
    assert task() not in cancels
    assert len(cancels) == 5000
    await cancels.stop()


async def test_nothing_there_is_known_at_once(bus: Bus) -> None:
    await cancel(bus, task())
    await bus.stream.purge_stream(streams.CANCELS)  # its last sequence stands all the same
    cancels = Cancels(bus)
    async with asyncio.timeout(2):
        await cancels.start()
    assert len(cancels) == 0
    await cancels.stop()


async def test_it_is_heard_as_it_comes_and_again(bus: Bus) -> None:
    heard: list[tuple[str, str]] = []
    cancels, one = Cancels(bus), task()
    cancels.on_cancel(lambda tenant, task_id: heard.append((tenant, task_id)))
    await cancels.start()
    await cancel(bus, one)
    await has(cancels, one)
    assert await cancels.by("acme", one) == "ann"
    assert await cancels.by("acme", task()) == SOMEBODY
    await cancel(bus, one, by="bob")
    last = task()
    await cancel(bus, last)
    await has(cancels, last)
    assert heard == [("acme", one), ("acme", one), ("acme", last)]
    assert len(cancels) == 2
    await cancels.stop()


async def test_the_newest_are_kept(bus: Bus) -> None:
    cancels, tasks = Cancels(bus, most=3), [task() for _ in range(5)]
    await cancels.start()
    for one in tasks:
        await cancel(bus, one)
    await has(cancels, tasks[-1])
    assert [one in cancels for one in tasks] == [False, False, True, True, True]
    await cancels.stop()


@pytest.mark.parametrize("anew", [False, True], ids=["as it was", "made anew"])
async def test_an_outage_loses_nothing(tmp_path_factory: pytest.TempPathFactory, anew: bool) -> None:
    """What is cancelled while the connection is gone; also in a stream that was made anew."""
    server = embedded.Nats(tmp_path_factory.mktemp("cancels"))
    await server.start()
    async with (
        broker.connect(server.url, name="follower", timeout_s=5) as follower,
        broker.connect(server.url, name="other", timeout_s=5) as other,
    ):
        stream = next(one for one in streams.streams(BOUNDS, first_invocation=1) if one.name == streams.CANCELS)
        await other.ensure_stream(stream)
        before = [task() for _ in range(20)]
        for one in before:
            await cancel(other, one)
        cancels = Cancels(follower)
        await cancels.start()
        await server.stop()
        await server.start()
        async with asyncio.timeout(20):
            while not other.connected:
                await asyncio.sleep(0.01)
        if anew:
            await other.stream.delete_stream(streams.CANCELS)
            await other.ensure_stream(stream)
        meanwhile = task()
        await cancel(other, meanwhile)
        await has(cancels, meanwhile)
        assert all(one in cancels for one in before)
        await cancels.stop()
    await server.stop()


async def test_what_is_held_back_of_one_task_is_withdrawn(bus: Bus) -> None:
    mine, other = task(), task()
    word = Cancelling(task_id=mine, tenant="acme", by="", at=0.0)
    for one, attempt in ((mine, 1), (mine, 2), (other, 1)):
        subject = subjects.later("python", "acme", one, attempt)
        await bus.store_later(subject, word, id=f"{one}.{attempt}", target=subjects.work("python", "acme"), at=4e9)
    assert await held_back.withdraw(bus, "elsewhere", mine) == 0
    assert await held_back.withdraw(bus, "acme", mine) == 2
    assert await held_back.withdraw(bus, "acme", mine) == 0
    assert await held_back.withdraw(bus, "acme", other) == 1
