"""The receiver of docs/callbacks.md, run as it stands there."""

import asyncio
import os
import re
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from services.executor.modes.system.callback import Ended
from tests.callbacks.asking import WITHIN_S, call, delivery, secret_of
from tests.callbacks.conftest import Make

PAGE = (Path(__file__).parents[2] / "docs" / "callbacks.md").read_text(encoding="utf-8")
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


class Running:
    """The program, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def said(self) -> str:
        """The next line."""
        assert self._process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            return (await self._process.stdout.readline()).decode().rstrip()


@asynccontextmanager
async def running(secret: str, folder: Path) -> AsyncIterator[tuple[Running, str]]:
    """The program and its address, in a Python without anything but the standard library."""
    program = folder / "receiver.py"
    program.write_text(PROGRAM)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(program), env={"CALLBACK_SECRET": secret, "PATH": os.environ["PATH"]},
        stdout=PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        started = Running(process)
        yield started, f"http://127.0.0.1:{(await started.said()).removeprefix('listening on ')}"
    finally:
        process.kill()
        await process.wait()


async def test_the_receiver_of_the_page_takes_what_is_signed(client: httpx.AsyncClient, make: Make, tmp_path: Path):
    async with running(await secret_of(client), tmp_path) as (program, url):
        task_id = await call(client, await make(callback_url=f"{url}/ended"), {"amount": 10, "rate": 0.5})
        assert await program.said() == f"{task_id} SUCCESS {{'amount': 10, 'tax': 5.0, 'total': 15.0}}"
        assert (await delivery(client, task_id))["result"]["result"] == {"status": 204}


async def test_the_receiver_of_the_page_refuses_what_is_not(client: httpx.AsyncClient, make: Make, tmp_path: Path):
    forged = {"webhook-id": "1", "webhook-timestamp": "1"}
    async with running(await secret_of(client), tmp_path) as (program, url), httpx.AsyncClient() as http:
        for headers in ({}, {**forged, "webhook-signature": "v1,AAAA"}):
            assert (await http.post(url, content=b"{}", headers=headers)).status_code == 401
            assert (await program.said()).startswith("refused: ")
    async with running("whsec_" + "A" * 44, tmp_path) as (program, url):
        await call(client, await make(callback_url=f"{url}/ended"))
        assert await program.said() == "refused: not signed by Shoal"


def test_the_page_names_what_is_told():
    said = {f'"{name}"' for name in ("task_id", "status", "result", "error", "duration_ms")}
    assert all(name in PAGE for name in said)
    unnamed = [name for name in Ended.__struct_fields__ if f'"{name}"' not in PAGE and f"`{name}`" not in PAGE]
    assert unnamed == []
