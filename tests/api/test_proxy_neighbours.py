"""A dead endpoint, and functions beside it that are well."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.test_proxy import call, make, seen
from tests.hooks import Received, serving
from tests.platform import Platform, running

SLOTS = 16
DEAD_CALLS = 300  # many times what an executor of so many slots holds


@pytest.fixture(scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform whose executor has few slots for PROXY calls."""
    async with running(tmp_path_factory.mktemp("small") / "data", SHOAL_EXECUTOR_PROXY_SLOTS=str(SLOTS)) as platform:
        yield platform


async def test_a_dead_endpoint_keeps_nobody_else_waiting(small: Platform) -> None:
    async def silent(_: Received, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    limits = httpx.Limits(max_connections=32)
    async with small.client(limits=limits) as client, serving() as dead, serving() as well:
        dead.answer = silent
        patient = await make(client, dead.url, config={"timeout": 300})
        healthy = await make(client, well.url)
        tasks = await asyncio.gather(*(call(client, patient, **{"async": True}) for _ in range(DEAD_CALLS)))
        async with asyncio.timeout(30):
            while not dead.received:
                await asyncio.sleep(0.01)
        for _ in range(20):  # every slot of the dead one is held for minutes, and its backlog is before these
            answer = await asyncio.wait_for(call(client, healthy), timeout=20)
            assert answer.status_code == 200, answer.text
        assert dead.most_at_once < SLOTS
        assert len(well.received) == 20

        async def back(_: Received, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        dead.answer = back
        dead.drop()  # those that waited fail; the others find it well, however long they were put aside
        ended = await asyncio.gather(*(seen(client, one.json()["task_id"], "SUCCESS", "FAILURE") for one in tasks))
        failed = [end for end in ended if end["status"] == "FAILURE"]
        assert len(failed) < SLOTS
        assert {end["result"].partition(":")[0] for end in failed} == {"NetworkError"}
