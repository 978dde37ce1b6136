"""A door of the triggers service in the test's own process, beside a running platform: for settings of its own."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec

from services.triggers import handlers
from services.triggers.config import Triggers
from services.triggers.ingress import Ingress
from services.triggers.kind import World
from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.fanout import Fanout
from services.triggers.kinds.s3.heads import HeadObject
from services.triggers.kinds.s3.posting import Posting, Sns
from services.triggers.kinds.s3.sources import Opened, Sources
from shared import config, health, secrets
from shared.boot import Service
from shared.bus import broker
from shared.callers.fetcher import Fetcher
from shared.domain.event_source import ID_PREFIX, EventSource, SourceKind, source_place
from shared.store.client import Store
from shared.store.event_sources import EventSources
from tests.platform import Platform

TENANT = "default"
_numbers = count(1)


class Door:
    """The door at `url`. What is told by other ways goes to `take`; `head` answers for the storage of all sources."""

    def __init__(self, world: World, url: str) -> None:
        self.world = world
        self.url = url
        self.head: HeadObject | None = None
        self.taken: list[ObjectEvent] = []
        self._fanout = Fanout(world)

    async def take(self, opened: Opened, events: Sequence[ObjectEvent]) -> None:
        """Have them set off what they set off."""
        await self._fanout.take(opened.source, events, head=self.head)
        self.taken += events

    async def source(self, kind: SourceKind = "http", *, enabled: bool = True, token: str = "", **settings: Any) -> str:
        """A new source; the path to which its events are posted."""
        number = next(_numbers)
        store, keyring = self.world.service.store, self.world.service.keyring
        id = await store.next_id("event_sources")
        sealed = keyring.seal(token.encode(), place=source_place(TENANT, id, "token"))
        now = datetime.now(UTC)
        made = EventSource(
            id=id,
            tenant=TENANT,
            public_id=f"{ID_PREFIX}test{id:016}",
            name=f"source-{number}",
            kind=kind,
            enabled=enabled,
            config=settings,
            secrets={"token": sealed} if token else {},
            created_at=now,
            updated_at=now,
        )
        await EventSources(store, TENANT).insert(made)
        return f"/events/{made.public_id}"


@asynccontextmanager
async def door_at(platform: Platform, *, sns: Sns, nats: str = "", **settings: Any) -> AsyncIterator[Door]:
    """The door, for as long as the block runs; on another bus than the platform's, where nobody runs what comes."""
    shared = config.read(
        config.Platform,
        prefix="SHOAL_",
        environ={
            "NATS_URL": nats or platform.ready["nats"],
            "MONGODB_URL": platform.ready["mongodb"],
            "SHOAL_SECRET_KEY_FILE": str(platform.data_dir / "secret.key"),
        },
    )
    own = msgspec.convert(settings, Triggers)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(broker.connect(shared.nats_url, name="door", timeout_s=5))
        store = Store(shared.mongodb_url, database=shared.mongodb_database)
        stack.callback(store.close)
        service = Service(
            name="triggers",
            instance="door",
            seat="door",
            platform=shared,
            settings=own,
            bus=bus,
            store=store,
            keyring=secrets.open_keyring(shared),
            facts={},
            checks={},
            watch=lambda _: None,
        )
        fetcher = Fetcher(shared)
        stack.push_async_callback(fetcher.close)
        world = handlers._world(service, own, fetcher)
        await handlers._listen(service, world)
        listener = socket.create_server(("127.0.0.1", 0))
        door = Door(world, f"http://127.0.0.1:{listener.getsockname()[1]}")
        posting = Posting(world, Sources(world), sns=sns, take=door.take)
        await stack.enter_async_context(health.serve(Ingress(posting.routes, most=own.requests), listener))
        yield door
