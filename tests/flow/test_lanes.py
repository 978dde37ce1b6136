"""Lanes on a real nats-server: found, shared, bounded everywhere together, closed and opened again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
from nats.js.api import ConsumerConfig

from services.executor.slots import Asker, Slots
from shared.bus import broker, lanes, requests, streams, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import DONE, Delivery, Verdict
from shared.bus.lanes import LaneKey, Lanes, Pool
from shared.bus.messages import Dispatch, Queued
from shared.submit import new_task_id
from tests.unit.test_execution import DISPATCH

POOL = "lanes"
Handle = Callable[[Delivery[Dispatch]], Awaitable[Verdict]]


class Bounds:
    """What the tests say of how much of a lane may run."""

    def __init__(self) -> None:
        self.most = streams.UNBOUNDED

    async def of(self, _lane: LaneKey) -> int:
        return self.most


class Executors:
    """Processes that take work, each with a connection of its own."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._url = url
        self._stack = stack
        self.bounds = Bounds()

    async def start(self, handle: Handle, *, slots: int = 4, **settings: Any) -> Lanes:
        bus = await self._stack.enter_async_context(broker.connect(self._url, name="test", timeout_s=5))
        pool = Pool(POOL, Dispatch, handle, None, slots=slots, ahead=4 * slots, lease_s=5)
        started = Lanes(bus, [pool], bound=self.bounds.of, **settings)
        await started.start()
        self._stack.push_async_callback(started.stop, grace_s=1)
        return started


@pytest.fixture
async def executors(nats: str, bus: Bus) -> AsyncIterator[Executors]:
    async with AsyncExitStack() as stack:
        yield Executors(nats, stack)
    for consumer in await bus.stream.consumers_info(streams.WORK):
        await bus.forget_consumer(streams.WORK, consumer.name)


class Running:
    """Counts what runs side by side; each call ends when it is let go, at once where `free` is set."""

    def __init__(self, *, free: bool = False) -> None:
        self.now = self.most = self.ended = 0
        self.changed = asyncio.Condition()
        self._places = asyncio.Semaphore(0)
        self._free = free

    async def handle(self, _delivery: Delivery[Dispatch]) -> Verdict:
        async with self.changed:
            self.now += 1
            self.most = max(self.most, self.now)
            self.changed.notify_all()
        if self._free:
            await asyncio.sleep(0)
        else:
            await self._places.acquire()
        async with self.changed:
            self.now -= 1
            self.ended += 1
            self.changed.notify_all()
        return DONE

    def let_go(self, count: int) -> None:
        for _ in range(count):
            self._places.release()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(true)


async def queue(bus: Bus, tenant: str, count: int, *, lane: str = subjects.ALL, size: int = 0) -> None:
    """So many dispatches in a lane, without a notice."""
    params = msgspec.Raw(b'{"x":"%s"}' % (b"x" * size))
    ids = [new_task_id() for _ in range(count)]
    for first in range(0, count, 100):
        await asyncio.gather(
            *(
                bus.store(subjects.work(POOL, tenant, lane), dispatch, id=dispatch.task_id)
                for dispatch in (
                    msgspec.structs.replace(DISPATCH, task_id=id, tenant=tenant, lane=lane, params=params)
                    for id in ids[first : first + 100]
                )
            )
        )


async def is_empty(bus: Bus) -> None:
    """Everything was acknowledged, and so was removed."""
    async with asyncio.timeout(30):
        while (await bus.stream.stream_info(streams.WORK)).state.messages:
            await asyncio.sleep(0.02)


async def test_a_tenant_with_few_calls_does_not_stand_behind_one_with_many(bus: Bus, executors: Executors) -> None:
    await queue(bus, "many", 2000)
    order: list[str] = []
    slots, done = Slots(4), asyncio.Event()

    async def handle(delivery: Delivery[Dispatch]) -> Verdict:
        asker = Asker(delivery.body.tenant, 1)
        assert await slots.take(asker, within_s=30)
        await asyncio.sleep(0)
        slots.give(asker)
        order.append(delivery.body.tenant)
        if len(order) == 2020:
            done.set()
        return DONE

    await queue(bus, "few", 20)
    await executors.start(handle)
    async with asyncio.timeout(60):
        await done.wait()
    assert Counter(order) == {"many": 2000, "few": 20}
    assert max(place for place, tenant in enumerate(order) if tenant == "few") < 400


async def test_a_bound_holds_over_all_executors_and_all_calls_end(bus: Bus, executors: Executors) -> None:
    executors.bounds.most = 3
    running = Running()
    for _ in range(2):
        await executors.start(running.handle)
    await queue(bus, "acme", 60, lane="7")
    await running.until(lambda: running.now == 3)
    for done in range(1, 61):
        running.let_go(1)
        await running.until(lambda done=done: running.ended == done)  # type: ignore[misc]
    assert running.most == 3
    await is_empty(bus)


