"""What clients see when a part of the platform ends: a platform of its own."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest

from shared.domain.app import App
from shared.store.apps import Apps
from shared.store.client import Store
from tests.platform import Platform, running
from tests.realtime.clients import Door, event

SLOW = (
    "export default async function handler(request, ctx) {\n"
    " const { payload } = await request.json();\n"
    " console.log('began');\n"
    " await new Promise((resolve) => setTimeout(resolve, payload.ms));\n"
    " return Response.json(payload);\n}"
)


@pytest.fixture(scope="module")
async def fragile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    settings = {"SHOAL_LEASE_S": "3", "SHOAL_TRIGGERS_SOCKET_GRACE_S": "3", "SHOAL_DEFAULT_TIMEOUT_S": "20"}
    async with running(tmp_path_factory.mktemp("ends") / "data", **settings) as platform:
        yield platform


@pytest.fixture(scope="module")
async def app(fragile: Platform) -> App:
    """An app with a function that takes as long as it is told."""
    headers = {"Authorization": f"Bearer {fragile.token}"}
    async with httpx.AsyncClient(base_url=fragile.url, headers=headers, timeout=60) as client:
        body = {"name": "slow", "code": SLOW, "trigger": "websocket"}
        made = await client.post("/v1/ends/functions", json=body)
        assert made.status_code == 200, made.text
    store = Store(fragile.ready["mongodb"], database="shoal")
    app = await Apps(store, "default").named("ends")
    store.close()
    return app


@pytest.fixture
def door(fragile: Platform) -> Door:
    return Door(fragile.ready["triggers"], fragile.token)


async def _runs(platform: Platform, count: int) -> None:
    """Until so many calls are at work: those that take longer than a moment are announced."""
    headers = {"Authorization": f"Bearer {platform.token}"}
    async with asyncio.timeout(30), httpx.AsyncClient(base_url=platform.url, headers=headers) as client:
        while (await client.get("/api/functions/invocations/?status=STARTED")).json()["count"] < count:
            await asyncio.sleep(0.05)


async def _works(door: Door, app: App) -> None:
    """Until a client that connects anew is answered."""
    async with asyncio.timeout(30):
        while True:
            with suppress(OSError):
                async with door.open(app) as client:
                    assert (await client.ask(event("again", {"ms": 0})))["data"] == {"ms": 0}
                    return
            await asyncio.sleep(0.1)


async def test_every_frame_is_answered_though_the_executor_is_killed(fragile: Platform, door: Door, app: App):
    async with door.open(app) as client:
        assert (await client.ask(event("warm", {"ms": 0})))["data"] == {"ms": 0}
        await client.say(*(event("slow", {"ms": 1000}, id=number) for number in range(5)))
        await _runs(fragile, 1)
        dead = fragile.kill("executor")
        answers = [await client.hear(within_s=60) for _ in range(5)]
        assert [answer["id"] for answer in answers] == list(range(5))
        assert {answer["type"] for answer in answers} <= {"event_response", "error"}
        await fragile.restarted("executor", dead)
        assert (await client.ask(event("after", {"ms": 0})))["data"] == {"ms": 0}


async def test_a_stop_closes_all_after_what_is_under_way(fragile: Platform, door: Door, app: App):
    async with door.open(app) as busy, door.open(app) as idle, door.open(app) as stuck:
        assert (await busy.ask(event("warm", {"ms": 0})))["data"] == {"ms": 0}
        await busy.say(event("slow", {"ms": 1000}, id=1))
        await stuck.say(event("slow", {"ms": 15_000}))
        await _runs(fragile, 2)
        dead = fragile.pid("triggers")
        os.kill(dead, signal.SIGTERM)
        assert await idle.closed() == (1012, "The platform is restarting")
        assert (await busy.hear())["data"] == {"ms": 1000}
        assert await busy.closed() == (1012, "The platform is restarting")
        assert await stuck.closed() == (1012, "The platform is restarting")
        await fragile.restarted("triggers", dead)
    await _works(Door(fragile.ready["triggers"], fragile.token), app)


async def test_a_kill_is_seen_and_clients_come_back(fragile: Platform, door: Door, app: App):
    async with door.open(app) as client:
        dead = fragile.kill("triggers")
        assert (await client.closed())[0] in {None, 1006}
        await fragile.restarted("triggers", dead)
    await _works(Door(fragile.ready["triggers"], fragile.token), app)


async def test_an_outage_of_the_store_keeps_sockets_open(fragile: Platform, door: Door, app: App):
    async with door.open(app) as client:
        server = int(fragile.ready["servers"]["mongod"]["pid"])
        os.kill(server, signal.SIGSTOP)
        try:
            await asyncio.sleep(1)
            assert await client.ask('{"type":"ping"}') == {"type": "pong"}
        finally:
            os.kill(server, signal.SIGCONT)
        assert (await client.ask(event("after", {"ms": 0})))["data"] == {"ms": 0}
