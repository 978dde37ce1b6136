"""An adapter at work outside of a service: what it learns is kept here."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

from services.triggers.config import Triggers
from services.triggers.kind import World
from services.triggers.kinds.s3.adapter import Adapter, Source
from services.triggers.kinds.s3.event import ObjectEvent
from shared.config import Platform
from shared.domain.event_source import CONFIGS, EventSource, SourceConfig, SourceKind
from shared.domain.problem import Problem
from shared.store.client import Store

WITHIN_S = 30.0
_numbers = count(1)


class Learner:
    """One source and what it was told. With `refuses` nothing is taken: the bus is away."""

    def __init__(
        self,
        kind: SourceKind,
        config: Mapping[str, Any],
        *,
        secrets: Mapping[str, str],
        store: Store | None = None,
        made: datetime | None = None,
        objects: int = 1000,
        **platform: Any,
    ) -> None:
        self.told: list[ObjectEvent] = []
        self.refuses = False
        self.rounds = 0
        self._news = asyncio.Condition()
        self.made = made or datetime.now(UTC)
        self._kind: SourceKind = kind
        self._secrets = secrets
        self._id = next(_numbers)
        options = {"nats_url": "", "mongodb_url": "", "egress_private": True} | platform
        service = SimpleNamespace(store=store, platform=Platform(**options))
        self._world = cast(World, SimpleNamespace(service=service, settings=Triggers(source_objects=objects)))
        self.configure(**config)

    def configure(self, **config: Any) -> None:
        """Another config, as after a change of the source."""
        self._config: SourceConfig = cast(SourceConfig, CONFIGS[self._kind](**config))
        self._changed = datetime.now(UTC) if hasattr(self, "_changed") else self.made

    @property
    def keys(self) -> list[str]:
        return [event.key for event in self.told]

    @property
    def source(self) -> Source:
        of = EventSource(
            id=self._id,
            tenant="acme",
            public_id=f"src_{self._id}",
            name="uploads",
            kind=self._kind,
            created_at=self.made,
            updated_at=self._changed,
        )
        return Source(of, self._config, self._secrets, self._world, self._take, self._well)

    async def _take(self, events: Sequence[ObjectEvent]) -> None:
        await asyncio.sleep(0)
        if self.refuses:
            raise Problem("unavailable", "The message bus is not reachable")
        self.told.extend(events)
        await self._notify()

    def _well(self) -> None:
        self.rounds += 1
        self._noted = asyncio.ensure_future(self._notify())

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    @asynccontextmanager
    async def running(self, adapter: Adapter) -> AsyncIterator["Learner"]:
        """The adapter at work; what it dies of is raised at the end."""
        task = asyncio.ensure_future(adapter(self.source))
        self._task: asyncio.Future[None] = task
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, count: int) -> None:
        """Wait until so many uploads were told."""
        await self._until(lambda: len(self.told) >= count)

    async def next_round(self, rounds: int = 1) -> None:
        """Wait until as many whole listings have begun and ended."""
        begun = self.rounds
        await self._until(lambda: self.rounds >= begun + rounds + 1)

    async def _until(self, come: Any) -> None:
        async with asyncio.timeout(WITHIN_S), self._news:
            while not come():
                if self._task.done():
                    self._task.result()
                    raise AssertionError("the adapter has ended")
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.2):  # its end is told to nobody
                        await self._news.wait()
