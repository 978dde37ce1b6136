"""A database that is away for longer than anything is believed: known functions run on, and are recorded later."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared import embedded
from tests.conftest import TAX
from tests.platform import Platform, running

PATH = "/api/functions/long-tax/execute/"
EXECUTE = {"params": {"amount": 1000, "rate": 0.15}}
BELIEVED_S = 0.3
CALLS = 20  # with the pauses between them, many times as long as what is cached is believed


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Servers]:
    async with embedded.servers(tmp_path_factory.mktemp("long-servers")) as servers:
        yield servers


@pytest.fixture(scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory, servers: embedded.Servers) -> AsyncIterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("long") / "data"
    short = {"SHOAL_CACHE_S": str(BELIEVED_S), "SHOAL_API_TOKEN_CACHE_S": str(BELIEVED_S), "SHOAL_BUS_TIMEOUT_S": "1"}
    async with running(folder, NATS_URL=servers.nats_url, MONGODB_URL=servers.mongodb_url, **short) as platform:
        yield platform


@pytest.fixture(scope="module")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client() as client:
        made = await client.post("/api/apps/long/functions/", json={"name": "Long Tax", "execution_mode": "app"})
        assert made.status_code == 201, made.text
        code = {"version": "1.0.0", "code": TAX, "is_active": True}
        assert (await client.post("/api/functions/long-tax/code/", json=code)).status_code == 201
        assert (await client.post(PATH, json=EXECUTE)).status_code == 200
        yield client


async def test_known_functions_run_for_as_long_as_the_database_is_away(
    client: httpx.AsyncClient, servers: embedded.Servers
) -> None:
    await servers.mongo.stop()
    accepted: list[str] = []
    try:
        for _ in range(CALLS):
            ran = await client.post(PATH, json=EXECUTE)
            assert ran.status_code == 200, ran.text
            assert ran.json()["data"]["tax"] == 150.0
            later = await client.post(f"{PATH}?async=true", json=EXECUTE)
            assert later.status_code == 202, later.text
            accepted += [ran.json()["task_id"], later.json()["task_id"]]
            await asyncio.sleep(BELIEVED_S)  # time itself is what is tested: everything known grows old
        unknown = await client.post("/api/functions/long-unknown/execute/", json=EXECUTE)
        assert unknown.status_code == 503, unknown.text
    finally:
        await servers.mongo.start()
    await _recorded(client, accepted)


async def test_services_that_start_meanwhile_wait_and_lose_nothing(
    platform: Platform, client: httpx.AsyncClient, servers: embedded.Servers
) -> None:
    """An executor that is started anew knows no function: the work waits on the bus until the database is back."""
    assert (await client.post(PATH, json=EXECUTE)).status_code == 200
    await servers.mongo.stop()
    try:
        dead = platform.kill("executor"), platform.kill("router")
        accepted = [await _later(client) for _ in range(10)]
    finally:
        await servers.mongo.start()
    await platform.restarted("executor", dead[0])
    await platform.restarted("router", dead[1])
    await _recorded(client, accepted)


async def _later(client: httpx.AsyncClient) -> str:
    answer = await client.post(f"{PATH}?async=true", json=EXECUTE)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


async def _recorded(client: httpx.AsyncClient, task_ids: list[str]) -> None:
    async with asyncio.timeout(60):
        for task_id in task_ids:
            path = f"/api/functions/invocations/by-task-id/{task_id}/"
            while (found := await client.get(path)).status_code in {404, 503} or _status(found) != "SUCCESS":
                await asyncio.sleep(0.1)


def _status(found: httpx.Response) -> str:
    assert found.status_code == 200, found.text
    return str(found.json()["task_result"]["status"])
