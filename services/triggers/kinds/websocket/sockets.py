"""All sockets of this process: how many there are, their heartbeats, and whether they may stay."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from services.triggers.kind import World
from services.triggers.kinds.websocket import replies
from services.triggers.kinds.websocket.admission import Admission, TurnedAwayError
from services.triggers.kinds.websocket.backlog import Backlog
from services.triggers.kinds.websocket.channels import Hub, frame
from services.triggers.kinds.websocket.checks import Checks
from services.triggers.kinds.websocket.runs import Runs
from services.triggers.kinds.websocket.socket import Socket
from services.triggers.kinds.websocket.subscribing import Subscribing
from services.triggers.kinds.websocket.wheel import Wheel
from services.triggers.shares import Shares
from shared import telemetry
from shared.bus.notices import Pushed
from shared.websocket import FAULT, LATER, text_frame

_HEARTBEAT = text_frame(replies.HEARTBEAT)


class Sockets:
    """Implements services.triggers.kinds.websocket.socket.Host."""

    def __init__(self, world: World, admission: Admission, hub: Hub) -> None:
        self.settings = world.settings
        self.runs = Runs(world)
        settings = self.settings
        self.backlog = Backlog(each_bytes=settings.socket_backlog_bytes, all_bytes=settings.sockets_backlog_bytes)
        self._service = world.service
        self._hub = hub
        self._shares = Shares(self.settings.tenant_sockets)
        self._beats: Wheel[Socket] = Wheel(self.settings.socket_heartbeat_s, self._beat)
        checks = Checks(admission.again, mind=self._watched, idle_s=self.settings.socket_idle_s)
        self._checks: Wheel[Socket] = Wheel(self.settings.socket_check_s, checks.turn)
        self._minded: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._shares)

    def check_room(self, tenant: str) -> None:
        """Raises TurnedAwayError where there is none for another socket; "" asks for any tenant's."""
        if len(self) >= self.settings.sockets or self._shares.is_out(tenant):
            raise TurnedAwayError(LATER, "Too many sockets are open")

    def add(self, socket: Socket) -> None:
        """It is open."""
        self._shares.take(socket.who.app.tenant)
        socket.spokes = self._beats.add(socket), self._checks.add(socket)
        telemetry.SOCKETS.inc()

    def channels_of(self, socket: Socket) -> Subscribing:
        """What it listens to: nothing yet."""
        return Subscribing(
            self._hub,
            socket.who.asker,
            app=socket.who.app,
            bus=self._service.bus,
            deliver=socket.push,
            form=_framed,
            most=self.settings.socket_channels,
            most_bytes=self._service.platform.publish_bytes,
        )

    def gone(self, socket: Socket) -> None:
        """It is closed."""
        self._shares.give_back(socket.who.app.tenant)
        self._beats.remove(socket, socket.spokes[0])
        self._checks.remove(socket, socket.spokes[1])
        telemetry.SOCKETS.dec()

    def mind(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this, and see to it that it is not forgotten."""
        self._begun(work)

    def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        self._service.watch(self._begun(work))

    def _begun(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._minded.add(task)
        task.add_done_callback(self._minded.discard)
        return task

    @asynccontextmanager
    async def turning(self) -> AsyncIterator[None]:
        """Have heartbeats and checks done."""
        turning = [asyncio.create_task(wheel.work(), name="sockets") for wheel in (self._beats, self._checks)]
        for task in turning:
            self._service.watch(task)
        try:
            yield
        finally:
            for task in turning:
                task.cancel()

    async def _beat(self, sockets: Sequence[Socket]) -> None:
        """One from which nothing has come since the last time, not even a pong, is at nobody's end."""
        for socket in sockets:
            if socket.line.is_silent:
                socket.line.end(FAULT, "No answer to pings")
            elif not socket.line.backlog:  # else it has enough to take
                socket.line.ping(_HEARTBEAT)


def _framed(pushed: Pushed) -> bytes:
    """What is pushed, as every socket is sent it: made once."""
    return text_frame(frame(pushed))
