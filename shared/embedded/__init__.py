"""nats-server and mongod as child processes, for `shoal up` and for the tests.

Standard library only: the supervisor imports this and has to stay small in memory.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from shared.embedded.mongo import Mongo
from shared.embedded.nats import Nats
from shared.embedded.process import PACKAGES, EmbeddedError, end, hold, spawn
from shared.embedded.secret import secret
from shared.embedded.server import FORMER_S, LOOPBACK, STOP_S, free_port

__all__ = [
    "FORMER_S",
    "LOOPBACK",
    "PACKAGES",
    "EmbeddedError",
    "Mongo",
    "Nats",
    "Servers",
    "end",
    "free_port",
    "hold",
    "secret",
    "servers",
    "spawn",
]


class Servers:
    """Both servers under one data folder. The addresses are known before the start."""

    def __init__(self, nats: Nats, mongo: Mongo) -> None:
        self.nats, self.mongo = nats, mongo

    @property
    def nats_url(self) -> str:
        """The bus."""
        return self.nats.url

    @property
    def mongodb_url(self) -> str:
        """The store."""
        return self.mongo.url

    @property
    def pids(self) -> dict[str, int | None]:
        """Both processes, by the servers' names."""
        return {server.name: server.pid for server in (self.nats, self.mongo)}

    async def start(self) -> None:
        """Both side by side; when one fails, neither is left running."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.nats.start())
                group.create_task(self.mongo.start())
        except* EmbeddedError as failed:
            await self.stop()
            raise failed.exceptions[0] from None

    async def stop(self, *, within_s: float = STOP_S) -> None:
        """The store first, then the bus: each is given the whole time."""
        await self.mongo.stop(within_s=within_s)
        await self.nats.stop(within_s=within_s)


@contextlib.asynccontextmanager
async def servers(data_dir: Path, *, sync_interval: str = "2m", cache_gb: float = 0.25) -> AsyncIterator[Servers]:
    """Both servers, started and in the end stopped; what they keep stays in `data_dir`."""
    both = Servers(Nats(data_dir / "nats", sync_interval=sync_interval), Mongo(data_dir / "mongodb", cache_gb=cache_gb))
    await both.start()
    try:
        yield both
    finally:
        await both.stop()
