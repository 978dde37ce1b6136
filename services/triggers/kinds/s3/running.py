"""Which sources this process runs: those whose lease it gets. Who holds many is slower to take more; nobody leads."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from services.triggers.kinds.s3.adapters import ADAPTERS
from services.triggers.kinds.s3.run import Parts, Run
from shared import telemetry
from shared.bus.leases import Leases
from shared.domain.problem import Problem
from shared.store.event_sources import Key

_WHAT = "source"
_LOOK_S = 1.0  # between two looks for sources that nobody has
_WAIT_S = 0.02  # for each source that is held, before another one is taken
_MOST_WAIT_S = 1.0  # for all that are taken in one look
_log = telemetry.logger("sources")


class Running:
    """Runs sources, as many as it gets."""

    def __init__(self, parts: Parts) -> None:
        world = parts.world
        self._parts = parts
        self._bus = world.service.bus
        self._leases = Leases(world.service.bus, world.service.instance, world.settings.source_lease_s)
        self._runs: dict[Key, Run] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self._leases.on_free(self._news.set)
        parts.sources.on_change(self._changed)

    def facts(self) -> int:
        """How many sources it runs now."""
        return len(self._runs)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Run what is to be had, for as long as the block runs; then let it go, for others to take at once."""
        async with self._leases.at_hand():
            looking = self._bus.mind(self._keep_looking())
            try:
                yield
            finally:
                looking.cancel()
                tasks = list(self._tasks.values())
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._parts.storages.close()

    def _changed(self) -> None:
        for run in self._runs.values():
            run.look()
        self._news.set()

    async def _keep_looking(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._look()
            except Problem as problem:
                _log.debug("leases cannot be asked for", reason=problem.message)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S * random.uniform(0.75, 1.25)):  # noqa: S311 - no secret
                    await self._news.wait()

    async def _look(self) -> None:
        """Take what nobody has, in an order of our own."""
        free = [
            key
            for source in self._parts.sources.enabled()
            if (key := (source.tenant, source.id)) not in self._runs
            and source.kind in ADAPTERS
            and self._leases.seems_free(_WHAT, _name(key))
        ]
        random.shuffle(free)
        for key in free:
            wait_s = min(_WAIT_S * len(self._runs), _MOST_WAIT_S / len(free))
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            held = await self._leases.take(_WHAT, _name(key))
            if held is not None:
                self._begin(key, Run(self._parts, key, held))

    def _begin(self, key: Key, run: Run) -> None:
        self._runs[key] = run
        task = self._tasks[key] = self._bus.mind(run.live())
        telemetry.SOURCES_RUN.set(len(self._runs))
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: Key, _: "asyncio.Task[Any]") -> None:
        del self._runs[key], self._tasks[key]
        telemetry.SOURCES_RUN.set(len(self._runs))
        self._news.set()


def _name(key: Key) -> str:
    """Ids of sources are given once, to whatever tenant."""
    return str(key[1])
