"""What is put off on the bus: it comes when it is due, once, whatever is repeated; the bus holds it meanwhile."""

import asyncio
import time

import msgspec

from services.executor.execution import Execution
from services.executor.handlers import BusLinks
from services.executor.mode import Again
from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import DONE, Delivery, Verdict
from shared.bus.lanes import LaneKey, Lanes, Pool
from shared.bus.messages import Dispatch
from shared.domain.outcome import failure
from shared.domain.retry import Retries
from tests.unit.test_execution import AT_ONCE, DISPATCH, Links, Mode

POOL = "later"


class Held(Links):
    """A test's links, but for what is put off: that is the bus's part."""

    def __init__(self, bus: Bus) -> None:
        super().__init__()
        self._real = BusLinks.__new__(BusLinks)
        self._real._bus, self._real._pool = bus, POOL

    async def postpone(self, dispatch: Dispatch, *, due_at: float, id: str) -> None:
        await self._real.postpone(dispatch, due_at=due_at, id=id)


async def collect(bus: Bus, arrived: list[Dispatch]) -> Lanes:
    async def take(delivery: Delivery[Dispatch]) -> Verdict:
        arrived.append(delivery.body)
        return DONE

    lanes = Lanes(bus, [Pool(POOL, Dispatch, take, None, slots=8, ahead=8, lease_s=5)], bound=unbounded)
    await lanes.start()
    return lanes


async def unbounded(_lane: LaneKey) -> int:
    return streams.UNBOUNDED


async def until(arrived: list[Dispatch], count: int) -> None:
    async with asyncio.timeout(20):
        while len(arrived) < count:
            await asyncio.sleep(0.01)


async def test_a_delivery_that_is_handled_twice_has_one_next_attempt(bus: Bus) -> None:
    links, mode = Held(bus), Mode()
    mode.result = Again(failure("HTTPError", "503"), asked_s=0.3)
    execution = Execution(links, mode, executor="e-1", notice_s=10, slot_wait_s=1, repeats=AT_ONCE)
    arrived: list[Dispatch] = []
    consumer = await collect(bus, arrived)
    body = msgspec.structs.replace(DISPATCH, retries=Retries(error=5))
    began = time.time()
    assert await execution.handle(Delivery(body, 1, 1)) == DONE
    assert await execution.handle(Delivery(body, 1, 2)) == DONE  # its acknowledgement was lost
    await until(arrived, 1)
    assert time.time() - began >= 0.3
    assert await execution.handle(Delivery(body, 1, 3)) == DONE  # and came again after the next one had begun
    await execution.handle(Delivery(arrived[0], 2, 1))
    await until(arrived, 2)
    assert [(one.task_id, one.attempt) for one in arrived] == [("t-1", 2), ("t-1", 3)]
    async with asyncio.timeout(20):  # nothing is left that could become another one
        while (await bus.stream.stream_info("WORK")).state.messages:
            await asyncio.sleep(0.01)
    await consumer.stop(grace_s=1)


async def test_what_is_put_aside_waits_on_the_bus_and_comes_again(bus: Bus) -> None:
    """It is held by the stream, not by the consumer: more than one may hold are no burden."""
    links = Held(bus)
    arrived: list[Dispatch] = []
    due_at = time.time() + 5  # long after they are all stored, on a busy machine too
    for number in range(200):
        body = msgspec.structs.replace(DISPATCH, task_id=f"t-{number}", put_aside_at=1.0)
        await links.postpone(body, due_at=due_at, id=f"t-{number}.1.{number}")
    assert (await bus.stream.stream_info("WORK")).state.messages == 200
    consumer = await collect(bus, arrived)
    other = msgspec.structs.replace(DISPATCH, task_id="other")
    await bus.store(subjects.work(POOL, "acme"), other, id="other")
    await until(arrived, 201)
    assert arrived[0].task_id == "other"
    assert len({one.task_id for one in arrived}) == 201
    await consumer.stop(grace_s=1)
