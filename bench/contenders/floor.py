"""The bare floor: its own servers, streams and four processes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import nats
from motor.motor_asyncio import AsyncIOMotorClient

from bench import tax
from bench.contenders.contender import HttpTarget
from bench.floor.__main__ import ROLES
from bench.floor.wire import COLLECTION, CONSUMERS, DATABASE, STREAMS
from bench.options import Options
from bench.processes import child, python
from bench.procfs import Processes
from bench.sample import Sample
from shared.embedded import servers

SETTLE_S = 120.0


class Floor:
    """A running floor."""

    name = "floor"

    def __init__(self, target: HttpTarget, processes: Processes, mongodb_url: str) -> None:
        self.target = target
        self._processes = processes
        self._mongodb_url = mongodb_url

    def processes(self) -> Processes:
        """Four roles and two servers."""
        return self._processes

    async def load(self, *, in_flight: int, seconds: float, warm_s: float) -> Sample:
        """Over HTTP, like Shoal."""
        return await self.target.load(in_flight=in_flight, seconds=seconds, warm_s=warm_s)

    async def recorded(self) -> int:
        """Documents in the store."""
        client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(self._mongodb_url)
        try:
            return int(await client[DATABASE][COLLECTION].count_documents({}))
        finally:
            client.close()

    async def settle(self, count: int) -> None:
        """Wait until `count` invocations are recorded."""
        end = time.monotonic() + SETTLE_S
        while (found := await self.recorded()) < count:
            if time.monotonic() > end:
                raise RuntimeError(f"the floor recorded {found} of {count} invocations")
            await asyncio.sleep(0.1)


@asynccontextmanager
async def running(options: Options, folder: Path) -> AsyncIterator[Floor]:
    """A floor for the length of the block."""
    async with AsyncExitStack() as stack:
        both = await stack.enter_async_context(servers(folder))
        await _lay_streams(both.nats_url)
        processes: Processes = {name: [pid] for name, pid in both.pids.items() if pid}
        url = ""
        for role in reversed(ROLES):  # the door opens last
            arguments = ("--nats", both.nats_url, "--mongodb", both.mongodb_url, "--http", options.floor_http)
            command = python("bench.floor", role, *arguments)
            one = await stack.enter_async_context(
                child(f"floor {role}", command, log=folder / f"{role}.log", ready=True)
            )
            processes[role] = [one.pid]
            url = one.ready.get("url", "")
        yield Floor(HttpTarget(url=f"{url}/api/functions/{tax.SLUG}/execute/"), processes, both.mongodb_url)


async def _lay_streams(nats_url: str) -> None:
    connection = await nats.connect(nats_url)
    try:
        jetstream = connection.jetstream()
        for stream in STREAMS:
            await jetstream.add_stream(stream)
        for stream_name, consumer in CONSUMERS:
            await jetstream.add_consumer(stream_name, consumer)
    finally:
        await connection.close()
