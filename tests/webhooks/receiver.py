"""Functions that webhooks set off, and those who send them."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

WITHIN_S = 30.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # a published example
ECHO = """
def handler(request, ctx):
    headers = {}
    for name, value in request.headers.items():
        headers[name] = value
    print(request.body.hex())
    return {"method": request.method, "url": request.url, "path": request.path, "query": request.query,
            "headers": headers, "body": request.body.hex(), "caller": ctx.caller}
"""
Lines = dict[str, str]


class Hook(NamedTuple):
    """A deployed function: `path` of its webhook, and `url`, which is that with its signature, if it has one."""

    name: str
    path: str
    url: str


class Receiver:
    """Deploys into one app; `owner` asks the API, `anyone` the door of the triggers service."""

    def __init__(self, owner: httpx.AsyncClient, anyone: httpx.AsyncClient, app: str) -> None:
        self.owner = owner
        self.anyone = anyone
        self.app = app

    async def deploy(
        self,
        name: str = "hook",
        code: str = ECHO,
        *,
        enabled: bool = True,
        runtime: str = "python",
        timeout_ms: int = 30_000,
        **config: Any,
    ) -> Hook:
        """A function of this code, whose webhook has this config."""
        trigger = {"type": "webhook", "config": config, "enabled": enabled}
        body = {"name": name, "runtime": runtime, "code": code, "triggers": [trigger], "timeoutMs": timeout_ms}
        answer = await self.owner.post(f"/v1/{self.app}/functions", json=body)
        assert answer.status_code == 200, answer.text
        url = answer.json().get("webhook", {}).get("url", f"/v1/{self.app}/webhook/{quote(name, safe='')}")
        target = url[url.index("/v1/") :]
        return Hook(name, target.partition("?")[0], target)

    async def send(self, hook: Hook | str, body: bytes = b"{}", **lines: str) -> httpx.Response:
        """POST these bytes; names of header lines with `_` for `-`."""
        headers = {name.replace("_", "-"): value for name, value in lines.items()}
        return await self.anyone.post(hook if isinstance(hook, str) else hook.path, content=body, headers=headers)

    async def logs(self, hook: Hook, count: int) -> list[dict[str, Any]]:
        """The function's log, as soon as it has as many entries."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                answer = await self.owner.get(f"/v1/{self.app}/functions/{hook.name}/logs", params={"limit": 1000})
                entries: list[dict[str, Any]] = answer.json()["logs"]
                if len(entries) >= count:
                    return entries
                await asyncio.sleep(0.05)


def standard(body: bytes, *, id: str = "", at: float = 0.0, secret: str = SECRET) -> Lines:
    """The header lines of a delivery by Standard Webhooks; a new one without an `id`."""
    id, stamp = id or f"msg_{uuid.uuid4().hex}", str(int(at or time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.digest(key, f"{id}.{stamp}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(signed).decode()}"
    return {"webhook_id": id, "webhook_timestamp": stamp, "webhook_signature": signature}


def told(answer: httpx.Response, status: int) -> Any:
    """The JSON of an answer."""
    assert answer.status_code == status, answer.text
    return json.loads(answer.content)
