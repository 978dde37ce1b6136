"""What is asked for at the door of the triggers service, passed on to it as it came, and its answer back.

So that one address is enough: webhooks, events and websockets (`splice.py`) come to where everything else comes to. A
proxy in front of both services may take these paths to the triggers service itself.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx

from services.api.dialects.apps.live import LASTS
from shared.domain.problem import Problem
from shared.exchange import Line, Receive, Scope, Send
from shared.request_head import HOP_BY_HOP

_APP_PATHS = frozenset({b"webhook", b"realtime"})
_LEAST_SEGMENTS = 4  # "", v1, the app, the word
_CONNECT_S = 5.0
_IDLE_CONNECTIONS = 32
_STREAM = b"text/event-stream"
_OURS = b"x-forwarded-"
_HOPS = frozenset(name.encode() for name in HOP_BY_HOP)
_NOT_THEIRS = _HOPS | {b"date"}  # the server in front says when
_AWAY = "Webhooks, events and websockets cannot be taken just now; try again in a moment"


def is_triggers(raw_path: bytes) -> bool:
    """Whether the triggers service serves this path."""
    segments = raw_path.split(b"/")
    if segments[1:2] == [b"events"]:
        return True
    return len(segments) >= _LEAST_SEGMENTS and segments[1] == b"v1" and segments[3] in _APP_PATHS


class Forwarding:
    """The ASGI application in front of the triggers service at this URL."""

    def __init__(self, url: str) -> None:
        self._url = httpx.URL(url)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=_IDLE_CONNECTIONS, keepalive_expiry=2.0)
        # Its transport alone: what a client would add to a request is not the sender's.
        self._transport = httpx.AsyncHTTPTransport(trust_env=False, limits=limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on. Raises Problem(unavailable), before anything is answered."""
        request = httpx.Request(
            scope["method"],
            self._url,
            headers=_headers(scope),
            stream=_Body(receive),
            extensions={"target": _target(scope), "timeout": {"connect": _CONNECT_S, "pool": _CONNECT_S}},
        )
        try:
            answer = await self._transport.handle_async_request(request)
        except (httpx.TransportError, OSError) as error:
            raise Problem("unavailable", _AWAY) from error
        try:
            await _answer(answer, scope, receive, send)
        finally:
            await answer.aclose()

    async def close(self) -> None:
        """Close what is open."""
        await self._transport.aclose()


class _Body(httpx.AsyncByteStream):
    """A request's body as it comes; one whose sender has gone ends the request."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise httpx.ReadError("the sender has gone")
            more = event["more_body"]
            if event["body"]:
                yield event["body"]


async def _answer(answer: httpx.Response, scope: Scope, receive: Receive, send: Send) -> None:
    lines = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _NOT_THEIRS]
    if any(name == b"content-type" and value.startswith(_STREAM) for name, value in lines):
        scope.get(LASTS, lambda: None)()  # it is bounded where it is made
    await send({"type": "http.response.start", "status": answer.status_code, "headers": lines})
    passing = asyncio.create_task(_pass(answer, send))
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if passing.done():
            passing.result()
    finally:
        for task in (passing, leaving):
            task.cancel()
        await asyncio.wait({passing, leaving})


async def _pass(answer: httpx.Response, send: Send) -> None:
    """The body; one that breaks off is left without its end, so that the server closes the connection."""
    try:
        async for part in answer.aiter_raw():
            await send({"type": "http.response.body", "body": part, "more_body": True})
    except httpx.TransportError:
        return
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    """Until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(scope: Scope) -> list[Line]:
    """The lines as they came, and our word for where they came from."""
    lines = [(name, value) for name, value in scope["headers"] if name not in _HOPS and not name.startswith(_OURS)]
    if not any(name == b"content-length" for name, _ in lines):
        lines.append((b"transfer-encoding", b"chunked"))
    client = scope.get("client")
    ours = [(b"x-forwarded-proto", scope["scheme"].encode())]
    return [*lines, *ours, *([(b"x-forwarded-for", client[0].encode())] if client else [])]


def _target(scope: Scope) -> bytes:
    query: bytes = scope["query_string"]
    path: bytes = scope["raw_path"]
    return path + b"?" + query if query else path
