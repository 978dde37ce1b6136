"""Real servers for the session, and an executor for each test."""

from collections.abc import AsyncIterator

import pytest

from shared import embedded
from shared.store import indexes
from shared.store.client import Store
from tests.executor_host.platform import Shoal, running


@pytest.fixture(scope="session")
async def host_servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Servers]:
    async with embedded.servers(tmp_path_factory.mktemp("host-servers")) as servers:
        yield servers


@pytest.fixture
async def shoal(host_servers: embedded.Servers) -> AsyncIterator[Shoal]:
    async with running(host_servers) as shoal:
        yield shoal


@pytest.fixture(scope="session")
async def stores(host_servers: embedded.Servers) -> AsyncIterator[Store]:
    store = Store(host_servers.mongodb_url, database="store")
    await indexes.ensure(store)
    yield store
    store.close()


@pytest.fixture
async def store(stores: Store) -> AsyncIterator[Store]:
    """A database with its indexes and nothing in it."""
    yield stores
    for collection in ("claims", "functions", "apps"):
        await stores.global_delete(collection, {})
