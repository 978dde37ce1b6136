"""Real servers for the session, and an executor for each test."""

from collections.abc import AsyncIterator

import pytest

from shared import embedded
from tests.executor_host.platform import Shoal, running


@pytest.fixture(scope="session")
async def host_servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Servers]:
    async with embedded.servers(tmp_path_factory.mktemp("host-servers")) as servers:
        yield servers


@pytest.fixture
async def shoal(host_servers: embedded.Servers) -> AsyncIterator[Shoal]:
    async with running(host_servers) as shoal:
        yield shoal
