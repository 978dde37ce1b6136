"""A full disk: nothing is accepted that could be lost, and with room again everything goes on by itself."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import TAX
from tests.platform import Platform, running

DISK_MIB = 512
EXECUTE = {"params": {"amount": 1000, "rate": 0.15}}
STREAM_BYTES = str(16 << 20)
PATH = "/api/functions/full-tax/execute/"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
async def platform(disk: Path) -> AsyncIterator[Platform]:
    bounds = {"SHOAL_INVOKE_BYTES": STREAM_BYTES, "SHOAL_EVENT_BYTES": STREAM_BYTES, "SHOAL_BUS_TIMEOUT_S": "1"}
    async with running(disk / "data", **bounds) as platform:
        yield platform


async def test_a_full_disk(platform: Platform, disk: Path) -> None:
    async with platform.client() as client:
        made = await client.post("/api/apps/full/functions/", json={"name": "Full Tax", "execution_mode": "app"})
        assert made.status_code == 201, made.text
        code = {"version": "1.0.0", "code": TAX, "is_active": True}
        assert (await client.post("/api/functions/full-tax/code/", json=code)).status_code == 201
        assert (await client.post(PATH, json=EXECUTE)).status_code == 200

        _fill(disk / "filling")
        large = {"params": {**EXECUTE["params"], "pad": "x" * 100_000}}
        accepted: list[str] = []
        async with asyncio.timeout(30):
            while (answer := await client.post(f"{PATH}?async=true", json=large)).status_code == 202:
                accepted.append(answer.json()["task_id"])
        assert answer.status_code == 503

        (disk / "filling").unlink()
        async with asyncio.timeout(60):
            while (answer := await _asked(client)) != 200:
                await asyncio.sleep(0.2)
        for task_id in accepted:
            await _success(client, task_id)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * (1 << 20))


async def _asked(client: httpx.AsyncClient) -> int:
    return (await client.post(PATH, json=EXECUTE)).status_code


async def _success(client: httpx.AsyncClient, task_id: str) -> None:
    until = time.monotonic() + 60
    while True:
        found = await client.get(f"/api/functions/invocations/by-task-id/{task_id}/")
        if found.status_code == 200 and found.json()["task_result"]["status"] == "SUCCESS":
            return
        assert time.monotonic() < until, found.text
        await asyncio.sleep(0.1)
