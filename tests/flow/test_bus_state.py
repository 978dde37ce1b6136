"""A look at a real nats-server: what waits, how long the first has, and what is in hand."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.js.api import ConsumerConfig
from nats.js.client import JetStreamContext

from services.recorder.standing import Standing
from shared import embedded
from shared.bus import broker, streams, subjects
from shared.bus.broker import Bus
from shared.bus.state import NAMES, look
from shared.domain.function import POOLS
from shared.domain.problem import Problem
from tests.flow.commands import BOUNDS


@pytest.fixture(autouse=True)
async def _no_lanes(bus: Bus) -> AsyncIterator[None]:
    yield
    for consumer in await bus.stream.consumers_info(streams.WORK):
        await bus.forget_consumer(streams.WORK, consumer.name)


async def queue(bus: Bus, pool: str, tenant: str, count: int = 1) -> None:
    for _ in range(count):
        await bus.stream.publish(subjects.work(pool, tenant), b"{}")


async def lane(bus: Bus, pool: str, tenant: str) -> JetStreamContext.PullSubscription:
    subject = subjects.work(pool, tenant)
    config = ConsumerConfig(filter_subject=subject, ack_wait=60)
    return await bus.stream.pull_subscribe(
        subject, durable=subject.replace(".", "_"), stream=streams.WORK, config=config
    )


async def test_nothing_is_told_as_nothing(bus: Bus) -> None:
    found = await look(bus)
    assert {pool: (of.pending, of.unacknowledged) for pool, of in found.pools.items()} == dict.fromkeys(POOLS, (0, 0))
    assert found.oldest_s == dict.fromkeys(POOLS, 0.0)
    assert found.later == 0
    assert found.held.keys() == NAMES - {streams.RATES}  # which whoever counts lays
    assert found.readers.keys() == {(streams.INVOKE, streams.ROUTER), (streams.SCHEDULES, streams.SCHEDULER)}


async def test_lanes_are_added_up_by_pool(bus: Bus) -> None:
    for tenant, count in (("a", 3), ("b", 2), ("unopened", 4)):
        await queue(bus, "python", tenant, count)
    await queue(bus, "proxy", "a")
    await bus.stream.publish("later.python.a.task.2", b"{}")
    taken = await lane(bus, "python", "a")
    await lane(bus, "python", "b")
    await taken.fetch(2)
    found = await look(bus)
    assert (found.pools["python"].pending, found.pools["python"].unacknowledged) == (7, 2)
    assert (found.pools["proxy"].pending, found.pools["proxy"].unacknowledged) == (1, 0)
    assert found.later == 1
    assert found.held[streams.WORK].messages == 11


async def test_how_long_the_first_has_waited_is_not_that_of_what_is_in_hand(bus: Bus) -> None:
    await queue(bus, "python", "a")
    taken = await lane(bus, "python", "a")
    (first,) = await taken.fetch(1)
    assert (await look(bus)).oldest_s["python"] == 0
    began = asyncio.get_running_loop().time()
    await queue(bus, "python", "a")
    await queue(bus, "python", "b")
    before = (await look(bus)).oldest_s["python"]
    found = (await look(bus)).oldest_s["python"]
    assert 0 <= before <= found <= asyncio.get_running_loop().time() - began + 0.5
    await first.ack_sync()


async def test_very_many_lanes(bus: Bus) -> None:
    """More than the server tells of in one answer."""
    lanes = 600
    await asyncio.gather(*(queue(bus, "python", f"t-{number}", 2) for number in range(lanes)))
    for number in range(300):
        await lane(bus, "python", f"t-{number}")
    found = await look(bus)
    assert (found.pools["python"].pending, found.later) == (2 * lanes, 0)
    assert found.oldest_s["python"] > 0


async def test_while_the_bus_is_away_nothing_is_told(tmp_path) -> None:
    server = embedded.Nats(tmp_path)
    await server.start()
    async with broker.connect(server.url, name="test", timeout_s=0.5) as bus:
        for stream in streams.streams(BOUNDS, first_invocation=1):
            await bus.ensure_stream(stream)
        standing = Standing(bus, lambda: {streams.EVENTS: 1})
        await standing.look()
        assert list(standing.collect())
        await server.stop()
        with pytest.raises(Problem):
            await look(bus)
        await standing.look()
        assert not list(standing.collect())


async def test_one_who_stands_by_tells_nothing(bus: Bus) -> None:
    positions = {streams.EVENTS: 1}
    standing = Standing(bus, lambda: positions)
    await standing.look()
    assert list(standing.collect())
    positions.clear()
    assert not list(standing.collect())
