"""A platform of its own for webhooks, with little patience, and functions that say what they were given."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import httpx
import pytest

from shared.bus import broker
from shared.bus.broker import Bus
from shared.store.client import Store
from tests.conftest import DOMAIN
from tests.hooks import serving
from tests.platform import Platform, running
from tests.webhooks.receiver import Receiver
from tests.webhooks.sns_signing import Server, Signer

BODY_WAIT_S = 1.0
PARAMS_BYTES = 200_000
_numbers = count(1)


@pytest.fixture(scope="session")
async def sns() -> AsyncIterator[Server]:
    """A server like SNS's."""
    async with serving() as hook, Server(hook, Signer()) as server:
        yield server


@pytest.fixture(scope="session")
async def hooked(sns: Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """Shoal, running."""
    folder: Path = tmp_path_factory.mktemp("hooked") / "data"
    settings = {
        "SHOAL_TRIGGERS_DOMAIN": DOMAIN,
        "SHOAL_TRIGGERS_BODY_WAIT_S": str(BODY_WAIT_S),
        "SHOAL_PARAMS_BYTES": str(PARAMS_BYTES),
        "SHOAL_TRIGGERS_SNS_HOSTS": f"127.0.0.1:{sns.hook.port}",
    }
    async with running(folder, **settings) as platform:
        yield platform


@pytest.fixture(scope="session")
async def hooked_store(hooked: Platform) -> AsyncIterator[Store]:
    store = Store(hooked.ready["mongodb"], database="shoal")
    yield store
    store.close()


@pytest.fixture(scope="session")
async def hooked_bus(hooked: Platform) -> AsyncIterator[Bus]:
    async with broker.connect(hooked.ready["nats"], name="test", timeout_s=5) as bus:
        yield bus


@pytest.fixture(scope="session")
async def owner(hooked: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP with the administrator's token."""
    async with hooked.client() as client:
        yield client


@pytest.fixture
async def receiver(hooked: Platform, owner: httpx.AsyncClient) -> AsyncIterator[Receiver]:
    """An app that nobody has used yet, at the door of the triggers service."""
    async with httpx.AsyncClient(base_url=hooked.ready["triggers"], timeout=30) as anyone:
        yield Receiver(owner, anyone, f"hooks-{next(_numbers)}")
