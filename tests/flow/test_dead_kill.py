"""kill -9 of the executor amid calls that fail while nobody waits: each leaves one letter, and no call two."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.dead import FAILING
from tests.platform import running

COUNT = 300


async def test_each_death_leaves_one_letter(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder: Path = tmp_path_factory.mktemp("dead-kill") / "data"
    async with running(folder, SHOAL_LEASE_S="2") as fragile, fragile.client() as client:
        made = await client.post("/api/apps/kill/functions/", json={"name": "Fails", "execution_mode": "app"})
        slug = str(made.json()["slug"])
        code = {"version": "1.0.0", "code": FAILING, "is_active": True}
        assert (await client.post(f"/api/functions/{slug}/code/", json=code)).status_code == 201
        some = asyncio.Event()

        async def submit(share: int) -> list[str]:
            accepted = []
            for number in range(share):
                body = {"params": {"n": number}, "async": True}
                answer = await client.post(f"/api/functions/{slug}/execute/", json=body)
                assert answer.status_code == 202, answer.text
                accepted.append(answer.json()["task_id"])
                if number > share // 3:
                    some.set()
            return accepted

        async def kill() -> int:
            await some.wait()
            return fragile.kill("executor")

        *shares, killed = await asyncio.gather(*(submit(COUNT // 6) for _ in range(6)), kill())
        await fragile.restarted("executor", killed)
        await _until_ended(client, slug)
        tasks = [row["task_id"] for row in await _all(client, slug)]
        assert sorted(tasks) == sorted(task_id for share in shares for task_id in share)


async def _until_ended(client: httpx.AsyncClient, slug: str) -> None:
    async with asyncio.timeout(90):
        while True:
            rows = (await client.get(f"/api/functions/{slug}/executions/", params={"limit": COUNT})).json()["results"]
            if len(rows) == COUNT and {row["task_status"] for row in rows} == {"FAILURE"}:
                return
            await asyncio.sleep(0.2)


async def _all(client: httpx.AsyncClient, slug: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    url: str | None = f"/api/dead-letters/?function={slug}&page_size=100"
    while url is not None:
        page = (await client.get(url)).json()
        rows += page["results"]
        url = page["next"]
    return rows
