"""Every service, twice; whatever ends is started again a moment later, as a supervisor does."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from chaos.journal import Event, Journal
from cli.supervisor import doors, readiness
from shared import embedded
from shared.config import SERVICES

REPLICAS = 2
AGAIN_S = 0.3
READY_S = 90.0
STOP_S = 15.0


class Instance:
    """One process of one service, and whoever follows it. Its sockets outlive it."""

    def __init__(
        self, service: str, number: int, *, environ: Mapping[str, str], folder: Path, journal: Journal
    ) -> None:
        self.service = service
        self.name = f"{service}-{number}"
        self.health = doors.health()
        self.door: socket.socket | None = doors.inner() if service in ("api", "triggers") else None
        self._environ = {**environ, "SHOAL_SEAT": self.name, "SHOAL_HEALTH_FD": str(self.health.fileno())}
        if self.door is not None:
            self._environ[f"SHOAL_{service.upper()}_FD"] = str(self.door.fileno())
        self._log = folder / f"{self.name}.log"
        self._journal = journal
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self.pids: list[int] = []
        self.ended: dict[int, Event] = {}  # by pid: what we did to it

    @property
    def url(self) -> str:
        """Its door, for HTTP."""
        assert self.door is not None
        return doors.url(self.door)

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def sockets(self) -> list[socket.socket]:
        """What its processes inherit."""
        return [self.health, *([self.door] if self.door is not None else [])]

    async def start(self) -> None:
        """Start it, and keep it running."""
        await self._start()
        self._keeping = asyncio.create_task(self._keep(), name=self.name)

    async def ready(self, *, within_s: float = READY_S) -> bool:
        """Whether the process that has its place now can do its job."""
        return not await readiness.until_ready({self.name: self.health}, within_s=within_s)

    async def stop(self) -> int:
        """For good; the exit code."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
        return await embedded.end(self._process, within_s=STOP_S)

    def close(self) -> None:
        """Close its sockets."""
        for one in self.sockets:
            one.close()

    async def _keep(self) -> None:
        while True:
            assert self._process is not None
            pid, code = self._process.pid, await self._process.wait()
            event = self.ended.pop(pid, None)
            if event is None:
                self._journal.remark(f"{self.name} (pid {pid}) ended BY ITSELF with code {code}")
            await asyncio.sleep(AGAIN_S)
            await self._start()
            if event is not None:
                self._journal.over(event)

    async def _start(self) -> None:
        descriptors = [one.fileno() for one in self.sockets]
        with self._log.open("ab") as log:
            self._process = await embedded.spawn(
                [sys.executable, "-m", f"services.{self.service}"],
                env=self._environ,
                pass_fds=descriptors,
                output=log.fileno(),
            )
        self.pids.append(self._process.pid)


class Fleet:
    """All instances."""

    def __init__(
        self,
        folder: Path,
        journal: Journal,
        *,
        settings: Mapping[str, str],
        services: tuple[str, ...] = SERVICES,
        replicas: int = REPLICAS,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
        self.token = f"shoal_{embedded.secret(folder / 'token')}"
        self.instances: list[Instance] = []
        environ = {**inherited, **settings}
        for service in sorted(services, reverse=True):  # the triggers before the api, which has to know them
            for number in range(replicas):
                own = dict(environ)
                if service == "api":
                    own["SHOAL_ADMIN_TOKEN"] = self.token
                    if doors_behind := self.of("triggers"):
                        own["SHOAL_API_TRIGGERS_URL"] = doors_behind[number].url
                self.instances.append(Instance(service, number, environ=own, folder=folder, journal=journal))

    def of(self, service: str) -> list[Instance]:
        """The instances of one service."""
        return [one for one in self.instances if one.service == service]

    def named(self, name: str) -> Instance:
        """One instance."""
        return next(one for one in self.instances if one.name == name)

    async def start(self) -> None:
        """All; returns when all are ready. Raises EmbeddedError.

        The first one lays streams and indexes, for which a dozen at once would only wait for each other.
        """
        first, *others = sorted(self.instances, key=lambda one: one.service == "api")
        await first.start()
        await first.ready()
        await asyncio.gather(*(one.start() for one in others))
        await self.until_ready()

    async def until_ready(self) -> None:
        """Return when all are. Raises EmbeddedError."""
        found = await asyncio.gather(*(one.ready() for one in self.instances))
        if late := [one.name for one, ready in zip(self.instances, found, strict=True) if not ready]:
            raise embedded.EmbeddedError(f"not ready within {READY_S:g} s: {', '.join(late)}")

    async def stop(self) -> None:
        """All at once: what they leave undone stays on the bus."""
        await asyncio.gather(*(one.stop() for one in self.instances))
        for one in self.instances:
            one.close()
