"""When the executor is killed, nothing it started stays behind: not the zygote, not a spare, not a busy worker."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
EXECUTOR = """
import asyncio, sys
from services.executor.modes.python.mode import open_mode
from services.executor.modes.python.settings import PythonSettings
from tests.python_mode.calling import call_of
async def main():
    mode = await open_mode(PythonSettings(without=tuple(sys.argv[1:])))
    call = await call_of(mode, "def main(): \\n    while True: pass", timeout_s=60)
    running = asyncio.create_task(mode.run(call))
    while not mode._pool.live or mode._spares.count < 2:
        await asyncio.sleep(0.01)
    print("pids", mode.facts()["zygote_pid"], *(worker.link.pid for worker in mode._pool.live),
          *(link.pid for link in mode._spares._ready), flush=True)
    await running
asyncio.run(main())
"""
SET_UPS = {
    "everything": (),
    "no namespaces": ("namespaces",),
    "least": ("namespaces", "chroot", "uid", "landlock"),
}


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("name", SET_UPS)
async def test_nobody_outlives_the_executor(name: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        EXECUTOR,
        *SET_UPS[name],
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            line = b""
            while not line.startswith(b"pids"):
                line = await process.stdout.readline()
        pids = [int(word) for word in line.split()[1:]]
        assert len(pids) >= 4
        assert all(map(lives, pids))
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    killed = time.monotonic()
    while any(map(lives, pids)):
        assert time.monotonic() - killed < 2
        await asyncio.sleep(0.01)
