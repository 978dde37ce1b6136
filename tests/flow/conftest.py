"""A nats-server of a test module's own, and its streams."""

from collections.abc import AsyncIterator

import pytest

from shared import embedded
from shared.bus import broker
from shared.bus.broker import Bus
from shared.bus.streams import streams
from tests.flow.commands import BOUNDS


@pytest.fixture(scope="module")
async def nats_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Nats]:
    server = embedded.Nats(tmp_path_factory.mktemp("bus"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="module")
def nats(nats_server: embedded.Nats) -> str:
    return nats_server.url


@pytest.fixture
async def bus(nats: str) -> AsyncIterator[Bus]:
    async with broker.connect(nats, name="test", timeout_s=5) as bus:
        for stream in streams(BOUNDS, first_invocation=100):
            await bus.ensure_stream(stream)
        yield bus
        for stream in streams(BOUNDS, first_invocation=100):
            await bus.stream.purge_stream(stream.name)
