"""One server as a child process: started, answering, stopped, started again where it was."""

import asyncio
import contextlib
import os
import secrets
import socket
from pathlib import Path

from shared.embedded.process import EmbeddedError, end, held, hold, spawn

LOOPBACK = "127.0.0.1"
USER = "shoal"
STOP_S = 5.0
FORMER_S = 15.0
"""How long the children of a killed run may take to let go of the data folder."""


def free_port() -> int:
    """A loopback port below the kernel's own range: no outgoing connection takes it while its server is down."""
    for _ in range(100):
        port = 20000 + secrets.randbelow(12000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    raise EmbeddedError("no free port on 127.0.0.1 between 20000 and 32000")


class Server:
    """One server in one folder on one port: it can be stopped and started again, and finds what it had."""

    name: str

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self.folder = folder.resolve()
        self.port = port or self._former_port() or free_port()
        self._process: asyncio.subprocess.Process | None = None
        self._tending: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether it has a process."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Return when the server answers; EmbeddedError with the last line of its log when it ends instead.

        There is no other bound: after a crash it reads its journals first, and that takes as long as there is to read.
        """
        if self.running:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = await hold(self.folder / "lock", within_s=FORMER_S)
        try:
            (self.folder / "port").write_text(f"{self.port}\n")
            self._put_log_aside()
            argv = self._prepare()
            self._process = await spawn(argv, env=self._environ(), pass_fds=[lock])
        finally:
            os.close(lock)
        self._tending = asyncio.create_task(self._tend(self._process))
        try:
            await self._until_ready(self._process)
        except BaseException:
            await self.stop()
            raise

    async def stop(self, *, within_s: float = STOP_S) -> int:
        """End it; the exit code. What it keeps stays."""
        code = await end(self._process, within_s=within_s) if self._process is not None else 0
        if self._tending is not None:
            await asyncio.wait({self._tending})
        return code

    async def wait(self) -> int:
        """The exit code, when the server has ended."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return await self._process.wait()

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        ready, died = asyncio.ensure_future(self._answers()), asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait({ready, died}, return_when=asyncio.FIRST_COMPLETED)
            if died.done():
                why = f"ended with code {died.result()}"
                raise EmbeddedError(f"{self.name} on port {self.port} {why}: {self._last_words()}")
            ready.result()
        finally:
            for task in (ready, died):
                task.cancel()
            await asyncio.gather(ready, died, return_exceptions=True)

    def _former_port(self) -> int | None:
        """The last run's port while it is free: a replica set knows its members by host and port."""
        try:
            port = int((self.folder / "port").read_text())
            if held(self.folder / "lock"):  # by the last run's server, which is about to end
                return port
            with socket.socket() as probe:
                # As the servers do: the last run's closed connections do not keep the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((LOOPBACK, port))
        except (OSError, ValueError):
            return None
        return port

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-1:] if self._log.exists() else []
        return lines[0][:500] if lines else f"its log {self._log} is empty"

    def _put_log_aside(self) -> None:
        """The former log stays beside the new one, for its last words may be why there is a new one."""
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.1"))

    async def _tend(self, process: asyncio.subprocess.Process) -> None:
        """What has to be done for the server while it runs."""

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def _environ(self) -> dict[str, str] | None:
        """The server's environment; None for ours."""
        return None

    def _prepare(self) -> list[str | Path]:
        """Write what the server reads, and say how it is started."""
        raise NotImplementedError

    async def _answers(self) -> None:
        """Return when the server can be used."""
        raise NotImplementedError
