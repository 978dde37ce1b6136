"""A websocket handed on to the triggers service: from the upgrade on, the bytes of two connections are one stream."""

import asyncio
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.api.forwarding import is_triggers

STALLED_S = 60.0
"""Who takes nothing of what waits for him in so long is cut off, on either side."""
_CONNECT_S = 5.0
_DRAIN_S = 2.0  # the triggers service, told to end too, says goodbye on every socket meanwhile
_REFUSAL = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n%s\r\n%s"
_NOT_FOUND = (b"404 Not Found", b"", b'{"error":"Not found"}')
_AWAY = (b"503 Service Unavailable", b"retry-after: 2\r\n", b'{"error":"Websockets cannot be taken just now"}')


def splicing(url: str, *, trusted_proxies: str) -> type[asyncio.Protocol]:
    """The protocol class that uvicorn is to have for websockets; without a `url` all are refused."""
    place = urlsplit(url)
    trusted = ProxyHeadersMiddleware(_nothing, trusted_proxies).trusted_hosts

    class Splicing(Splice):
        """A splice to this place."""

        def __init__(self, **given: Any) -> None:
            super().__init__(connections=given["server_state"].connections)
            self.host, self.port = place.hostname or "", place.port or 80
            self.is_trusted = trusted.__contains__

    return Splicing


async def _nothing(*_: Any) -> None:
    """An application that is never asked: what surrounds it is asked whom it believes."""


class _Side(asyncio.Protocol):
    """One of the two connections: what comes goes to the other one, no faster than that takes it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        self._wait()
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self._goes_on()
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._goes_on()
        self.transport = None
        if self.other is not None:
            self.other.end()

    def end(self) -> None:
        """Close it, when what waits was taken; nobody is there to cut off who takes nothing, but us."""
        if self.transport is not None:
            self.transport.close()
            self._wait()

    def _wait(self) -> None:
        if self._stalled is None and self.transport is not None:
            self._stalled = asyncio.get_running_loop().call_later(STALLED_S, self.transport.abort)

    def _goes_on(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class Splice(_Side):
    """The client's side."""

    host: str
    port: int
    is_trusted: Callable[[str], bool]

    def __init__(self, *, connections: set[Any]) -> None:
        super().__init__()
        self._connections = connections
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is ours from here on, before anything of the upgrade was answered."""
        super().connection_made(transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """The head first, as one piece; then whatever comes."""
        if self._opening is not None:
            super().data_received(data)
            return
        assert self.transport is not None
        self.transport.pause_reading()
        self._opening = asyncio.get_running_loop().create_task(self._open(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Its client has gone."""
        self._connections.discard(self)
        if self._opening is not None:
            self._opening.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends: so does this, as soon as the other side has said goodbye."""
        if self.transport is not None:
            asyncio.get_running_loop().call_later(_DRAIN_S, self.transport.abort)

    async def _open(self, head: bytes) -> None:
        assert self.transport is not None
        if not self.host or not is_triggers(head.split(b" ", 2)[1].partition(b"?")[0]):
            self._refuse(*_NOT_FOUND)
            return
        loop, other = asyncio.get_running_loop(), _Side()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await loop.create_connection(lambda: other, self.host, self.port)
        except OSError:  # TimeoutError is one
            self._refuse(*_AWAY)
            return
        self.other, other.other = other, self
        if other.transport is None:  # it was closed again meanwhile
            self._refuse(*_AWAY)
            return
        other.transport.write(self._head(head))
        self.transport.resume_reading()

    def _head(self, head: bytes) -> bytes:
        """The head with our word, or a proxy's that is believed, for where it came from."""
        assert self.transport is not None
        peer = self.transport.get_extra_info("peername")
        ip = peer[0] if isinstance(peer, tuple) else ""
        lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        if not ip or self.is_trusted(ip):
            said = [line for line in lines if line.lower().startswith(b"x-forwarded-")]
        else:
            said = []
        kept = [line for line in lines if not line.lower().startswith(b"x-forwarded-")]
        if not any(line.startswith(b"x-forwarded-for") for line in said):
            said.append(b"x-forwarded-for: " + ip.encode())
        return b"\r\n".join([*kept, *said]) + b"\r\n\r\n"

    def _refuse(self, status: bytes, lines: bytes, body: bytes) -> None:
        assert self.transport is not None
        self.transport.write(_REFUSAL % (status, len(body), lines, body))
        self.transport.close()
