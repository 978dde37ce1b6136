"""A bus or a database that is down: a plain 503 at once, and it recovers by itself."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared import embedded
from tests.conftest import TAX
from tests.platform import Platform, running

TIMEOUT_S = 1.5
IN_TURN_S = 4 * TIMEOUT_S  # far below what it takes when fifty wait for a timeout each, one after the other
EXECUTE = {"params": {"amount": 1000, "rate": 0.15}}


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Servers]:
    async with embedded.servers(tmp_path_factory.mktemp("outage-servers")) as servers:
        yield servers


@pytest.fixture(scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory, servers: embedded.Servers) -> AsyncIterator[Platform]:
    """Shoal on servers that the test can take down."""
    folder: Path = tmp_path_factory.mktemp("outage") / "data"
    urls = {"NATS_URL": servers.nats_url, "MONGODB_URL": servers.mongodb_url}
    async with running(folder, SHOAL_BUS_TIMEOUT_S=str(TIMEOUT_S), **urls) as platform:
        yield platform


@pytest.fixture(scope="module")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client() as client:
        made = await client.post("/api/apps/outage/functions/", json={"name": "Outage Tax", "execution_mode": "app"})
        assert made.status_code == 201, made.text
        code = {"version": "1.0.0", "code": TAX, "is_active": True}
        assert (await client.post("/api/functions/outage-tax/code/", json=code)).status_code == 201
        assert (await client.post("/api/functions/outage-tax/execute/", json=EXECUTE)).status_code == 200
        yield client


async def test_the_database_is_away(client: httpx.AsyncClient, servers: embedded.Servers) -> None:
    """What needs the database says so; a known function still runs, and is on record when the database is back."""
    await servers.mongo.stop()
    try:
        listed = await client.get("/api/apps/outage/functions/")
        assert listed.status_code == 503
        assert "database" in listed.json()["error"]
        ran = await client.post("/api/functions/outage-tax/execute/", json=EXECUTE)
        assert ran.status_code == 200, ran.text
        assert ran.json()["result"]["result"]["tax"] == 150.0
    finally:
        await servers.mongo.start()
    record = await _until_ok(client, f"/api/functions/invocations/by-task-id/{ran.json()['task_id']}/")
    assert record["invocation"]["celery_task_id"] == ran.json()["task_id"]
    async with asyncio.timeout(30):
        while record["task_result"]["status"] != "SUCCESS":
            record = await _until_ok(client, f"/api/functions/invocations/by-task-id/{ran.json()['task_id']}/")


@pytest.mark.parametrize("how", ["refuses", "is silent"])
async def test_many_who_need_the_database_are_told_in_time(
    platform: Platform, client: httpx.AsyncClient, servers: embedded.Servers, how: str
) -> None:
    """A call is held up for one timeout, however many there are; known functions run meanwhile."""
    pid = servers.mongo.pid
    assert pid is not None
    await _until_ok(client, "/api/apps/outage/functions/")
    if how == "refuses":
        await servers.mongo.stop()
    else:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with platform.client(limits=httpx.Limits(max_connections=100)) as many:
            refused = [_timed(many, "GET", "/api/apps/outage/functions/") for _ in range(50)]
            ran = [_timed(many, "POST", "/api/functions/outage-tax/execute/") for _ in range(20)]
            answers = await asyncio.gather(*refused, *ran)
    finally:
        if how == "refuses":
            await servers.mongo.start()
        else:
            os.kill(pid, signal.SIGCONT)
    assert {status for status, _ in answers[:50]} == {503}
    assert max(took_s for _, took_s in answers[:50]) < IN_TURN_S
    assert {status for status, _ in answers[50:]} == {200}
    assert max(took_s for _, took_s in answers[50:]) < IN_TURN_S
    await _until_ok(client, "/api/apps/outage/functions/")


async def _timed(client: httpx.AsyncClient, method: str, path: str) -> tuple[int, float]:
    began = time.monotonic()
    answer = await client.request(method, path, json=EXECUTE if method == "POST" else None)
    return answer.status_code, time.monotonic() - began


async def test_the_bus_is_away(client: httpx.AsyncClient, servers: embedded.Servers) -> None:
    """Nothing is accepted that could be lost; as soon as the bus is back, functions run again."""
    await servers.nats.stop()
    try:
        refused = await client.post("/api/functions/outage-tax/execute/", json=EXECUTE)
        assert refused.status_code == 503
        assert "bus" in refused.json()["error"]
        assert (await client.get("/api/apps/outage/functions/")).status_code == 200
    finally:
        await servers.nats.start()
    await _until_ran(client)


async def test_the_bus_hangs(client: httpx.AsyncClient, servers: embedded.Servers) -> None:
    """The first calls wait for an answer; when the connection has been given up, nobody waits any more."""
    pid = servers.nats.pid
    assert pid is not None
    await _until_ran(client)
    os.kill(pid, signal.SIGSTOP)
    try:
        status, took_s = await _timed(client, "POST", "/api/functions/outage-tax/execute/")
        assert status == 503
        assert TIMEOUT_S * 0.9 < took_s < TIMEOUT_S + 2
        async with asyncio.timeout(30):
            while took_s > 0.5:
                status, took_s = await _timed(client, "POST", "/api/functions/outage-tax/execute/")
                assert status == 503
    finally:
        os.kill(pid, signal.SIGCONT)
    await _until_ran(client)


async def _until_ran(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while (ran := await client.post("/api/functions/outage-tax/execute/", json=EXECUTE)).status_code == 503:
            await asyncio.sleep(0.1)
    assert ran.status_code == 200, ran.text


async def _until_ok(client: httpx.AsyncClient, path: str) -> dict[str, dict[str, object]]:
    async with asyncio.timeout(60):
        while (answer := await client.get(path)).status_code in {404, 503}:
            await asyncio.sleep(0.1)
    assert answer.status_code == 200, answer.text
    found: dict[str, dict[str, object]] = answer.json()
    return found
