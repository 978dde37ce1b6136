"""Real servers for the session, and a platform of its own for each test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from shared import embedded
from tests.audit.platform import Audited


@pytest.fixture(scope="session")
async def audit_servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Servers]:
    async with embedded.servers(tmp_path_factory.mktemp("audit-servers")) as servers:
        yield servers


@pytest.fixture
async def shoal(audit_servers: embedded.Servers) -> AsyncIterator[Audited]:
    async with AsyncExitStack() as stack:
        shoal = Audited(audit_servers)
        await shoal.open(stack)
        yield shoal
        shoal.gate.set()
