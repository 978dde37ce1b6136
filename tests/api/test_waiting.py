"""Callers who wait: for longer than they may, more of them than may, gone in the meantime, or while the API stops."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import sentence
from tests.api.test_errors import raw
from tests.platform import Platform, running

WAIT_S, DRAIN_S = 3.0, 2.0
ENDLESS = "def main(params, user_data):\n    while params.get('endless'):\n        pass\n    return 'short'"


@pytest.fixture(scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform with little patience."""
    folder: Path = tmp_path_factory.mktemp("small") / "data"
    settings = {
        "SHOAL_API_EXECUTE_WAIT_S": str(WAIT_S),
        "SHOAL_API_MAX_WAITING": "2",
        "SHOAL_DRAIN_S": str(DRAIN_S),
        "SHOAL_API_CODE_BYTES": "200",
        "SHOAL_PARAMS_BYTES": "100",
        "SHOAL_API_BODY_WAIT_S": "1",
    }
    async with running(folder, **settings) as platform:
        yield platform


@pytest.fixture(scope="module")
async def http(small: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with small.client() as client:
        body = {"name": "Endless", "config": {"timeout": 5}}
        assert (await client.post("/api/functions/", json=body)).status_code == 201
        code = {"version": "1", "code": ENDLESS}
        assert (await client.post("/api/functions/endless/code/", json=code)).status_code == 201
        assert (await client.post("/api/functions/endless/execute/", json={})).json()["data"] == "short"
        yield client


def call(http: httpx.AsyncClient) -> asyncio.Task[httpx.Response]:
    return asyncio.create_task(http.post("/api/functions/endless/execute/", json={"params": {"endless": True}}))


async def waiting(small: Platform, wanted: int) -> None:
    """Until so many callers wait."""
    page = small.ready["services"]["api"]["metrics"].replace("/metrics", "/healthz")
    async with asyncio.timeout(5), httpx.AsyncClient() as client:
        while (await client.get(page)).json()["waiting"] != wanted:
            await asyncio.sleep(0.02)


async def ended(http: httpx.AsyncClient, task_id: str) -> dict:
    async with asyncio.timeout(15):
        while (result := (await http.get(f"/api/functions/result/{task_id}/")).json())["date_done"] is None:
            await asyncio.sleep(0.1)
    return result


async def test_the_wait_runs_out_and_the_call_goes_on(http: httpx.AsyncClient):
    answer = await call(http)
    assert answer.status_code == 202
    body = answer.json()
    assert (body["status"], body["result"]) == ("PENDING", None)
    assert (await http.get(f"/api/functions/result/{body['task_id']}/")).json()["status"] in ("PENDING", "STARTED")
    assert (await ended(http, body["task_id"]))["status"] == "FAILURE"


async def test_one_more_than_may_wait(http: httpx.AsyncClient, small: Platform):
    callers = [call(http), call(http)]
    await waiting(small, 2)
    refused = await http.post("/api/functions/endless/execute/", json={})
    assert sentence(refused, 503) == "2 callers wait for results already; try again in a moment"
    assert refused.headers["retry-after"] == "2"
    unwaited = await http.post("/api/functions/endless/execute/", json={"async": True})
    assert unwaited.status_code == 202
    for answer in await asyncio.gather(*callers):
        await ended(http, answer.json()["task_id"])


async def test_a_caller_who_has_gone_keeps_no_place(small: Platform, http: httpx.AsyncClient):
    caller = call(http)
    await waiting(small, 1)
    caller.cancel()
    async with asyncio.timeout(WAIT_S * 0.9):
        await waiting(small, 0)


async def test_limits_are_settings(http: httpx.AsyncClient):
    over = await http.post("/api/functions/endless/execute/", json={"params": {"a": "x" * 100}})
    assert "the limit is 100 bytes" in sentence(over, 413)
    body = {"version": "2", "code": "x = 1\n" * 50}
    assert sentence(await http.post("/api/functions/endless/code/", json=body), 413) == (
        "code is 300 bytes; the limit is 200 bytes"
    )


@pytest.mark.parametrize("path", ["/api/apps/a/functions/", "/api/functions/endless/execute/"])
async def test_a_body_that_does_not_come_is_not_waited_for_long(small: Platform, path: str):
    status, body = await raw(small, path, b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    assert (status, body["error"]) == (400, "The body did not arrive within 1 s")


async def test_a_stop_lets_requests_finish_and_answers_the_rest(small: Platform, http: httpx.AsyncClient):
    caller = call(http)
    await waiting(small, 1)
    pid = small.pid("api")
    os.kill(pid, signal.SIGTERM)
    async with asyncio.timeout(DRAIN_S):
        answer = await caller
    assert answer.status_code == 202
    await small.restarted("api", pid)
    async with small.client() as client:
        assert (await ended(client, answer.json()["task_id"]))["status"] == "FAILURE"
