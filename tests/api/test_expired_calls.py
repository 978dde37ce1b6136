"""Calls that expire: what their callers are told, in both families, and again with the same idempotency key."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.test_idempotency import call, is_replayed
from tests.platform import Platform, running

BUSY = "import time\ndef main(params, user_data):\n    time.sleep(params.get('s', 0))\n    return 'ran'"
OPEN = [{"type": "http", "config": {"auth": "none"}}]


@pytest.fixture(scope="module")
async def narrow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform that runs one call at a time."""
    folder: Path = tmp_path_factory.mktemp("narrow") / "data"
    async with running(folder, SHOAL_EXECUTOR_SLOTS="1", SHOAL_SCHEDULER_EXPIRY_S="0.5") as platform:
        yield platform


async def test_what_is_not_started_in_time(narrow: Platform):
    async with narrow.client() as http:
        for name in ("Busy", "Late"):
            body = {"name": name, "execution_mode": "app", "config": {"timeout": 20}}
            assert (await http.post("/api/apps/narrow/functions/", json=body)).status_code == 201
            code = {"version": "1", "code": BUSY, "is_active": True}
            assert (await http.post(f"/api/functions/{name.lower()}/code/", json=code)).status_code == 201
        deployed = {"name": "edge", "runtime": "python", "code": BUSY, "triggers": OPEN}
        made = await http.post("/v1/narrow/functions", json=deployed)
        assert made.status_code == 200, made.text
        assert (await http.patch("/api/functions/edge/", json={"config": {"expires_in": 0.5}})).status_code == 200
        assert (await call(http, "late", None, params={})).status_code == 200
        busy = await call(http, "busy", None, **{"params": {"s": 8}, "async": True})
        async with asyncio.timeout(20):
            while (await http.get(f"/api/functions/result/{busy.json()['task_id']}/")).json()["status"] == "PENDING":
                await asyncio.sleep(0.05)
        late = await call(http, "late", "late-1", params={}, expires_in=0.5)
        assert (late.status_code, late.json()["status"]) == (504, "EXPIRED"), late.text
        assert "was not started within 0.5 seconds" in late.json()["error"]
        again = await call(http, "late", "late-1", params={}, expires_in=0.5)
        assert (again.status_code, again.json(), is_replayed(again)) == (504, late.json(), True)
        edge = await http.post("/v1/narrow/fn/edge", headers={"Idempotency-Key": "edge-1"})
        assert (edge.status_code, edge.json()["error"]) == (504, "expired"), edge.text
        assert edge.json()["message"] == "The invocation was not started within 0.5 seconds"
        repeated = await http.post("/v1/narrow/fn/edge", headers={"Idempotency-Key": "edge-1"})
        assert (repeated.status_code, repeated.content, is_replayed(repeated)) == (504, edge.content, True)


async def test_what_is_cancelled_while_two_wait_for_it(narrow: Platform):
    async with narrow.client() as http:
        first = asyncio.create_task(call(http, "late", "cancelled-1", params={"s": 15}))
        second = asyncio.create_task(call(http, "late", "cancelled-1", params={"s": 15}))
        async with asyncio.timeout(20):
            while not (rows := await _running(http)):
                await asyncio.sleep(0.05)
        assert (await http.delete(f"/api/invocations/{rows[0]['id']}/")).status_code in (200, 202)
        answers = [await first, await second]
        assert [answer.status_code for answer in answers] == [409, 409]
        assert {answer.json()["status"] for answer in answers} == {"CANCELLED"}
        assert sorted(map(is_replayed, answers)) == [False, True]
        again = await call(http, "late", "cancelled-1", params={"s": 15})
        assert (again.status_code, again.json()["status"], is_replayed(again)) == (409, "CANCELLED", True)


async def _running(http: httpx.AsyncClient) -> list[dict]:
    listed = await http.get("/api/functions/late/executions/", params={"limit": 10})
    return [row for row in listed.json()["results"] if row["task_status"] in ("PENDING", "STARTED")]
