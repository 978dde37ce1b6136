"""The call of a function, as a plain ASGI application: the one hot request does not pay for the framework.

It stands in front of the framework and takes the paths that `target` knows.
"""

from typing import NamedTuple
from urllib.parse import parse_qs

import msgspec

from services.api import methods
from services.api.core.invocations import Asked, Invocations
from services.api.dialects.rest import decode, problems
from services.api.dialects.rest.translate import invocations as translate
from services.api.rates import METER
from shared import exchange
from shared.callers.auth import Auth
from shared.domain.idempotency import HEADER, REPLAYED, checked
from shared.domain.problem import Problem
from shared.exchange import Receive, Scope, Send

Rendered = tuple[int, dict[str, str], bytes]

_ALLOW = {"allow": methods.allow({"POST"})}
_NO_HEADERS: dict[str, str] = {}
_NO_KEYS: tuple[str, ...] = ()
_KEY = HEADER.encode()
_REPLAYED = {REPLAYED: "true"}
_encode = msgspec.json.Encoder().encode


class Target(NamedTuple):
    """A function in a path; `app` is None in a path without one."""

    slug: str
    app: str | None


class _Said(NamedTuple):
    """Whether a head wants no wait, and the idempotency keys in it."""

    respond_async: bool
    keys: tuple[str, ...]


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
        said = _said(scope, most_bytes=self._body_bytes)
        caller = await self._auth.caller(scope["headers"])
        if (meter := scope.get(METER)) is not None:
            await meter.spend(caller)
        key = checked(said.keys)
        call = decode.execute(await exchange.read(receive, most_bytes=self._body_bytes, within_s=self._body_wait_s))
        asked = Asked(
            waits=not (call.respond_async or said.respond_async),
            idempotency_key=key,
            callback_url=call.callback_url or "",
            expires_in_s=call.expires_in or 0.0,
        )
        ticket = await self._invocations.invoke(caller, called.slug, call.params, app=called.app, asked=asked)
        watch = None if ticket.wait is None else exchange.Watch(ticket.wait, receive)
        try:
            outcome = await self._invocations.outcome(ticket)
        finally:
            if watch is not None:
                watch.end()
        status, body = translate.executed(ticket, outcome)
        return status, _REPLAYED if ticket.replayed else _NO_HEADERS, _encode(body)


async def answer(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    """Send a whole answer."""
    lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))] if body else []
    lines += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def _said(scope: Scope, *, most_bytes: int) -> _Said:
    """What the head of a request asks for. Raises Problem(too_large) when it announces too long a body."""
    exchange.announced(scope["headers"], most_bytes=most_bytes)
    respond_async, keys = False, _NO_KEYS
    for name, value in scope["headers"]:
        if name == b"prefer":
            respond_async = respond_async or b"respond-async" in value.lower()
        elif name == _KEY:
            keys = (*keys, value.decode("latin-1"))
    if query := scope["query_string"]:
        last = parse_qs(query.decode("latin-1")).get("async", [""])[-1]
        respond_async = respond_async or last.lower() in ("true", "1")
    return _Said(respond_async, keys)
