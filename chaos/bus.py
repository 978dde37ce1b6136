"""Three nats-servers as a cluster, on loopback."""

import asyncio
import os
import urllib.request
from pathlib import Path

from shared import embedded

COUNT = 3
HEALTHY_S = 60.0
_ASK_S = 2.0
_PAUSE_S = 0.1


class Member(embedded.Nats):
    """One server. `routes` are the addresses of all, its own included, which the server knows to leave out."""

    def __init__(self, folder: Path, *, number: int) -> None:
        super().__init__(folder)
        self.server_name = f"bus-{number}"
        self.route_port, self.monitor_port = embedded.free_port(), embedded.free_port()
        self.routes: list[str] = []

    @property
    def route(self) -> str:
        """Where the other members reach it."""
        return self.url.replace(f":{self.port}", f":{self.route_port}").replace("nats://", "nats-route://")

    async def healthy(self) -> bool:
        """Whether it has caught up with the others."""
        return await asyncio.to_thread(self._healthy)

    def _healthy(self) -> bool:
        url = f"http://{embedded.LOOPBACK}:{self.monitor_port}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=_ASK_S) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _config(self) -> str:
        user, password = self.url.removeprefix("nats://").partition("@")[0].split(":")
        return (
            f"{super()._config()}"
            f"http: {embedded.LOOPBACK}:{self.monitor_port}\n"
            f"cluster {{\n"
            f"  name: shoal\n"
            f"  listen: {embedded.LOOPBACK}:{self.route_port}\n"
            f'  authorization {{ user: {user}, password: "{password}", timeout: 5 }}\n'
            f"  routes: [{', '.join(self.routes)}]\n"
            f"}}\n"
        )


class Cluster:
    """All members, with one password."""

    def __init__(self, folder: Path) -> None:
        password = embedded.secret(folder / "password")
        self.members: list[Member] = []
        for number in range(COUNT):
            place = folder / f"bus-{number}"
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            _private(place / "password", password)
            self.members.append(Member(place, number=number))
        for member in self.members:
            member.routes = [other.route for other in self.members]

    @property
    def url(self) -> str:
        """All members, as NATS_URL takes them."""
        return ",".join(member.url for member in self.members)

    async def start(self) -> None:
        """All side by side; returns when they have found each other."""
        await asyncio.gather(*(member.start() for member in self.members))
        await self.until_healthy()

    async def until_healthy(self) -> None:
        """Return when each has caught up."""
        async with asyncio.timeout(HEALTHY_S):
            for member in self.members:
                while not await member.healthy():
                    await asyncio.sleep(_PAUSE_S)

    async def stop(self) -> None:
        """End all."""
        await asyncio.gather(*(member.stop() for member in self.members))


def _private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
