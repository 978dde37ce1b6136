"""Dead letters, for the tests: functions that fail, and what they leave."""

import asyncio
from typing import Any

import httpx

FAILING = "def main(params, user_data):\n raise ValueError('no ' + str(params.get('n', '')))"
WITHIN_S = 30.0


async def call(http: httpx.AsyncClient, slug: str, **params: Any) -> str:
    """Call it without waiting; the task."""
    answer = await http.post(f"/api/functions/{slug}/execute/", json={"params": params, "async": True})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


async def letters(http: httpx.AsyncClient, slug: str, count: int) -> list[dict[str, Any]]:
    """The function's letters, the newest first, as soon as there are so many."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            page = (await http.get("/api/dead-letters/", params={"function": slug, "page_size": 100})).json()
            if page["count"] >= count:
                assert page["count"] == count, page
                found: list[dict[str, Any]] = page["results"]
                return found
            await asyncio.sleep(0.05)


async def dead_letter_of(http: httpx.AsyncClient, slug: str) -> int:
    """The number of the letter that a call of this function leaves."""
    await call(http, slug)
    (letter,) = await letters(http, slug, 1)
    return int(letter["id"])


async def ended(http: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    """The result of a task, as soon as it has ended."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            answer = await http.get(f"/api/functions/result/{task_id}/")
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            if found["status"] not in ("PENDING", "STARTED", "RETRY"):
                return found
            await asyncio.sleep(0.05)
