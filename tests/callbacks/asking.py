"""Calls of functions, and looks at what became of their callbacks."""

import asyncio
from typing import Any

import httpx

from shared.domain.callback import STEP
from shared.submit import step_task_id
from tests.callbacks.receiver import Posted, Receiver

WITHIN_S = 30.0
ENDS = ("SUCCESS", "FAILURE", "CANCELLED", "EXPIRED")


async def call(client: httpx.AsyncClient, slug: str, params: dict[str, Any] | None = None, **body: Any) -> str:
    """Ask for a call and do not wait; its task id."""
    asked = {"params": params or {}, "async": True, **body}
    answer = await client.post(f"/api/functions/{slug}/execute/", json=asked)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


async def came(receiver: Receiver, name: str, count: int = 1) -> list[Posted]:
    """What came for a path, as soon as it is as many."""
    return await asyncio.to_thread(receiver.wait, name, count, within_s=WITHIN_S)


async def delivery(client: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    """The end of the callback of a task, as the result of its own invocation."""
    path = f"/api/functions/result/{step_task_id(task_id, STEP)}/"
    async with asyncio.timeout(WITHIN_S):
        while True:
            answer = await client.get(path)
            if answer.status_code == 200 and (found := answer.json())["status"] in ENDS:
                return dict(found)
            await asyncio.sleep(0.05)


async def secret_of(client: httpx.AsyncClient) -> str:
    answer = await client.get("/api/callbacks/secret/")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["secret"])
