"""A mongod for the session, and an empty database for each test."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from shared import embedded
from shared.store import indexes
from shared.store.client import Store

DATABASE = "secrets"


class Database(NamedTuple):
    """An open store, and where it is for others."""

    store: Store
    url: str


@pytest.fixture(scope="session")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    server = embedded.Mongo(tmp_path_factory.mktemp("secrets"))
    await server.start()
    store = Store(server.url, database=DATABASE)
    await indexes.ensure(store)
    yield Database(store, server.url)
    store.close()
    await server.stop()


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    yield database.store
    for collection in ("functions", "apps", "user_valves"):
        await database.store.global_delete(collection, {})
