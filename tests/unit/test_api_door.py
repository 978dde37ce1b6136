"""The outermost application: how many it lets in."""

import asyncio
from typing import Any

from services.api.dialects.apps.live import LASTS
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


async def test_an_answer_that_lasts_keeps_nobody_out() -> None:
    going_on, may_end = asyncio.Event(), asyncio.Event()

    async def framework(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/lasts":
            scope[LASTS]()
            scope[LASTS]()  # once is enough
            going_on.set()
            await may_end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    door = Door(None, framework, most=1)  # type: ignore[arg-type]  # no call is made

    async def ask(path: str) -> int:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await door({"type": "http", "method": "GET", "path": path, "headers": []}, None, send)  # type: ignore[arg-type]
        return int(sent[0]["status"])

    lasting = asyncio.create_task(ask("/lasts"))
    await asyncio.wait_for(going_on.wait(), 5)
    assert await ask("/one") == 200
    may_end.set()
    assert await lasting == 200
    assert await ask("/two") == 200
