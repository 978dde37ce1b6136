"""The call of a function, as a plain ASGI application: the one hot request does not pay for the framework.

It stands in front of the framework and takes the paths that `target` knows.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec

from services.api import bodies
from services.api.auth import Auth
from services.api.core.invocations import Invocations
from services.api.dialects.rest import decode, problems
from services.api.dialects.rest.routes import methods
from services.api.dialects.rest.translate import invocations as translate
from services.api.rates import METER
from shared.domain.problem import Problem
from shared.waiting import Wait

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Rendered = tuple[int, dict[str, str], bytes]

_WATCH_S = 1.0  # most calls are over before it is worth asking whether the caller is still there
_ALLOW = {"allow": methods.allow({"POST"})}
_NO_HEADERS: dict[str, str] = {}
_encode = msgspec.json.Encoder().encode


class Target(NamedTuple):
    """A function in a path; `app` is None in a path without one."""

    slug: str
    app: str | None


def target(path: str) -> Target | None:
    """Whom a path calls: `/api/functions/{slug}/execute` or `/api/apps/{app}/functions/{slug}/execute`, `/` or not."""
    match path.removesuffix("/").split("/"):
        case ["", "api", "functions", slug, "execute"]:
            return Target(slug, None)
        case ["", "api", "apps", app, "functions", slug, "execute"]:
            return Target(slug, app)
    return None


class Execute:
    """The application. `body_bytes` bounds a body, `body_wait_s` the time its sender may take."""

    def __init__(self, auth: Auth, invocations: Invocations, *, body_bytes: int, body_wait_s: float) -> None:
        self._auth = auth
        self._invocations = invocations
        self._body_bytes = body_bytes
        self._body_wait_s = body_wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send, called: Target) -> None:
        """Answer one request."""
        try:
            status, headers, body = await self._answer(scope, receive, called)
        except Problem as problem:
            status, headers, body = problems.rendered(problem)
        except Exception as error:  # noqa: BLE001 - the outermost frame: our own fault becomes a 500 and a log line
            status, headers, body = problems.crashed(error, path=scope["path"])
        await answer(send, status, headers, body)

    async def _answer(self, scope: Scope, receive: Receive, called: Target) -> Rendered:
        if scope["method"] == "OPTIONS":
            return 204, _ALLOW, b""
        if scope["method"] != "POST":
            return 405, _ALLOW, _encode(problems.body("Method not allowed"))
        respond_async = _responds_async(scope, most_bytes=self._body_bytes)
        caller = await self._auth.caller(scope["headers"])
        if (meter := scope.get(METER)) is not None:
            await meter.spend(caller)
        call = decode.execute(await self._read(receive))
        waits = not (call.respond_async or respond_async)
        ticket = await self._invocations.invoke(caller, called.slug, call.params, app=called.app, waits=waits)
        watch = None if ticket.wait is None else _Watch(ticket.wait, receive)
        try:
            outcome = await self._invocations.outcome(ticket)
        finally:
            if watch is not None:
                watch.end()
        status, body = translate.executed(ticket, outcome)
        return status, _NO_HEADERS, _encode(body)

    async def _read(self, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(self._body_wait_s):
                body, more = await _part(receive)
                while more and len(body) <= self._body_bytes:
                    part, more = await _part(receive)
                    body += part
        except TimeoutError:
            raise bodies.late(self._body_wait_s) from None
        if len(body) > self._body_bytes:
            raise Problem("too_large", f"The body is longer than {self._body_bytes} bytes")
        return body


async def answer(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    """Send a whole answer."""
    lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))] if body else []
    lines += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


async def _part(receive: Receive) -> tuple[bytes, bool]:
    event = await receive()
    if event["type"] == "http.disconnect":  # not the end of the body: without this, half a request would be run
        raise Problem("invalid", "The connection was closed before the body had arrived")
    return event["body"], event["more_body"]


def _responds_async(scope: Scope, *, most_bytes: int) -> bool:
    """Whether the head of a request wants no wait. Raises Problem(too_large) when it announces too long a body."""
    respond_async = False
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > most_bytes:
            raise Problem("too_large", f"The body is longer than {most_bytes} bytes")
        if name == b"prefer":
            respond_async = respond_async or b"respond-async" in value.lower()
    if query := scope["query_string"]:
        last = parse_qs(query.decode("latin-1")).get("async", [""])[-1]
        respond_async = respond_async or last.lower() in ("true", "1")
    return respond_async


class _Watch:
    """Gives up the wait of a caller who has gone: a place is not kept for nobody."""

    def __init__(self, wait: Wait, receive: Receive) -> None:
        self._wait = wait
        self._receive = receive
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_WATCH_S, self._begin)

    def end(self) -> None:
        """Stop looking."""
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._until_gone())

    async def _until_gone(self) -> None:
        await self._receive()  # after the body there is only one event: the connection has closed
        self._wait.give_up()
