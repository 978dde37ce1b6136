"""The processes of functions end with whatever they depend on, however that ends."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.test_up import STOP_S, Up, get

HELLO = "def main(params):\n    return {'hello': params.get('name')}"
ORPHAN_S = 5.0

Process = tuple[int, str]
"""A pid, and when it was started: the number alone may be somebody else's by now."""


@pytest.mark.parametrize("end", ["shoal is told to stop", "the executor is killed", "the supervisor is killed"])
async def test_no_worker_is_left(tmp_path: Path, end: str):
    async with Up(tmp_path / "data") as up:
        await up.until('"action": "up"')
        facts = up.ready()
        await _run_a_function(facts)
        executor = facts["services"]["executor"]["pid"]
        below = _descendants(executor)
        assert len(below) >= 2, "a zygote, and a worker"
        match end:
            case "shoal is told to stop":
                async with asyncio.timeout(STOP_S):
                    assert await up.end(signal.SIGTERM) == 0
                assert _alive(below) == []
            case "the executor is killed":
                os.kill(executor, signal.SIGKILL)
                await _until_gone(below, within_s=ORPHAN_S)
            case "the supervisor is killed":
                await up.end(signal.SIGKILL)
                await _until_gone(below, within_s=STOP_S)


async def _run_a_function(facts: dict[str, Any]) -> None:
    url, token = facts["url"], facts["token"]
    made = {"name": "Hello", "execution_mode": "app", "environment": "python"}
    code = {"version": "1.0.0", "code": HELLO, "is_active": True}
    for path, body, expected in (
        ("apps/orphans/functions", made, 201),
        ("functions/hello/code", code, 201),
        ("functions/hello/execute", {"params": {"name": "you"}}, 200),
    ):
        status, answer = await get(f"{url}/api/{path}/", body, token=token)
        assert status == expected, answer


def _stat(pid: int) -> list[str]:
    """State, parent and so on; empty when it is gone or only waits to be collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [] if fields[0] in "ZX" else fields


def _descendants(pid: int) -> list[Process]:
    living = {int(entry.name): _stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    found = [pid]
    for parent in found:  # grows while it is walked
        found += [child for child, fields in living.items() if fields and int(fields[1]) == parent]
    return [(one, living[one][19]) for one in found[1:]]


def _alive(processes: list[Process]) -> list[Process]:
    return [(pid, since) for pid, since in processes if (fields := _stat(pid)) and fields[19] == since]


async def _until_gone(processes: list[Process], *, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while _alive(processes):
            await asyncio.sleep(0.02)
