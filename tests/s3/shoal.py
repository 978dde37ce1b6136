"""A platform whose sources may reach this machine, what it is told to do, and how often its functions were run."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import nats

from shared.embedded.server import free_port
from tests.platform import ROOT, Platform, running

KEY = "5e" * 32
APP = "uploads"
WITHIN_S = 60.0
CODE = "def main(params, user_data):\n return params"
_numbers = count(1)


@asynccontextmanager
async def shoal(folder: Path, **settings: str) -> AsyncIterator[Platform]:
    """A platform of a test's own."""
    more = {"SHOAL_EGRESS_PRIVATE": "true", "SHOAL_SECRET_KEY": KEY, "SHOAL_TRIGGERS_SOURCE_PAUSE_S": "2"}
    async with running(folder / "data", **(more | settings)) as platform:
        yield platform


@asynccontextmanager
async def another_triggers(platform: Platform, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """One more process of the triggers service, when it is ready; it is killed at the end."""
    health_port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    environ = inherited | {
        "NATS_URL": platform.ready["nats"],
        "MONGODB_URL": platform.ready["mongodb"],
        "SHOAL_SECRET_KEY": KEY,
        "SHOAL_EGRESS_PRIVATE": "true",
        "SHOAL_TRIGGERS_PORT": "0",
        "SHOAL_HEALTH_PORT": str(health_port),
        "SHOAL_TRIGGERS_SOURCE_PAUSE_S": "2",
    }
    with (folder / "another.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.triggers", cwd=ROOT, env=environ, stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(WITHIN_S), httpx.AsyncClient() as http:
            while True:
                assert process.returncode is None, (folder / "another.log").read_text()[-4000:]
                try:
                    if (await http.get(f"http://127.0.0.1:{health_port}/readyz")).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Uploads:
    """What a tenant does with uploads."""

    def __init__(self, platform: Platform, client: httpx.AsyncClient) -> None:
        self.platform = platform
        self.client = client

    async def function(self, bucket: str, **config: Any) -> str:
        """A function that runs for uploads to the bucket; its slug."""
        name = f"upload-{next(_numbers)}"
        triggers = [{"type": "s3_upload", "config": {"bucket": bucket, **config}}]
        body = {"name": name, "runtime": "python", "code": CODE, "triggers": triggers}
        made = await self.client.post(f"/v1/{APP}/functions", json=body)
        assert made.status_code == 200, made.text
        page = (await self.client.get("/api/functions/", params={"search": name, "page_size": 100})).json()
        return next(str(row["slug"]) for row in page["results"] if row["name"] == name)

    async def source(self, kind: str, config: dict[str, Any], **secrets: str) -> dict[str, Any]:
        """A source, as its creation is answered."""
        body = {"name": f"source-{next(_numbers)}", "kind": kind, "config": config, "secrets": secrets}
        made = await self.client.post("/api/event-sources/", json=body)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    async def change(self, name: str, **body: Any) -> dict[str, Any]:
        changed = await self.client.patch(f"/api/event-sources/{name}/", json=body)
        assert changed.status_code == 200, changed.text
        found: dict[str, Any] = changed.json()
        return found

    async def delete(self, name: str) -> None:
        assert (await self.client.delete(f"/api/event-sources/{name}/")).status_code == 204

    async def until(
        self, name: str, holds: Callable[[dict[str, Any]], bool], *, within_s: float = WITHIN_S
    ) -> dict[str, Any]:
        """The status of a source, when it is like that."""
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(within_s):
                while True:
                    found = (await self.client.get(f"/api/event-sources/{name}/")).json()["status"]
                    if holds(found):
                        return found
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(found) from None

    async def works(self, name: str) -> dict[str, Any]:
        """The status of a source that is running."""
        return await self.until(name, lambda status: status["state"] == "running")

    async def runs(self, slug: str) -> int:
        """How often the function was told to run."""
        connection = await nats.connect(self.platform.ready["nats"])
        try:
            info = await connection.jetstream().stream_info("INVOKE", subjects_filter=f"invoke.*.{slug}")
            return sum((info.state.subjects or {}).values())
        finally:
            await connection.close()

    async def until_run(self, slug: str, times: int, *, within_s: float = WITHIN_S) -> None:
        """Wait until the function was told to run so often, and no more."""
        found = 0
        try:
            async with asyncio.timeout(within_s):
                while (found := await self.runs(slug)) < times:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{found} runs of {times}") from None
        assert found == times
