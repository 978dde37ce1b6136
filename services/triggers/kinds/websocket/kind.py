"""Websockets: the messages that clients send, and what is pushed to them."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec

from services.triggers.kind import Route, World
from services.triggers.kinds.websocket import replies
from services.triggers.kinds.websocket.admission import Admission, NotHereError, TurnedAwayError, Who
from services.triggers.kinds.websocket.channel_door import ChannelDoor
from services.triggers.kinds.websocket.channels import Hub
from services.triggers.kinds.websocket.runs import Peer
from services.triggers.kinds.websocket.socket import Socket
from services.triggers.kinds.websocket.sockets import Sockets
from shared import request_head as heads
from shared.domain.problem import Problem
from shared.exchange import Receive, Scope, Send
from shared.submit import new_task_id
from shared.websocket import TAKE


class Websocket:
    """The kind. Implements services.triggers.kind.Kind."""

    def __init__(self, world: World) -> None:
        self._admission = Admission(world)
        settings = world.settings
        self.hub = Hub(world.service.bus, most=settings.channels, most_of_tenant=settings.tenant_channels)
        self._sockets = Sockets(world, self._admission, self.hub)
        self._frame_bytes = world.settings.frame_bytes
        door = ChannelDoor(world, self._admission, self.hub)
        self.routes: tuple[Route, ...] = (Route("/v1/{app}/realtime", self._serve, "websocket"), *door.routes)
        world.service.facts["sockets"] = lambda: len(self._sockets)
        world.service.facts["channels"] = lambda: len(self.hub)

    @asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        """Heartbeats and checks."""
        try:
            async with self._sockets.turning():
                yield
        finally:
            await self.hub.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, named: Mapping[str, str]) -> None:
        """Open a socket, or refuse it; what comes after that needs no task of its own."""
        await receive()
        with suppress(OSError):  # the client has gone
            try:
                self._sockets.check_room("")
                who = await self._admission.admit(scope, named)
                self._sockets.check_room(who.app.tenant)
                await send({"type": "websocket.accept"})
                self._open(scope, who)
            except NotHereError:
                await _refuse(send, 404, "App not found")
            except Problem as problem:
                await _refuse(send, 400, problem.message)
            except TurnedAwayError as away:
                await _turn_away(send, away)

    def _open(self, scope: Scope, who: Who) -> None:
        client = scope["client"]
        host = heads.sent(scope["headers"]).host
        peer = Peer(new_task_id(), sys.intern(scope["scheme"]), sys.intern(host), client[0] if client else "")
        socket = Socket(self._sockets, who, peer)
        socket.line = scope["extensions"][TAKE](socket, self._frame_bytes)
        self._sockets.add(socket)
        socket.say(replies.connected(who.app.public_id, who.role, peer.connection_id))


async def _turn_away(send: Send, away: TurnedAwayError) -> None:
    """A page in a browser is told nothing of a refused handshake, but of a close its code and its reason."""
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": replies.error(away.sentence)})
    await send({"type": "websocket.close", "code": away.code, "reason": away.sentence})


async def _refuse(send: Send, status: int, message: str) -> None:
    lines = [(b"content-type", b"application/json")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": lines})
    body = msgspec.json.encode({"error": message})
    await send({"type": "websocket.http.response.body", "body": body})


def open(world: World) -> Websocket:  # noqa: A001 - as every kind's is called
    """The kind, to be asked for its routes and for its work."""
    return Websocket(world)
