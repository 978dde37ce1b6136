"""What one command that the router cannot decide does to the caps on queues: nothing."""

import asyncio
import time
from contextlib import suppress

import msgspec
import pytest

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.queue_caps import QueueCaps
from tests.flow.commands import command
from tests.unit.test_execution import FUNCTION

MOST, ROUNDS = 20, 8
CAPPED: Function = msgspec.structs.replace(FUNCTION, config={"max_queued": MOST})


async def accepted(bus: Bus, caps: QueueCaps, *, first: int, count: int) -> None:
    for number in range(first, first + count):
        stored = await bus.store(subjects.invoke("acme", "f"), command(f"t-{number}"), id=f"t-{number}")
        caps.accepted(CAPPED, stored.sequence)


async def looked(caps: QueueCaps) -> None:
    """A look is begun by a call that comes in, and over a moment later."""
    before, until = caps.looked_at, time.monotonic() + 10
    while caps.looked_at == before:
        assert time.monotonic() < until
        with suppress(Problem):
            caps.check(CAPPED)
        await asyncio.sleep(0.01)


async def test_what_is_behind_it_is_routed_all_the_same(bus: Bus) -> None:
    router = streams.router(lease_s=60, in_hand=256)
    await bus.ensure_consumer(router)
    pull = await bus.stream.pull_subscribe_bind(consumer=router.name, stream=router.stream)
    caps = QueueCaps(bus, per_tenant=1000)
    await accepted(bus, caps, first=0, count=2)
    before, _stuck = await pull.fetch(2, timeout=5)
    await before.ack_sync()
    for number in range(1, ROUNDS):
        await accepted(bus, caps, first=10 * number, count=10)
        for message in await pull.fetch(10, timeout=5):
            await message.ack_sync()
        await looked(caps)
    await looked(caps)
    caps.check(CAPPED)  # raises where what is routed counts as queued
    await accepted(bus, caps, first=1000, count=MOST)
    with pytest.raises(Problem, match="queued already"):
        caps.check(CAPPED)
