"""What happens on a Shoal whose dashboards are looked at: calls of all modes, well and badly, and every trigger."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import websockets

from services.scheduler.plans import set_plan
from shared.bus import subjects, timers
from shared.bus.broker import Bus
from shared.store.client import Store
from shared.store.functions import Functions
from tests.conftest import TAX
from tests.hooks import Hook
from tests.platform import Platform
from tests.webhooks.receiver import SECRET, Receiver, standard

APP = "watched"
TENANT = "default"
_FAILS = "def main(params, user_data):\n print('so far')\n raise ValueError('no')"
_JAVASCRIPT = 'export default async () => { console.log("said"); return Response.json({ ok: true }); }'
_HANDLER = "def handler(request, ctx):\n    print('heard')\n    return {'ok': True}"


class Doings:
    """Functions are made once; `once_more` calls all of them, so that every rate has something to be of."""

    def __init__(self, platform: Platform, client: httpx.AsyncClient, *, bus: Bus, store: Store, hook: Hook) -> None:
        self._platform = platform
        self._client = client
        self._bus = bus
        self._store = store
        self._proxied = hook.url
        self.function = ""

    async def begin(self) -> None:
        """Make the functions."""
        self.function = await self._made("Tax", TAX)
        self._failing = await self._made("Fails", _FAILS, config={"max_retries": 1, "retry_first_s": 0.01})
        self._planned = await self._made("Planned", TAX, schedule_enabled=True, cron_expression="0 0 29 2 *")
        fields = {"execution_mode": "proxy", "webhook_url": self._proxied}
        self._proxy = await self._created("Proxied", **fields)
        await self._deployed("said", _JAVASCRIPT, runtime="javascript", triggers=[{"type": "http", "config": {}}])
        socket = {"type": "websocket", "config": {"event": "chat"}}
        await self._deployed("heard", _HANDLER, runtime="python", triggers=[socket])
        self._anyone = httpx.AsyncClient(base_url=self._platform.ready["triggers"], timeout=30)
        self._receiver = Receiver(self._client, self._anyone, APP)
        self._hooked = await self._receiver.deploy("hooked", secret=SECRET, allowed_sources="standard")

    async def end(self) -> None:
        await self._anyone.aclose()

    async def once_more(self) -> None:
        """Everything, once."""
        for step in self._steps():
            await step()

    def _steps(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return (self._call, self._fail, self._tick, self._send, self._speak)

    async def _call(self) -> None:
        for slug in (self.function, self._proxy, "example"):
            await self._execute(slug, "SUCCESS")
        answer = await self._client.post(f"/v1/{APP}/fn/said", json={})
        assert answer.status_code == 200, answer.text

    async def _fail(self) -> None:
        """It is tried again, fails again, and is dead."""
        body = {"params": {}, "async": True}
        answer = await self._client.post(f"/api/functions/{self._failing}/execute/", json=body)
        assert answer.status_code == 202, answer.text

    async def _tick(self) -> None:
        """The schedule's next tick is now."""
        one = await Functions(self._store, TENANT).by_slug(self._planned)
        assert one is not None
        subject = subjects.plan(one.tenant, one.id)
        async with asyncio.timeout(20):
            # The scheduler may have planned another one since it was looked.
            while not (number := await timers.last(self._bus, subject)) or not await set_plan(
                self._bus, one, int(time.time()), after=number
            ):
                await asyncio.sleep(0.02)

    async def _send(self) -> None:
        """A webhook that is taken, and one that is not."""
        body = b'{"order": 7}'
        assert (await self._receiver.send(self._hooked.url, body, **standard(body))).status_code == 200
        assert (await self._receiver.send(self._hooked.url, body)).status_code == 401

    async def _speak(self) -> None:
        place = self._platform.ready["triggers"].replace("http://", "ws://")
        headers = {"Authorization": f"Bearer {self._platform.token}"}
        async with (
            asyncio.timeout(30),
            websockets.connect(f"{place}/v1/{APP}/realtime", additional_headers=headers) as socket,
        ):
            await socket.send(json.dumps({"type": "event", "event": "chat", "payload": {}}))
            while json.loads(await socket.recv())["type"] != "event_response":
                pass

    async def _execute(self, slug: str, status: str) -> None:
        answer = await self._client.post(f"/api/functions/{slug}/execute/", json={"params": {"amount": 1}})
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == status, answer.text

    async def _created(self, name: str, **fields: Any) -> str:
        body = {"name": f"Watched {name}", "execution_mode": "app", **fields}
        answer = await self._client.post(f"/api/apps/{APP}/functions/", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["slug"])

    async def _made(self, name: str, code: str, **fields: Any) -> str:
        slug = await self._created(name, **fields)
        body = {"version": "1.0.0", "code": code, "is_active": True}
        answer = await self._client.post(f"/api/functions/{slug}/code/", json=body)
        assert answer.status_code == 201, answer.text
        return slug

    async def _deployed(self, name: str, code: str, **fields: Any) -> None:
        answer = await self._client.post(f"/v1/{APP}/functions", json={"name": name, "code": code, **fields})
        assert answer.status_code == 200, answer.text
