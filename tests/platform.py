"""A whole Shoal as a child process, as `shoal up` starts it, for the tests."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.documented import documented

ROOT = Path(__file__).resolve().parent.parent
START_S = 60.0
STOP_S = 20.0
# The bus sets aside what streams may grow to; with the defaults 18 GiB of disk would have to be free for every test.
ROOM = {"SHOAL_INVOKE_BYTES": str(1 << 30), "SHOAL_EVENT_BYTES": str(2 << 30)}


class Platform:
    """A running Shoal. `log` is where its output goes."""

    def __init__(self, process: asyncio.subprocess.Process, data_dir: Path, log: Path) -> None:
        self.process = process
        self.data_dir = data_dir
        self.log = log

    @property
    def ready(self) -> dict[str, Any]:
        """What ready.json says now."""
        found: dict[str, Any] = json.loads((self.data_dir / "ready.json").read_text())
        return found

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def token(self) -> str:
        return str(self.ready["token"])

    def pid(self, service: str) -> int:
        """The service's process."""
        return int(self.ready["services"][service]["pid"])

    def kill(self, service: str) -> int:
        """kill -9; the pid that died."""
        pid = self.pid(service)
        os.kill(pid, signal.SIGKILL)
        return pid

    async def restarted(self, service: str, dead: int, *, within_s: float = 30.0) -> None:
        """Wait until the service runs again under another pid and answers."""
        async with asyncio.timeout(within_s), httpx.AsyncClient() as http:
            while True:
                await asyncio.sleep(0.05)
                try:
                    entry = self.ready["services"][service]
                    if entry["pid"] == dead:
                        continue
                    answer = await http.get(entry["metrics"].replace("/metrics", "/readyz"))
                    if answer.status_code == 200:
                        return
                except (OSError, ValueError, KeyError, httpx.HTTPError):
                    continue

    def client(self, **options: Any) -> httpx.AsyncClient:
        """An HTTP client with the admin's token, to which nothing is answered that the API does not describe."""
        headers = {"Authorization": f"Bearer {self.token}"}
        hooks = {"response": [documented]}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60.0, event_hooks=hooks, **options)


@asynccontextmanager
async def running(data_dir: Path, **settings: str) -> AsyncIterator[Platform]:
    """Start Shoal on a data folder and a free port; stop it as an operator would. Its log is shown when it fails."""
    data_dir.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - once, before anything runs
    log = data_dir.with_suffix(".log")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    environ = {**inherited, **ROOM, "SHOAL_API_RATE_LIMITS": "false", **settings}  # tests of other things ask often
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", "up", "--port", "0", "--data-dir", str(data_dir),
            cwd=ROOT, env=environ, stdout=output, stderr=output,
        )  # fmt: skip
    platform = Platform(process, data_dir, log)
    try:
        await _until_ready(platform)
        yield platform
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), timeout=STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _until_ready(platform: Platform) -> None:
    try:
        async with asyncio.timeout(START_S):
            while not (platform.data_dir / "ready.json").exists():
                if platform.process.returncode is not None:
                    raise AssertionError(f"shoal up ended with {platform.process.returncode}:\n{_said(platform)}")
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"shoal up was not ready within {START_S:g} s:\n{_said(platform)}") from None


def _said(platform: Platform) -> str:
    return platform.log.read_text()[-4000:]
