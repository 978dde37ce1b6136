"""How many dead letters there are, for the metrics: counted now and then, by every router alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from shared import telemetry
from shared.boot import Service
from shared.bus.dead_letters import count_all
from shared.domain.problem import Problem

_COUNTED_S = 15.0


@asynccontextmanager
async def counted(service: Service) -> AsyncIterator[None]:
    """Count for as long as the block runs."""
    counting = asyncio.create_task(_count(service))
    service.watch(counting)
    try:
        yield
    finally:
        counting.cancel()
        await asyncio.wait({counting})


async def _count(service: Service) -> None:
    while True:
        with suppress(Problem):  # while the bus is away, the count stays what it was
            telemetry.DEAD_KEPT.set(await count_all(service.bus))
        await asyncio.sleep(_COUNTED_S)
