"""A platform of its own for calls over HTTP: little patience, and this machine open to fetches of keys. And apps."""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.bus import broker
from shared.bus.broker import Bus
from shared.domain.app import App
from shared.store.apps import Apps
from shared.store.client import Store
from tests.api.apps.edge import Issuer, issuing
from tests.api.apps.scripted import Scripted, scripted_at
from tests.api.apps.shop import Shop
from tests.conftest import DOMAIN
from tests.platform import Platform, running

BODY_WAIT_S = 1.0
PARAMS_BYTES = 100_000
MAX_WAITING = 3
HOOKS = "https://hooks.example.org/in/"
_numbers = count(1)


@pytest.fixture(scope="session")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """Shoal, running."""
    folder: Path = tmp_path_factory.mktemp("edge") / "data"
    settings = {
        "SHOAL_API_DOMAIN": DOMAIN,
        "SHOAL_API_BODY_WAIT_S": str(BODY_WAIT_S),
        "SHOAL_API_CALL_QUEUE_S": "1",
        "SHOAL_API_MAX_WAITING": str(MAX_WAITING),
        "SHOAL_PARAMS_BYTES": str(PARAMS_BYTES),
        "SHOAL_API_TRIGGERS_PUBLIC_URL": HOOKS,
        "SHOAL_EGRESS_ALLOW": "127.0.0.1/32",
    }
    async with running(folder, **settings) as platform:
        yield platform


@pytest.fixture(scope="session")
async def edge_store(edge: Platform) -> AsyncIterator[Store]:
    store = Store(edge.ready["mongodb"], database="shoal")
    yield store
    store.close()


@pytest.fixture(scope="session")
async def edge_bus(edge: Platform) -> AsyncIterator[Bus]:
    async with broker.connect(edge.ready["nats"], name="test", timeout_s=5) as bus:
        yield bus


@pytest.fixture(scope="session")
async def scripted(edge: Platform, edge_bus: Bus, edge_store: Store) -> AsyncIterator[Scripted]:
    """An executor that does as it is told."""
    async with scripted_at(edge, edge_bus, edge_store) as executor:
        yield executor


@pytest.fixture(scope="session")
async def owner(edge: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP with the administrator's token."""
    headers = {"Authorization": f"Bearer {edge.token}"}
    async with httpx.AsyncClient(base_url=edge.url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
async def anyone(edge: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP without any."""
    async with httpx.AsyncClient(base_url=edge.url, timeout=30) as client:
        yield client


MakeApp = Callable[..., Awaitable[App]]


@pytest.fixture(scope="session")
def make_app(owner: httpx.AsyncClient, edge_store: Store) -> MakeApp:
    """A new app with these settings."""

    async def make(**settings: Any) -> App:
        slug = f"app-{next(_numbers)}"
        made = await owner.post("/api/apps/", json={"name": slug.title(), "slug": slug})
        assert made.status_code == 201, made.text
        found = await Apps(edge_store, "default").named(slug)
        if settings:
            changed = await owner.patch(f"/v1/{found.public_id}/config", json=settings)
            assert changed.status_code == 200, changed.text
        return found

    return make


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as one:
        yield one


@pytest.fixture
async def shop(client: httpx.AsyncClient) -> AsyncIterator[Shop]:
    """An app of the whole session's platform that nobody has made yet."""
    shop = Shop(client, f"shop-{next(_numbers)}")
    yield shop
    await shop.clear()
