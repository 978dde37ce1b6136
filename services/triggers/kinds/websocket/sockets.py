"""All sockets of this process: how many there are, their heartbeats, and whether they may stay."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from services.triggers.kind import World
from services.triggers.kinds.websocket import replies
from services.triggers.kinds.websocket.admission import Admission, TurnedAwayError
from services.triggers.kinds.websocket.channels import Hub, frame
from services.triggers.kinds.websocket.runs import Runs
from services.triggers.kinds.websocket.socket import Socket
from services.triggers.kinds.websocket.subscribing import Subscribing
from services.triggers.kinds.websocket.wheel import Wheel
from services.triggers.shares import Shares
from shared import telemetry
from shared.bus.messages import Pushed
from shared.domain.problem import Problem
from shared.websocket import FAULT, LATER, NORMAL, POLICY, text_frame

_HEARTBEAT = text_frame(replies.HEARTBEAT)


class Sockets:
    """Implements services.triggers.kinds.websocket.socket.Host."""

    def __init__(self, world: World, admission: Admission, hub: Hub) -> None:
        self.settings = world.settings
        self.runs = Runs(world)
        self._service = world.service
        self._admission = admission
        self._hub = hub
        self._shares = Shares(self.settings.tenant_sockets)
        self._beats: Wheel[Socket] = Wheel(self.settings.socket_heartbeat_s, self._beat)
        self._checks: Wheel[Socket] = Wheel(self.settings.socket_check_s, self._check)
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
        task = asyncio.create_task(work)
        self._minded.add(task)
        task.add_done_callback(self._minded.discard)

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

    async def _check(self, sockets: Sequence[Socket]) -> None:
        idle_since = asyncio.get_running_loop().time() - self.settings.socket_idle_s
        staying = []
        for socket in sockets:
            if time.time() >= socket.who.expires:
                socket.turn_away(POLICY, "The token has expired")
            elif socket.heard_at <= idle_since and socket.is_idle:
                socket.turn_away(NORMAL, f"No message for {self.settings.socket_idle_s:g} s")
            else:
                staying.append(socket)
        await self._ask_again(staying)

    async def _ask_again(self, sockets: Sequence[Socket]) -> None:
        for socket in sockets:
            try:
                socket.who = await self._admission.again(socket.who.app, socket.who.token)
            except TurnedAwayError as away:
                socket.turn_away(away.code, away.sentence)
            except Problem:
                return  # the store is away: who was let in stays for as long


def _framed(pushed: Pushed) -> bytes:
    """What is pushed, as every socket is sent it: made once."""
    return text_frame(frame(pushed))
