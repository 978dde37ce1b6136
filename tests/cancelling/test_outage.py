"""Cancelling while the bus is away: said at once, and a repetition does what was not done."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from shared import embedded
from tests.cancelling.asking import SPINS
from tests.platform import Platform, running


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Servers]:
    async with embedded.servers(tmp_path_factory.mktemp("cancel-servers")) as servers:
        yield servers


@pytest.fixture(scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory, servers: embedded.Servers) -> AsyncIterator[Platform]:
    """Shoal on servers that the test can take down."""
    urls = {"NATS_URL": servers.nats_url, "MONGODB_URL": servers.mongodb_url}
    folder = tmp_path_factory.mktemp("cancel-outage") / "data"
    async with running(
        folder, SHOAL_BUS_TIMEOUT_S="1.5", SHOAL_DEFAULT_TIMEOUT_S="60", SHOAL_API_EXECUTE_WAIT_S="60", **urls
    ) as platform:
        yield platform


async def test_the_bus_is_away(platform: Platform, servers: embedded.Servers) -> None:
    async with platform.client() as http:
        assert (await http.post("/api/functions/", json={"name": "Away"})).status_code == 201
        code = {"version": "1", "code": SPINS, "is_active": True}
        assert (await http.post("/api/functions/away/code/", json=code)).status_code == 201
        waiting = asyncio.create_task(http.post("/api/functions/away/execute/", json={"params": {"endless": True}}))
        id = await begun(http)
        await servers.nats.stop()
        try:
            refused = await http.post(f"/api/invocations/{id}/cancel/")
            assert refused.status_code == 503
            assert "bus" in refused.json()["error"]
            assert (await http.get(f"/api/invocations/{id}/")).json()["task_status"] == "STARTED"
        finally:
            await servers.nats.start()
        async with asyncio.timeout(30):
            while (answer := await http.post(f"/api/invocations/{id}/cancel/")).status_code == 503:
                await asyncio.sleep(0.1)
        assert (answer.status_code, answer.json()["task_status"]) == (202, "CANCELLED")
        assert (await waiting).status_code == 409
        async with asyncio.timeout(30):
            while (ran := await http.post("/api/functions/away/execute/", json={})).status_code == 503:
                await asyncio.sleep(0.1)
        assert ran.json()["data"] == "short"


async def begun(http: httpx.AsyncClient) -> int:
    """The invocation's number, as soon as it runs."""
    async with asyncio.timeout(30):
        while True:
            rows = (await http.get("/api/functions/away/executions/")).json()["results"]
            if rows and rows[0]["task_status"] == "STARTED":
                return int(rows[0]["id"])
            await asyncio.sleep(0.05)
