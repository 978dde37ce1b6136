"""What is asked for at the door of the triggers service, passed on to it as it came, and its answer back.

So that one address is enough: webhooks, events and websockets (`splice.py`) come to where everything else comes to. A
proxy in front of both services may take these paths to the triggers service itself.
"""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from services.api.dialects.apps.live import LASTS
from services.api.upstream import Answer, BrokenOffError, Upstream
from shared import exchange
from shared.domain.problem import Problem
from shared.exchange import Line, Receive, Scope, Send
from shared.request_head import HOP_BY_HOP

_APP_PATHS = frozenset({b"webhook", b"realtime"})
_LEAST_SEGMENTS = 4  # "", v1, the app, the word
_CONNECT_S = 5.0
_KEPT_S = 2.0  # less than the server keeps an idle connection: one that both close at once loses a request
_KEPT = 32
_STREAM = b"text/event-stream"
_OURS = b"x-forwarded-"
_HOPS = frozenset(name.encode() for name in HOP_BY_HOP)
_NOT_THEIRS = _HOPS | {b"date"}  # the server in front says when
_NOT_OURS = _HOPS | {b"expect"}  # and has told the sender to go on
_AWAY = "Webhooks, events and websockets cannot be taken just now; try again in a moment"


def is_triggers(raw_path: bytes) -> bool:
    """Whether the triggers service serves this path."""
    segments = raw_path.split(b"/")
    if segments[1:2] == [b"events"]:
        return True
    return len(segments) >= _LEAST_SEGMENTS and segments[1] == b"v1" and segments[3] in _APP_PATHS


class Forwarding:
    """The ASGI application in front of the triggers service at this URL.

    A sender has `body_wait_s` for a body. For `answer_s` the head of an answer is waited for, and any part of it.
    """

    def __init__(self, url: str, *, body_wait_s: float, answer_s: float) -> None:
        place = urlsplit(url)
        self._host, self._port = place.hostname or "", place.port or 80
        self._body_wait_s = body_wait_s
        self._answer_s = answer_s
        self._free: list[Upstream] = []  # the one that was used last at the end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on. Raises Problem(unavailable, invalid), before anything is answered."""
        head = _head(scope)
        body = _Body(receive, within_s=self._body_wait_s, in_chunks=_is_chunked(scope))
        passing = asyncio.create_task(self._pass(scope, head, body, send=send))
        leaving = asyncio.create_task(body.left())
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                passing.result()
        finally:
            for task in (passing, leaving):
                task.cancel()
            await asyncio.wait({passing, leaving})

    async def close(self) -> None:
        """Close what is open."""
        for upstream in self._free:
            await upstream.close()

    async def _pass(self, scope: Scope, head: bytes, body: "_Body", *, send: Send) -> None:
        upstream = await self._connected()
        try:
            try:
                answer = await upstream.ask(head, body.parts(), has_answer_body=scope["method"] != "HEAD")
            except BrokenOffError as error:
                raise Problem("unavailable", _AWAY) from error
            finally:
                body.over.set()
            await _answer(answer, upstream, scope, send=send)
        finally:
            await self._let_go(upstream)

    async def _connected(self) -> Upstream:
        """Raises Problem(unavailable)."""
        now = asyncio.get_running_loop().time()
        while self._free:
            upstream = self._free.pop()
            if upstream.is_free and now - upstream.used_at < _KEPT_S:
                return upstream
            await upstream.close()
        try:
            async with asyncio.timeout(_CONNECT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:  # TimeoutError is one
            raise Problem("unavailable", _AWAY) from error
        return Upstream(reader, writer, answer_s=self._answer_s)

    async def _let_go(self, upstream: Upstream) -> None:
        if upstream.is_free and len(self._free) < _KEPT:
            upstream.used_at = asyncio.get_running_loop().time()
            self._free.append(upstream)
        else:
            await upstream.close()


class _Body:
    """A request's body as it comes. When it is `over`, its sender can only leave."""

    def __init__(self, receive: Receive, *, within_s: float, in_chunks: bool) -> None:
        self._receive = receive
        self._within_s = within_s
        self._in_chunks = in_chunks
        self.over = asyncio.Event()

    async def parts(self) -> AsyncIterator[bytes]:
        """Raises Problem(invalid) where it does not come in time, or its sender goes."""
        until, more = asyncio.get_running_loop().time() + self._within_s, True
        while more:
            try:
                async with asyncio.timeout_at(until):
                    part, more = await exchange.part(self._receive)
            except TimeoutError:
                raise exchange.late(self._within_s) from None
            if part:
                yield b"%x\r\n%s\r\n" % (len(part), part) if self._in_chunks else part
        if self._in_chunks:
            yield b"0\r\n\r\n"
        self.over.set()

    async def left(self) -> None:
        """Until the sender has gone; what still comes of a body that nobody wants is taken in."""
        await self.over.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def _answer(answer: Answer, upstream: Upstream, scope: Scope, *, send: Send) -> None:
    """One that breaks off is left without its end, so that the server closes the connection."""
    lines = [(name, value) for name, value in answer.lines if name not in _NOT_THEIRS]
    if any(name == b"content-type" and value.startswith(_STREAM) for name, value in lines):
        scope.get(LASTS, lambda: None)()  # it is bounded where it is made
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    try:
        async for part in upstream.parts():
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except BrokenOffError:
        return
    await send({"type": "http.response.body", "body": b""})


def _head(scope: Scope) -> bytes:
    """The head as it came, with our word for where it came from. Raises Problem(invalid)."""
    lines = _lines(scope)
    hosts = [value for name, value in lines if name == b"host"]
    if len(hosts) > 1:
        raise Problem("invalid", "More than one Host header was sent")
    if not hosts:
        server = scope.get("server") or ("localhost", None)
        lines.insert(0, (b"host", (f"{server[0]}:{server[1]}" if server[1] else server[0]).encode()))
    first: bytes = scope["method"].encode() + b" " + _target(scope) + b" HTTP/1.1\r\n"
    return first + b"".join(b"%s: %s\r\n" % line for line in lines) + b"\r\n"


def _lines(scope: Scope) -> list[Line]:
    lines = [
        (name, value.strip(b" \t"))
        for name, value in scope["headers"]
        if name not in _NOT_OURS and not name.startswith(_OURS)
    ]
    if _is_chunked(scope):
        lines.append((b"transfer-encoding", b"chunked"))
    client = scope.get("client")
    lines.append((b"x-forwarded-proto", scope["scheme"].encode()))
    return [*lines, (b"x-forwarded-for", client[0].encode())] if client else lines


def _is_chunked(scope: Scope) -> bool:
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])


def _target(scope: Scope) -> bytes:
    query: bytes = scope["query_string"]
    path: bytes = scope["raw_path"]
    return path + b"?" + query if query else path
