"""One service as a child process."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence

from cli.supervisor.settings import UpError
from shared import embedded

_REFUSED_SETTINGS = 2
"""The exit status of a service whose settings are wrong (shared/boot.py): to start it again would change nothing."""


class Service:
    """`python -m services.<name>`, with sockets that outlive it."""

    def __init__(self, name: str, *, environ: Mapping[str, str], descriptors: Sequence[int]) -> None:
        self.name = name
        self._environ = environ
        self._descriptors = descriptors
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Start it; it says itself, on its health port, when it is ready."""
        argv = [sys.executable, "-m", f"services.{self.name}"]
        self._process = await embedded.spawn(argv, env=self._environ, pass_fds=self._descriptors, output=None)

    async def wait(self) -> int:
        """The exit code, when it has ended. Raises UpError when it refused its settings."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        code = await self._process.wait()
        if code == _REFUSED_SETTINGS:
            raise UpError(f"{self.name} refused its settings (its line is above)")
        return code

    async def stop(self, *, within_s: float) -> int:
        """Let it finish its work, within bounds; the exit code."""
        return await embedded.end(self._process, within_s=within_s) if self._process is not None else 0


def kill(pid: int) -> None:
    """End a child at once, with whatever it has started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
