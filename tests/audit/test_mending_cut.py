"""Who is killed in the middle of mending leaves the rest to the next one, and nothing is mended twice."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.bus import backlog, streams
from tests.audit.platform import Audited

_ROOT = Path(__file__).resolve().parents[2]
_CALLS = 400


async def command(shoal: Audited, *options: str) -> asyncio.subprocess.Process:
    """`shoal audit --json`, on the servers of this platform."""
    environ = {
        **os.environ,
        "NATS_URL": shoal.platform.nats_url,
        "MONGODB_URL": shoal.platform.mongodb_url,
        "SHOAL_MONGODB_DATABASE": shoal.database,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "audit", "--json", "--settle-s", "0.2", *options,
        cwd=_ROOT, env=environ, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def answered(shoal: Audited, *options: str) -> tuple[int, dict[str, Any]]:
    process = await command(shoal, *options)
    said, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    return process.returncode or 0, json.loads(said)


async def test_mending_may_be_killed_at_any_moment(shoal: Audited) -> None:
    done = await shoal.function("Done", shoal.done)
    await shoal.stop("executor")
    tasks = await shoal.many(done, _CALLS)
    await shoal.until(tasks[-1], "PENDING")
    await shoal.quiet()
    await shoal.bus.stream.purge_stream(streams.WORK)
    code, report = await answered(shoal)
    assert (code, report["found"]["lost"]) == (1, _CALLS)

    before = await shoal.bus.last_sequence(streams.INVOKE)
    mending = await command(shoal, "--mend")
    async with asyncio.timeout(60):
        while (put_in := await shoal.bus.last_sequence(streams.INVOKE) - before) < _CALLS // 4:
            assert mending.returncode is None
            await asyncio.sleep(0.002)
    mending.send_signal(signal.SIGKILL)
    await mending.wait()
    assert put_in < _CALLS

    code, report = await answered(shoal, "--mend")
    assert (code, report["is_clean"]) == (0, True)
    assert await shoal.bus.last_sequence(streams.INVOKE) - before == _CALLS
    queued = [one.task_id async for found in backlog.queued(shoal.bus) for one in found]
    assert sorted(queued) == sorted(tasks)
    await shoal.start("executor")
    for task_id in tasks:
        await shoal.until(task_id, "SUCCESS")
    assert len(shoal.modes[-1].calls) == _CALLS
    code, report = await answered(shoal)
    assert (code, report["finished"]) == (0, {"SUCCESS": _CALLS})


async def test_what_cannot_be_done_is_neither_clean_nor_found(shoal: Audited) -> None:
    environ = {**os.environ, "MONGODB_URL": shoal.platform.mongodb_url, "NATS_URL": "nats://127.0.0.1:1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "audit", cwd=_ROOT, env=environ, stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), timeout=60)
    assert (process.returncode, said.count(b"\n")) == (2, 1)


@pytest.mark.parametrize("settle_s", ["-1", "nan", "inf"])
async def test_a_time_to_settle_that_is_none_is_refused(shoal: Audited, settle_s: str) -> None:
    environ = {**os.environ, "MONGODB_URL": shoal.platform.mongodb_url, "NATS_URL": shoal.platform.nats_url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "audit", f"--settle-s={settle_s}",
        cwd=_ROOT, env=environ, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), timeout=60)
    assert (process.returncode, said) == (2, b"shoal: --settle-s must be from 0 to 3600\n")
