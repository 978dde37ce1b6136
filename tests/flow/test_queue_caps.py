"""Caps on queues and limits on concurrency, over HTTP and through every service."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.store.apps import Apps
from shared.store.client import Store
from tests.platform import Platform, running

SLEEPER = """
import time
def main(params, user_data):
    time.sleep(params.get('s', 0))
    return 'slept'
"""
MOST = 3


@pytest.fixture(scope="module")
async def shoal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("caps") / "data"
    async with running(folder, SHOAL_API_RATE_LIMITS="false") as platform:
        yield platform


@pytest.fixture(scope="module")
async def http(shoal: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with shoal.client() as client:
        yield client


async def function(http: httpx.AsyncClient, name: str, **config: Any) -> str:
    body = {"name": name, "execution_mode": "app", "config": config}
    made = await http.post("/api/apps/caps/functions/", json=body)
    assert made.status_code == 201, made.text
    slug = str(made.json()["slug"])
    code = {"version": "1", "code": SLEEPER, "is_active": True}
    assert (await http.post(f"/api/functions/{slug}/code/", json=code)).status_code == 201
    return slug


async def filled(http: httpx.AsyncClient, slug: str) -> httpx.Response:
    """The refusal, as soon as the queue of a function whose calls take long is full."""
    for _ in range(MOST + 1):
        body = {"params": {"s": 20}, "async": True}
        answer = await http.post(f"/api/functions/{slug}/execute/", json=body)
        if answer.status_code != 202:
            return answer
    raise AssertionError("it is not full")


async def test_a_full_queue_is_said_in_each_dialect(http: httpx.AsyncClient, shoal: Platform):
    slug = await function(http, "Full", concurrency=1, max_queued=MOST)
    refused = await filled(http, slug)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) == refused.json()["retry_after"] > 0
    assert "queued already" in refused.json()["error"]

    store = Store(shoal.ready["mongodb"], database="shoal")
    app = await Apps(store, "default").find("handlers") or await Apps(store, "default").add("handlers", name="H")
    store.close()
    code = "def handler(request, ctx):\n    return 'x'"
    triggers = [{"type": "http", "config": {}}, {"type": "webhook", "config": {"source": "none"}}]
    body = {"name": "full", "code": code, "runtime": "python", "triggers": triggers[:1]}
    deployed = await http.post(f"/v1/{app.public_id}/functions", json=body)
    assert deployed.status_code == 200, deployed.text
    store = Store(shoal.ready["mongodb"], database="shoal")
    table = store.table("functions", "default")
    [found] = await table.many({"deployed_as": "full"}, limit=2)
    store.close()
    set_ = await http.patch(f"/api/functions/{found['slug']}/", json={"config": {"concurrency": 1, "max_queued": 1}})
    assert set_.status_code == 200, set_.text
    # Its own queue is full by a call that is under way while others come.
    answers = await asyncio.gather(*(http.post(f"/v1/{app.public_id}/fn/full") for _ in range(20)))
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 429}
    late = [answer for answer in answers if answer.status_code == 429]
    assert late
    assert late[0].headers["retry-after"]
    assert "queued already" in late[0].text


@pytest.mark.parametrize("field", ["concurrency", "max_queued"])
@pytest.mark.parametrize("wish", [0, -1, 1.5, "2", True, 10**9])
async def test_limits_that_make_no_sense_are_refused(http: httpx.AsyncClient, field: str, wish: Any):
    body = {"name": "No", "execution_mode": "app", "config": {field: wish}}
    refused = await http.post("/api/apps/caps/functions/", json=body)
    assert refused.status_code == 400
    assert f"config.{field} must be a whole number" in refused.text


async def test_a_function_that_calls_itself_and_runs_alone_is_told_so(http: httpx.AsyncClient, shoal: Platform):
    store = Store(shoal.ready["mongodb"], database="shoal")
    app = await Apps(store, "default").find("alone") or await Apps(store, "default").add("alone", name="A")
    code = "def handler(request, ctx):\n    return ctx.invoke('alone', {}).text()"
    body = {"name": "alone", "code": code, "runtime": "python", "triggers": [{"type": "http"}]}
    deployed = await http.post(f"/v1/{app.public_id}/functions", json=body)
    assert deployed.status_code == 200, deployed.text
    [found] = await store.table("functions", "default").many({"deployed_as": "alone"}, limit=2)
    store.close()
    await http.patch(f"/api/functions/{found['slug']}/", json={"config": {"concurrency": 1}})
    answer = await http.post(f"/v1/{app.public_id}/fn/alone")
    assert "would wait for itself" in answer.text


async def test_what_was_queued_before_a_limit_was_set_ends(http: httpx.AsyncClient):
    """They wait in the lane of all; each is put into the function's own when its turn comes."""
    slug = await function(http, "Later limited")
    ids = []
    for _ in range(12):
        body = {"params": {"s": 0.3}, "async": True}
        answer = await http.post(f"/api/functions/{slug}/execute/", json=body)
        ids.append(answer.json()["task_id"])
    limited = await http.patch(f"/api/functions/{slug}/", json={"config": {"concurrency": 1}})
    assert limited.status_code == 200
    async with asyncio.timeout(60):
        for id in ids:
            while (await http.get(f"/api/functions/result/{id}/")).json().get("status") != "SUCCESS":
                await asyncio.sleep(0.1)
