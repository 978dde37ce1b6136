"""All services are started anew under load: nobody who calls is told anything but how his call ended."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import TAX
from tests.platform import ROOT, Platform, running

CALLERS = 6
PATH = "/api/functions/rolling-tax/execute/"
EXECUTE = {"params": {"amount": 1000, "rate": 0.15}}


@pytest.fixture(scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("rolling") / "data"
    async with running(folder) as platform, platform.client() as client:
        made = await client.post("/api/apps/rolling/functions/", json={"name": "Rolling Tax", "execution_mode": "app"})
        assert made.status_code == 201, made.text
        code = {"version": "1.0.0", "code": TAX, "is_active": True}
        assert (await client.post("/api/functions/rolling-tax/code/", json=code)).status_code == 201
        yield platform


class Load:
    """Callers, one call after the other each, until they are told that it is enough."""

    def __init__(self, platform: Platform) -> None:
        self.answers: Counter[str] = Counter()
        self.accepted: list[str] = []
        self.enough = asyncio.Event()
        self._platform = platform

    async def call(self, *, waits: bool) -> None:
        # A connection of its own for each call: who keeps one open has to ask again when the server closes it.
        async with self._platform.client(limits=httpx.Limits(max_keepalive_connections=5)) as client:
            while not self.enough.is_set():
                try:
                    answer = await client.post(PATH if waits else f"{PATH}?async=true", json=EXECUTE)
                except httpx.HTTPError as error:
                    self.answers[repr(error)] += 1
                    continue
                self.answers[f"{'sync' if waits else 'async'} {answer.status_code}"] += 1
                if not waits and answer.status_code == 202:
                    self.accepted.append(answer.json()["task_id"])


async def test_a_rolling_restart_is_invisible_to_callers(platform: Platform) -> None:
    before = {name: entry["pid"] for name, entry in platform.ready["services"].items()}
    load = Load(platform)
    callers = [asyncio.create_task(load.call(waits=number % 2 == 0)) for number in range(CALLERS)]
    argv = [sys.executable, "-m", "cli", "restart", "--data-dir", str(platform.data_dir)]
    restarting = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(180):
        said, _ = await restarting.communicate()
        load.enough.set()
        await asyncio.gather(*callers)
    assert said == b"All services have been started anew\n"
    after = {name: entry["pid"] for name, entry in platform.ready["services"].items()}
    assert before.keys() == after.keys()
    assert not [name for name in before if before[name] == after[name]]
    assert set(load.answers) == {"sync 200", "async 202"}, load.answers
    async with platform.client() as client:
        for task_id in load.accepted:
            await _success(client, task_id)


async def _success(client: httpx.AsyncClient, task_id: str) -> None:
    async with asyncio.timeout(30):
        while True:
            found = await client.get(f"/api/functions/invocations/by-task-id/{task_id}/")
            if found.status_code == 200 and found.json()["task_result"]["status"] == "SUCCESS":
                return
            await asyncio.sleep(0.1)


async def test_nothing_runs_there(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "cli", "restart", "--data-dir", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode() == f"shoal: nothing runs on data folder {tmp_path}\n"
