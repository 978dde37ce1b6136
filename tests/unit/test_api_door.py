"""The outermost application: how many it lets in."""

import asyncio
from typing import Any

from services.api.door import Door


async def test_one_more_than_may_be_in_progress():
    inside, go, sent = asyncio.Event(), asyncio.Event(), []

    async def framework(_scope: Any, _receive: Any, send: Any) -> None:
        inside.set()
        await go.wait()
        await send({"type": "http.response.start", "status": 200})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("status", message.get("body")))

    async def receive() -> dict[str, Any]:
        raise AssertionError

    door = Door(None, framework, most=1)  # type: ignore[arg-type]
    scope = {"type": "http", "method": "GET", "path": "/api/functions"}
    first = asyncio.create_task(door(scope, receive, send))
    await inside.wait()
    await door(scope, receive, send)
    assert sent[0] == 503
    assert b"1 requests are in progress already" in sent[1]
    go.set()
    await first
    await door(scope, receive, send)
    assert sent[2:] == [200, 200]