async def test_a_bound_is_raised_and_lowered_while_calls_wait(bus: Bus, executors: Executors) -> None:
    executors.bounds.most = 1
    running = Running()
    started = [await executors.start(running.handle) for _ in range(2)]
    await queue(bus, "acme", 40, lane="7")
    await running.until(lambda: running.now == 1)
    executors.bounds.most = 4
    await asyncio.gather(*(one.changed("acme") for one in started))
    await running.until(lambda: running.now == 4)
    executors.bounds.most = 2
    await asyncio.gather(*(one.changed("acme") for one in started))
    running.let_go(10)
    await running.until(lambda: running.ended == 10 and running.now == 2)
    running.most = 0
    for done in range(11, 41):
        running.let_go(1)
        await running.until(lambda done=done: running.ended == done)  # type: ignore[misc]
    assert running.most <= 2
    await is_empty(bus)


async def test_a_notice_opens_a_lane_before_the_next_look(
    bus: Bus, executors: Executors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_LOOK_S", 3600.0)
    running = Running(free=True)
    await executors.start(running.handle)
    await queue(bus, "acme", 3)
    assert not running.ended
    await bus.send(subjects.queued(POOL), Queued(lane=subjects.work(POOL, "acme")))
    await running.until(lambda: running.ended == 3)


async def test_a_thousand_lanes_take_turns(bus: Bus, executors: Executors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_TURN_S", 0.1)
    monkeypatch.setattr(lanes, "_LOOK_S", 0.1)
    monkeypatch.setattr(requests, "_STANDS_S", 0.5)
    for first in range(0, 1000, 100):
        await asyncio.gather(*(queue(bus, f"t{number}", 2) for number in range(first, first + 100)))
    running = Running(free=True)
    started = [await executors.start(running.handle, most_open=100) for _ in range(2)]
    assert max(one.open(POOL) for one in started) <= 100
    assert started[0].depth(POOL) > 0
    async with asyncio.timeout(200):
        while running.ended < 2000:
            await asyncio.sleep(0.1)
            assert max(one.open(POOL) for one in started) <= 100
    await is_empty(bus)
    assert running.ended == 2000


async def test_a_lane_without_work_is_closed_and_opened_again(
    bus: Bus, executors: Executors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_STANDS_S", 0.5)
    monkeypatch.setattr(lanes, "_LOOK_S", 0.1)
    running = Running(free=True)
    started = await executors.start(running.handle, idle_s=0.5)
    for round_ in range(1, 4):
        await bus.store(subjects.work(POOL, "acme"), DISPATCH, id=new_task_id())
        await running.until(lambda round_=round_: running.ended == round_)  # type: ignore[misc]
        async with asyncio.timeout(20):
            while started.open(POOL):
                await asyncio.sleep(0.05)


async def test_a_lane_whose_consumer_is_gone_goes_on(bus: Bus, executors: Executors) -> None:
    running = Running(free=True)
    await executors.start(running.handle)
    await queue(bus, "acme", 3)
    await running.until(lambda: running.ended == 3)
    subject = subjects.work(POOL, "acme")
    await bus.forget_consumer(streams.WORK, streams.lane(subject, lease_s=5, in_hand=1).name)
    await bus.store(subject, DISPATCH, id=new_task_id())
    await running.until(lambda: running.ended == 4)


async def test_large_messages_of_many_lanes_come_through(bus: Bus, executors: Executors) -> None:
    """Larger than what a lane may ask for at any time: they share the bytes that all have together."""
    running = Running(free=True)
    await executors.start(running.handle)
    for number in range(8):
        await queue(bus, f"t{number}", 6, size=700_000)
    await running.until(lambda: running.ended == 48)
    await is_empty(bus)


async def test_what_an_earlier_version_has_queued_and_in_hand_is_run(bus: Bus, executors: Executors) -> None:
    old = f"work.{POOL}.acme"
    before = ConsumerConfig(durable_name=streams.pool_before_lanes(POOL), filter_subject=f"work.{POOL}.*", ack_wait=30)
    await bus.stream.add_consumer(streams.WORK, before)
    for _ in range(5):
        await bus.store(old, DISPATCH, id=new_task_id())
    subscription = await bus.stream.pull_subscribe_bind(before.durable_name or "", streams.WORK)
    assert len(await subscription.fetch(2)) == 2  # in hand of an executor that is gone
    seen: list[int] = []
    enough = asyncio.Event()

    async def handle(delivery: Delivery[Dispatch]) -> Verdict:
        seen.append(delivery.count)
        if len(seen) == 6:
            enough.set()
        return DONE

    await executors.start(handle)
    await bus.store(subjects.work(POOL, "acme"), DISPATCH, id=new_task_id())
    async with asyncio.timeout(20):
        await enough.wait()
    assert sorted(seen) == [1, 2, 2, 2, 2, 2]  # whoever had the old ones may have run them
    await is_empty(bus)
    names = {consumer.name for consumer in await bus.stream.consumers_info(streams.WORK)}
    assert streams.pool_before_lanes(POOL) not in names
