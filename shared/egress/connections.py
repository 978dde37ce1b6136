"""Connections, kept and shared: an httpx transport of httpcore's connections.

httpcore's own pool walks all its connections several times at every request, which takes longer than the requests
themselves where hundreds wait side by side. Here a connection is found and put back in one step.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator

import httpcore
import httpx

from shared.egress.heads import READING, Head

_STREAMS = 100  # requests on one connection at a time, where it is HTTP/2

_FOREIGN: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
}
_BROKEN = (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError)


class _Line:
    """One connection. `is_shared`: it is HTTP/2. `is_retired`: nobody else is to use it."""

    def __init__(self, connection: httpcore.AsyncHTTPConnection, origin: httpcore.Origin) -> None:
        self.connection = connection
        self.origin = origin
        self.users = 1
        self.is_shared = False
        self.is_retired = False
        self.is_used = False


class Connections(httpx.AsyncBaseTransport):
    """As many connections as there are requests under way; `most_idle` wait for up to `idle_s` for another one."""

    def __init__(
        self, backend: httpcore.AsyncNetworkBackend, *, tls: ssl.SSLContext, most_idle: int, idle_s: float
    ) -> None:
        self._backend = backend
        self._tls = tls
        self._most_idle = most_idle
        self._idle_s = idle_s
        self._open: dict[bytes, list[_Line]] = {}  # by origin, those that may be used
        self._idle: OrderedDict[_Line, None] = OrderedDict()  # nobody uses them; longest unused first
        self._busy: set[_Line] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the response's body is still to be read. Raises httpx.TransportError."""
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        assert isinstance(request.stream, AsyncIterable)
        asked = httpcore.Request(
            method=request.method,
            url=target,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        line = self._take(target.origin)
        try:
            line, response = await self._ask(line, asked, may_repeat="idempotency-key" in request.headers)
        except tuple(_FOREIGN) as error:
            raise _FOREIGN[type(error)](str(error) or type(error).__name__, request=request) from error
        assert isinstance(response.stream, AsyncIterable)
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response.stream, self, line),
            extensions=response.extensions,
        )

    async def _ask(self, line: _Line, asked: httpcore.Request, *, may_repeat: bool) -> tuple[_Line, httpcore.Response]:
        """On a kept connection that turns out to be closed, once more on a new one, where a repeat does no harm."""
        while True:
            was_used, line.is_used = line.is_used, True
            # On a connection that is shared one reads for all who are on it.
            reading = READING.set(None if line.is_shared else Head())
            try:
                response = await line.connection.handle_async_request(asked)
            except httpcore.ConnectionNotAvailable:
                self.leave(line, broken=True)
                if not was_used:
                    raise httpcore.ConnectError("the connection closed at once") from None
            except _BROKEN:
                self.leave(line, broken=True)
                if not (was_used and may_repeat):
                    raise
            except BaseException:
                self.leave(line, broken=True)
                raise
            else:
                self._learn(line, response)
                return line, response
            finally:
                READING.reset(reading)
            line = self._new(asked.url.origin)

    def _learn(self, line: _Line, response: httpcore.Response) -> None:
        if response.extensions.get("http_version") == b"HTTP/2" and not line.is_shared and not line.is_retired:
            line.is_shared = True
            self._open.setdefault(_name(line.origin), []).append(line)

    def _take(self, origin: httpcore.Origin) -> _Line:
        lines = self._open.get(_name(origin), [])
        while lines:
            line = lines[-1]
            if line.is_retired or line.connection.has_expired() or not line.connection.is_available():
                self._retire(line)
                continue
            self._idle.pop(line, None)
            self._busy.add(line)
            line.users += 1
            if not line.is_shared or line.users >= _STREAMS:
                self._close_to_others(line)
            return line
        return self._new(origin)

    def _new(self, origin: httpcore.Origin) -> _Line:
        connection = httpcore.AsyncHTTPConnection(
            origin,
            ssl_context=self._tls,
            keepalive_expiry=self._idle_s,
            http1=True,
            http2=True,
            network_backend=self._backend,
        )
        line = _Line(connection, origin)
        self._busy.add(line)
        return line

    def leave(self, line: _Line, *, broken: bool = False) -> None:
        """A request is over. `broken`: its connection is of no use to others, be it that something is left on it."""
        line.users -= 1
        if broken or not line.connection.is_available():
            self._retire(line)
        elif not line.is_retired:
            lines = self._open.setdefault(_name(line.origin), [])
            if not (line.is_shared and line in lines):
                lines.append(line)
            if not line.users:
                self._rest(line)
        elif not line.users:
            self._close(line)

    def _rest(self, line: _Line) -> None:
        self._busy.discard(line)
        self._idle[line] = None
        while len(self._idle) > self._most_idle:
            self._retire(next(iter(self._idle)))
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._idle_s, self._sweep_idle)

    def _sweep_idle(self) -> None:
        for line in [line for line in self._idle if line.connection.has_expired()]:
            self._retire(line)
        again = bool(self._idle)
        self._sweep = asyncio.get_running_loop().call_later(self._idle_s, self._sweep_idle) if again else None

    def _retire(self, line: _Line) -> None:
        """Nobody else is to use it; the last of its users closes it."""
        line.is_retired = True
        self._close_to_others(line)
        if line.users <= 0:
            self._close(line)

    def _close_to_others(self, line: _Line) -> None:
        name = _name(line.origin)
        lines = self._open.get(name)
        if lines is not None and line in lines:
            lines.remove(line)
            if not lines:
                del self._open[name]

    def _close(self, line: _Line) -> None:
        self._idle.pop(line, None)
        self._busy.discard(line)
        closing = asyncio.ensure_future(line.connection.aclose())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close every connection, busy ones too."""
        if self._sweep is not None:
            self._sweep.cancel()
        for line in [*self._idle, *self._busy]:
            self._close(line)
        if self._closing:
            await asyncio.wait(set(self._closing))


class _Body(httpx.AsyncByteStream):
    """A response's body. One that is not read to its end leaves something on the connection: no use to others."""

    def __init__(self, stream: AsyncIterable[bytes], connections: Connections, line: _Line) -> None:
        self._stream = stream
        self._connections = connections
        self._line: _Line | None = line
        self._is_whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                yield part
        except tuple(_FOREIGN) as error:
            raise _FOREIGN[type(error)](str(error) or type(error).__name__) from error
        self._is_whole = True

    async def aclose(self) -> None:
        line, self._line = self._line, None
        if line is None:
            return
        try:
            await self._stream.aclose()  # type: ignore[attr-defined]  # httpcore's streams have it, its types do not say
        finally:
            self._connections.leave(line, broken=not self._is_whole)


def _name(origin: httpcore.Origin) -> bytes:
    return b"%b://%b:%d" % (origin.scheme, origin.host, origin.port)
