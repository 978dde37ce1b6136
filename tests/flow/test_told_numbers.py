"""What a worker that was taken over says of its lines' numbers is not counted as it is said."""

import asyncio

import msgspec
from prometheus_client import REGISTRY

from services.executor.config import Executor
from services.executor.live import Passing
from shared.bus import lines as wire
from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.channels import Ear
from shared.bus.lines import Batch, Said
from shared.domain.line import Line, Missed

KEY = ("acme", 7)
HUGE = 1 << 52


def dropped() -> float:
    return REGISTRY.get_sample_value("shoal_logs_dropped_total", {"where": "executor"}) or 0.0


async def followed(bus: Bus) -> Passing:
    """An executor's, of which one function is followed."""
    passing = Passing(bus, "x", Executor(told_every_s=0.001))
    await passing.open()
    announcing = wire.Announcing(bus, lambda: [KEY])
    async with asyncio.timeout(10):
        while not passing.wanted(KEY):
            await announcing.announce(*KEY)
            await asyncio.sleep(0.01)
    return passing


async def test_a_gap_is_told_as_it_is_named_and_counted_within_bounds(bus: Bus) -> None:
    heard: asyncio.Queue[Said] = asyncio.Queue()

    def received(data: bytes) -> None:
        for said in msgspec.json.decode(data, type=Batch).said:
            heard.put_nowait(said)

    await Ear(bus).hear(subjects.lines(*KEY), received)
    passing, before = await followed(bus), dropped()
    live = passing.live(*KEY, task_id="t", attempt=1, started=1.0, pool="python")
    live.say([Line(1, "log", 0, "a"), Line(12, "log", 0, "b")])
    said = await asyncio.wait_for(heard.get(), 10)
    assert ([line.n for line in said.lines], said.missed) == ([1, 12], [Missed(2, 11, "rate")])
    assert dropped() - before == 10
    for number in range(1, 50):
        live.say([Line(number * HUGE // 50, "log", 0, "far")])
    live.end(HUGE, whole=True)
    said = await asyncio.wait_for(heard.get(), 10)
    assert (len(said.lines), said.total) == (49, HUGE)
    assert dropped() - before == 1_000_000
    passing.close()
