"""Storage, and a store for what is seen in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared import embedded
from shared.store.client import Store
from tests.s3.seaweed import Seaweed, seaweed


@pytest.fixture(scope="session")
async def weed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Seaweed]:
    """A SeaweedFS that tells nobody: buckets are made by the tests."""
    folder: Path = tmp_path_factory.mktemp("weed")
    async with seaweed(folder, "nobodys") as server:
        yield server


@pytest.fixture(scope="session")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    """An empty MongoDB."""
    server = embedded.Mongo(tmp_path_factory.mktemp("seen"))
    await server.start()
    store = Store(server.url, database="seen")
    yield store
    store.close()
    await server.stop()
