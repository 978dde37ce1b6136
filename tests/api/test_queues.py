"""`GET /api/queues/`: what waits and what runs, of one's own tenant, and to the operator of all."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import httpx

from services.api.core.queues import Pool, Queues, pools
from shared.domain.caller import Caller, User
from shared.domain.problem import Problem
from tests.conftest import Deploy
from tests.hooks import Received, response, serving
from tests.people import stranger_to
from tests.platform import Platform


def test_lanes_are_summed_by_pool():
    stored = {"work.python.acme.all": 5, "work.python.acme.12": 2, "work.proxy.acme.all": 1, "work.python.other.all": 9}
    taken = {"work.python.acme.all": 3, "work.python.other.all": 20}
    assert pools(stored, taken, tenant="acme") == [Pool("proxy", 1, 0), Pool("python", 4, 3)]
    assert pools(stored, taken) == [Pool("proxy", 1, 0), Pool("python", 4, 12)]
    assert pools({}, taken) == []


async def test_while_the_bus_is_away_one_waits_for_it_and_not_each_after_the_other():
    asked = 0

    async def away(*_: Any, **__: Any) -> None:
        nonlocal asked
        asked += 1
        raise TimeoutError

    queues = Queues(cast(Any, SimpleNamespace(client=SimpleNamespace(request=away), timeout_s=1.0)))
    caller = Caller(tenant="acme", user=User(1, "ada", "ada@example.com"), role="user")
    told = await asyncio.gather(*(queues.shown(caller) for _ in range(50)), return_exceptions=True)
    assert all(isinstance(one, Problem) and one.code == "unavailable" for one in told)
    assert asked == 1


async def test_what_runs_is_in_hand_and_others_do_not_see_it(
    client: httpx.AsyncClient, deploy: Deploy, platform: Platform
):
    released = asyncio.Event()

    async def held(_: Received, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.write(response())

    async with serving() as hook, stranger_to(platform) as stranger:
        hook.answer = held
        body = {"name": "Held In Queue", "execution_mode": "proxy", "webhook_url": hook.url}
        slug = (await client.post("/api/apps/tests/functions/", json=body)).json()["slug"]
        path = f"/api/functions/{slug}/execute/"
        assert (await client.post(path, json={"async": True})).status_code == 202
        async with asyncio.timeout(30):
            while not hook.received:
                await asyncio.sleep(0.02)
            while True:
                found = (await client.get("/api/queues/")).json()
                if [row for row in found["pools"] if row["pool"] == "proxy" and row["in_hand"]]:
                    break
        assert found["tenant"] is None
        assert found["unrouted"] >= 0
        assert found["delayed"] >= 0
        theirs = (await stranger.get("/api/queues/")).json()
        assert theirs == {"tenant": "elsewhere", "pools": [], "unrouted": None, "delayed": None}
        released.set()
