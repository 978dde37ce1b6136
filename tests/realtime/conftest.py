"""A platform of its own for websockets, with short times and small bounds; apps, tokens, and functions by script."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from shared.bus import broker
from shared.bus.broker import Bus
from shared.domain.app import App
from shared.domain.trigger import Trigger
from shared.store.apps import Apps
from shared.store.client import Store
from tests.api.apps.edge import SECRET
from tests.api.apps.scripted import Script, Scripted, scripted_at
from tests.platform import Platform, running
from tests.realtime.clients import Client, Door, Raw

HEARTBEAT_S, CHECK_S, IDLE_S = 0.5, 0.3, 5.0
IN_FLIGHT, TENANT_SOCKETS, TENANT_EVENTS, FRAME_BYTES, BACKLOG_BYTES = 5, 40, 12, 64 << 10, 128 << 10
_numbers = count(1)


@pytest.fixture(scope="session")
async def realtime(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """Shoal, running."""
    folder: Path = tmp_path_factory.mktemp("realtime") / "data"
    settings = {
        "SHOAL_TRIGGERS_SOCKET_HEARTBEAT_S": str(HEARTBEAT_S),
        "SHOAL_TRIGGERS_SOCKET_CHECK_S": str(CHECK_S),
        "SHOAL_TRIGGERS_SOCKET_IDLE_S": str(IDLE_S),
        "SHOAL_TRIGGERS_SOCKET_IN_FLIGHT": str(IN_FLIGHT),
        "SHOAL_TRIGGERS_SOCKET_BACKLOG_BYTES": str(BACKLOG_BYTES),
        "SHOAL_TRIGGERS_TENANT_SOCKETS": str(TENANT_SOCKETS),
        "SHOAL_TRIGGERS_SOCKET_GRACE_S": "2",
        "SHOAL_TRIGGERS_QUEUE_S": "20",
        "SHOAL_TRIGGERS_MAX_WAITING": str(2 * TENANT_EVENTS),
        "SHOAL_CACHE_S": "0",  # functions are written straight into the store
    }
    async with running(folder, **settings) as platform:
        yield platform


@pytest.fixture
def door(realtime: Platform) -> Door:
    """Where sockets are opened now: it has another port after a restart."""
    return Door(realtime.ready["triggers"], realtime.token)


@pytest.fixture(scope="session")
async def store(realtime: Platform) -> AsyncIterator[Store]:
    store = Store(realtime.ready["mongodb"], database="shoal")
    yield store
    store.close()


@pytest.fixture(scope="session")
async def bus(realtime: Platform) -> AsyncIterator[Bus]:
    async with broker.connect(realtime.ready["nats"], name="test", timeout_s=5) as bus:
        yield bus


@pytest.fixture(scope="session")
async def owner(realtime: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP with the administrator's token."""
    headers = {"Authorization": f"Bearer {realtime.token}"}
    async with httpx.AsyncClient(base_url=realtime.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
async def scripted(realtime: Platform, bus: Bus, store: Store) -> AsyncIterator[Scripted]:
    """An executor that does as it is told."""
    async with scripted_at(realtime, bus, store) as executor:
        yield executor


@pytest.fixture
async def app(owner: httpx.AsyncClient, store: Store) -> App:
    """A new app, whose end users have tokens that are signed with SECRET."""
    slug = f"room-{next(_numbers)}"
    made = await owner.post("/api/apps/", json={"name": slug.title(), "slug": slug})
    assert made.status_code == 201, made.text
    found = await Apps(store, "default").named(slug)
    changed = await owner.patch(f"/v1/{found.public_id}/config", json={"end_users": {"jwt_secret": SECRET}})
    assert changed.status_code == 200, changed.text
    return await Apps(store, "default").named(slug)


class Room(NamedTuple):
    """An app, and where its sockets are opened."""

    door: Door
    app: App
    scripted: Scripted
    platform: Platform

    async def handle(self, script: Script, event: str | None = None, **fields: Any) -> str:
        """A function with a trigger for frames: for this event, or for all; its name."""
        trigger = Trigger("websocket", {} if event is None else {"event": event})
        return await self.scripted.add(self.app, script, triggers=(trigger,), **fields)

    def url(self, token: str = "") -> str:
        return self.door.url(self.app.public_id, token)

    def socket(self, token: str, **options: Any) -> AbstractAsyncContextManager[Client]:
        """One that has not been heard yet; the token goes into the header."""
        return self.door.socket(self.url(), token, **options)

    def open(self, token: str = "", **options: Any) -> AbstractAsyncContextManager[Client]:
        """One that has said hello."""
        return self.door.open(self.app, token, **options)

    def raw(self, **options: Any) -> AbstractAsyncContextManager[Raw]:
        """The same, byte by byte."""
        return self.door.raw(self.app, **options)

    async def is_kept(self, client: Raw) -> bool:
        """Whether the service has its end of this connection still, as the kernel sees it."""
        ours = client.writer.get_extra_info("sockname")[1]
        inodes = _inodes(self.platform.pid("triggers"))
        return any(inode in inodes for inode in _connected(ours, self.door.where.port or 0))


def _inodes(pid: int) -> set[str]:
    """The sockets that a process has open."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found


def _connected(client: int, server: int) -> list[str]:
    """The server's end of the TCP connection between these ports."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[9] for row in rows if row[1].endswith(f":{server:04X}") and row[2].endswith(f":{client:04X}")]


@pytest.fixture
def room(door: Door, app: App, scripted: Scripted, realtime: Platform) -> Room:
    return Room(door, app, scripted, realtime)
