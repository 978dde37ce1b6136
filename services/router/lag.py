"""How much work executors have before them: the numbers by which they are scaled, told on the router's health page.

They are told here because there is always a router, and not always an executor.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from shared.boot import Service
from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.lanes import LaneKey
from shared.bus.subjects_in import subjects_in
from shared.domain.function import POOLS
from shared.domain.problem import Problem

_LOOKED_S = 2.0


class Lag:
    """Dispatched calls, queued and in hand, of all tenants: the lag of all consumers of lanes together.

    What waits for a moment to come is not counted: no executor could take it. A pool that has nothing to do is told of.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._pools = dict.fromkeys(POOLS, 0)

    def facts(self) -> dict[str, Any]:
        """`lag` of all pools, and of each in `pools`, at the last look."""
        return {"lag": sum(self._pools.values()), "pools": dict(self._pools)}

    async def look(self) -> None:
        """Count anew. Raises Problem(unavailable); then the numbers stay what they were."""
        counted = dict.fromkeys(POOLS, 0)
        for subject, count in (await subjects_in(self._bus, streams.WORK, subjects.WORK)).items():
            pool = LaneKey.of(subject).pool
            counted[pool] = counted.get(pool, 0) + count
        self._pools = counted

    async def keep_looking(self) -> None:
        """Look every two seconds."""
        while True:
            with suppress(Problem):
                await self.look()
            await asyncio.sleep(_LOOKED_S)


@asynccontextmanager
async def told(service: Service) -> AsyncIterator[None]:
    """Tell of it for as long as the block runs, as the fact `work`."""
    lag = Lag(service.bus)
    service.facts["work"] = lag.facts
    looking = asyncio.create_task(lag.keep_looking())
    service.watch(looking)
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait({looking})
