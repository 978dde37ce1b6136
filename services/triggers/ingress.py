"""The door to the world, over HTTP and websocket: which kind serves which path. What they do there is theirs."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from services.triggers.kind import Route, Serve
from shared import answers, telemetry
from shared.domain.problem import Problem
from shared.exchange import Receive, Scope, Send
from shared.tracing.http import ROUTE

_log = telemetry.logger("ingress")
_REFUSED_BY_US = 1011
_NOWHERE = 4404
_ASKED = 8
_PATIENCE_S = 2.0
"""So long every sender has for a body. Where there is no room left, the one that has sent for the longest gives way."""


class _Place(NamedTuple):
    pattern: str
    segments: tuple[str, ...]
    serve: Serve
    lasting: frozenset[str]


class Ingress:
    """The ASGI application. At most `most` requests are in progress at once; what lasts is bounded by its kind."""

    def __init__(self, routes: Iterable[Route], *, most: int) -> None:
        self._places: dict[str, list[_Place]] = {"http": [], "websocket": []}
        for route in routes:
            self._places[route.protocol].append(
                _Place(route.pattern, tuple(route.pattern.split("/")), route.serve, route.lasting)
            )
        self._most = most
        self._inside = 0
        self._arriving: dict[Receiving, None] = {}  # bodies that are not here yet, the oldest first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one socket for as long as it is open."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._found(scope)
        if found is None:
            await answer(send, answers.plain(404, error="Not found"))
            return
        place, named = found
        scope[ROUTE] = place.pattern
        counted = scope["method"] not in place.lasting
        if counted and self._inside >= self._most and not self._make_room():
            await answer(send, answers.plain(503, error=f"{self._most} requests are in progress already"))
            return
        sending, receiving = Sending(send), Receiving(receive, self._arriving)
        self._inside += counted
        try:
            await place.serve(scope, receiving, sending, named)
        except Exception as error:  # noqa: BLE001 - the outermost frame: our own fault becomes a 500 and a log line
            _log.error("a request failed", path=scope["path"], exc_info=error)
            if not sending.begun:
                await answer(send, answers.plain(500, error="Internal error"))
        finally:
            receiving.end()
            self._inside -= counted

    def _make_room(self) -> bool:
        """Whether somebody gives way: senders of a byte a second are not to keep out all others."""
        return any(one.give_way() for one in list(islice(self._arriving, _ASKED)))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._found(scope)
        if found is None:
            await receive()
            await send({"type": "websocket.close", "code": _NOWHERE})
            return
        place, named = found
        try:
            await place.serve(scope, receive, send, named)
        except Exception as error:  # noqa: BLE001 - the outermost frame, as above
            _log.error("a socket failed", path=scope["path"], exc_info=error)
            await send({"type": "websocket.close", "code": _REFUSED_BY_US})

    def _found(self, scope: Scope) -> tuple[_Place, Mapping[str, str]] | None:
        asked = scope["raw_path"].split(b"/")
        for place in self._places[scope["type"]]:
            named = _named(place.segments, asked)
            if named is not None:
                return place, named
        return None


class Receiving:
    """Receives, and may be told to give way for as long as there is more to come of a body."""

    def __init__(self, receive: Receive, arriving: "dict[Receiving, None]") -> None:
        self._receive = receive
        self._arriving = arriving
        self._began = asyncio.get_running_loop().time()
        self._wait: asyncio.Timeout | None = None
        self._is_over = False

    async def __call__(self) -> dict[str, Any]:
        """The next event. Raises Problem(unavailable) where it has to give way."""
        if self._is_over:
            return await self._receive()
        self._arriving[self] = None
        try:
            async with asyncio.timeout(None) as self._wait:
                event = await self._receive()
        except TimeoutError:
            raise Problem("unavailable", "There is no room for a sender that is so slow") from None
        finally:
            self._wait = None
        if not event.get("more_body"):
            self.end()
        return event

    def give_way(self) -> bool:
        """Whether it does: not one that has hardly begun."""
        now = asyncio.get_running_loop().time()
        if now - self._began < _PATIENCE_S or self._wait is None:
            return False
        self._wait.reschedule(now)
        self.end()
        return True

    def end(self) -> None:
        """There is nothing more to come, or nobody who wants it."""
        self._is_over = True
        self._arriving.pop(self, None)


class Sending:
    """Sends, and knows whether it has begun to."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: dict[str, object]) -> None:
        """Pass one message of the answer on."""
        self.begun = True
        await self._send(message)


async def answer(send: Send, whole: answers.Answer) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": whole.status, "headers": whole.lines})
    await send({"type": "http.response.body", "body": whole.body})


def _named(pattern: tuple[str, ...], asked: list[bytes]) -> dict[str, str] | None:
    """The segments that the pattern names; None where the path is another one, or its text is none."""
    if len(pattern) != len(asked):
        return None
    named: dict[str, str] = {}
    for part, segment in zip(pattern, asked, strict=True):
        if part.startswith("{"):
            try:
                named[part.strip("{}")] = unquote_to_bytes(segment).decode()
            except UnicodeDecodeError:
                return None
        elif part.encode() != segment:
            return None
    return named if all(named.values()) else None
