"""Everything `shoal up` runs: who is given what, and in which order it ends."""

import asyncio
import hashlib
import socket
import time
from collections.abc import Callable

from cli.supervisor import disk, doors, readiness
from cli.supervisor.keep import Child, Keeper
from cli.supervisor.service import Service, kill
from cli.supervisor.settings import Settings
from shared import embedded
from shared.config import SERVICES
from shared.embedded.server import STOP_S

StopOrder = tuple[tuple[tuple[str, ...], float], ...]


def stop_order(drain_s: float) -> StopOrder:
    """Who is ended when, and by when at the latest, in seconds after the signal.

    First the doors, so that nothing new comes in; then those who pass on what came in, each after the ones it hears
    from; store and bus when nobody needs them. Callers wait in the api and calls run in the executor, for up to
    `drain_s`; what the router and the recorder have in hand takes milliseconds, and what they drop is found again.
    """
    doors = drain_s + 0.5
    executor = doors + 1.0 + drain_s + 0.5
    return (
        (("api", "scheduler", "triggers"), doors),
        (("router",), doors + 1.0),
        (("executor",), executor),
        (("recorder",), executor + 1.0),
        (("mongod",), executor + 1.7),
        (("nats-server",), executor + 2.0),
    )


# One after the other: behind them the doors, so that what comes in meanwhile finds the others renewed.
RENEWAL = ("recorder", "scheduler", "router", "executor", "triggers", "api")

# Before all were ready there is no work to bring to an end in order.
EARLY_STOP_ORDER: StopOrder = ((SERVICES, 4.0), (("mongod",), 8.0), (("nats-server",), 9.0))

_WITH_SECRETS = frozenset({"api", "executor", "triggers"})
"""The services that seal or open what is secret at rest."""


class Fleet:
    """The six services and, unless their addresses were given, the two servers."""

    def __init__(self, settings: Settings, *, door: socket.socket, token: str, lock: int) -> None:
        data_dir = settings.data_dir
        nats = None if settings.nats_url else embedded.Nats(data_dir / "nats")
        mongo = None if settings.mongodb_url else embedded.Mongo(data_dir / "mongodb", binary=settings.mongod)
        self.nats_url = nats.url if nats else settings.nats_url or ""
        self.mongodb_url = mongo.url if mongo else settings.mongodb_url or ""
        self.health = {name: doors.health() for name in SERVICES}
        self._triggers_door = doors.inner()
        self._settings, self._door, self._token, self._lock = settings, door, token, lock
        self._key_file = data_dir / "secret.key"
        embedded.secret(self._key_file)
        self._bus = nats
        self._watching: asyncio.Task[None] | None = None
        self._servers: list[Child] = [server for server in (nats, mongo) if server]
        self._keepers: dict[str, Keeper] = {}
        self.killed = False

    def start(self, *, changed: Callable[[], None]) -> set[asyncio.Task[None]]:
        """The servers, then the services, each side by side. The tasks end only with what cannot be mended.

        A service that came before the store's user was made would be refused, and try again only seconds later.
        """
        for server in self._servers:
            self._keepers[server.name] = Keeper(server, changed=changed)
        for name in SERVICES:
            self._keepers[name] = Keeper(self._service(name), changed=changed, after=self.served)
        tasks = {keeper.task for keeper in self._keepers.values()}
        if self._bus is not None:
            self._watching = asyncio.create_task(self._watch_disk(self._bus), name="disk")
            tasks.add(self._watching)
        return tasks

    async def _watch_disk(self, bus: embedded.Nats) -> None:
        await self.served()

        async def renew() -> None:
            await self._keepers[bus.name].renew(within_s=STOP_S)

        await disk.watch(lambda: disk.free_bytes(self._settings.data_dir), renew)

    async def served(self) -> None:
        """Return when our servers answer: after a crash they read their journals first, however long that takes."""
        for server in self._servers:
            await self._keepers[server.name].started.wait()

    async def stop(self, *, early: bool = False) -> None:
        """In order, and within its bounds."""
        if self._watching is not None:
            self._watching.cancel()
        order = EARLY_STOP_ORDER if early else stop_order(self._settings.drain_s)
        begun = time.monotonic()
        for names, by_s in order:
            left_s = max(0.1, begun + by_s - time.monotonic())
            ending = [keeper.stop(within_s=left_s) for name in names if (keeper := self._keepers.get(name))]
            await asyncio.gather(*ending)
        for listener in (*self.health.values(), self._triggers_door):
            listener.close()

    async def renew(self, *, within_s: float) -> list[str]:
        """Start every service anew, one when the one before it is ready; those that were not ready `within_s`.

        The servers stay. What comes in meanwhile waits: at the doors, or on the bus.
        """
        late: list[str] = []
        for name in RENEWAL:
            await self._keepers[name].renew(within_s=self._settings.drain_s + 0.5)
            late += await readiness.until_ready({name: self.health[name]}, within_s=within_s)
        return late

    def kill(self) -> None:
        """At once and without order."""
        self.killed = True
        for keeper in self._keepers.values():
            if pid := keeper.child.pid:
                keeper.task.cancel()
                kill(pid)

    def facts(self) -> dict[str, object]:
        """What ready.json says, less the public address and the token."""
        pids = {name: keeper.child.pid for name, keeper in self._keepers.items()}
        services = {
            name: {"pid": pids.get(name), "metrics": f"{doors.url(listener)}/metrics"}
            for name, listener in self.health.items()
        }
        servers = {server.name: {"pid": pids.get(server.name)} for server in self._servers}
        triggers = doors.url(self._triggers_door)
        return {
            "nats": self.nats_url,
            "mongodb": self.mongodb_url,
            "triggers": triggers,
            "services": services,
            "servers": servers,
        }

    def targets(self) -> list[dict[str, object]]:
        """Where the metrics of each service are, as Prometheus reads it from a file; the same whoever restarts."""
        return [
            {"targets": [doors.url(listener).removeprefix("http://")], "labels": {"service": name}}
            for name, listener in self.health.items()
        ]

    def _service(self, name: str) -> Service:
        settings, health = self._settings, self.health[name].fileno()
        environ = {
            **settings.environ,
            "SHOAL_SEAT": self._seat(name),
            "NATS_URL": self.nats_url,
            "MONGODB_URL": self.mongodb_url,
            "SHOAL_HEALTH_FD": str(health),
        }
        descriptors = [health, self._lock]
        if name == "api":
            environ |= {"SHOAL_API_FD": str(self._door.fileno()), "SHOAL_ADMIN_TOKEN": self._token}
            environ.setdefault("SHOAL_API_TRIGGERS_URL", doors.url(self._triggers_door))
            descriptors.append(self._door.fileno())
        if name == "triggers":
            environ.setdefault("SHOAL_TRIGGERS_DOMAIN", environ.get("SHOAL_API_DOMAIN", ""))
            environ["SHOAL_TRIGGERS_FD"] = str(self._triggers_door.fileno())
            descriptors.append(self._triggers_door.fileno())
        if name in _WITH_SECRETS and "SHOAL_SECRET_KEY" not in environ:
            environ.setdefault("SHOAL_SECRET_KEY_FILE", str(self._key_file))
        if name == "executor" and settings.workers:
            environ["SHOAL_EXECUTOR_SLOTS"] = str(settings.workers)
        return Service(name, environ=environ, descriptors=descriptors)

    def _seat(self, name: str) -> str:
        """The same for every process that has this service's place: one data folder has one supervisor at a time."""
        place = f"{socket.gethostname()}:{self._settings.data_dir}"
        return f"{name}-0-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
