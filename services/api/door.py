"""What every HTTP request passes first: a bound on how many are in progress, counts, the way past the framework."""

from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import Counter

from services.api.dialects.rest import execute, problems
from services.api.limits import METER, Limits, Meter
from shared import telemetry
from shared.domain.problem import Problem

_METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"})

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Door:
    """The outermost application: lets `most` requests in, counts every answer, takes calls past the framework.

    Each request is given its meter, which is asked again when the answer is there.
    """

    def __init__(self, execute: execute.Execute, framework: Any, *, most: int, limits: Limits | None = None) -> None:
        self._execute = execute
        self._framework = framework
        self._most = most
        self._limits = limits
        self._inside = 0
        self._counters: dict[tuple[str, int], Counter] = {}

    async def __call__(self, scope: execute.Scope, receive: execute.Receive, send: Send) -> None:
        """Answer one request."""
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"

        async def counted(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._count(method, message["status"])
            await send(message)

        if method == "HEAD":  # as GET; the server below leaves the body out by itself
            scope = {**scope, "method": "GET"}
        called = execute.target(scope["path"])
        answer: Send = counted
        if self._limits is not None:
            meter = scope[METER] = self._limits.meter(scope, executes=called is not None)
            answer = _Metered(meter, counted)
        try:
            self._enter()
        except Problem as full:
            await execute.answer(answer, *problems.rendered(full))
            return
        try:
            await self._inner(scope, receive, answer, called)
        finally:
            self._inside -= 1

    def _enter(self) -> None:
        if self._inside >= self._most:
            raise Problem("unavailable", f"{self._most} requests are in progress already; try again in a moment")
        self._inside += 1

    async def _inner(
        self, scope: execute.Scope, receive: execute.Receive, answer: Send, called: execute.Target | None
    ) -> None:
        if called is not None:
            await self._execute(scope, receive, answer, called)
            return
        meter: Meter | None = scope.get(METER)
        if meter is not None and meter.before_all:
            try:
                await meter.spend_address()
            except Problem as refused:
                await execute.answer(answer, *problems.rendered(refused))
                return
        await self._framework(scope, receive, answer)

    def _count(self, method: str, status: int) -> None:
        counter = self._counters.get((method, status))
        if counter is None:  # looked up once: labels cost more than the count
            counter = self._counters[method, status] = telemetry.REQUESTS.labels(method, status)
        counter.inc()


class _Metered:
    """Sends an answer with what its meter says, or in its place that there were too many of the kind."""

    def __init__(self, meter: Meter, send: Send) -> None:
        self._meter = meter
        self._send = send
        self._replaced = False

    async def __call__(self, message: dict[str, Any]) -> None:
        """Pass one message of the answer on."""
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            try:
                await self._meter.answered(message["status"])
            except Problem as refused:
                await self._instead(refused, message)
                return
            message = {**message, "headers": [*message.get("headers", ()), *self._meter.headers()]}
        await self._send(message)

    async def _instead(self, refused: Problem, message: dict[str, Any]) -> None:
        status, headers, body = problems.rendered(refused)
        closing = {"connection": "close"} if (b"connection", b"close") in message.get("headers", ()) else {}
        await execute.answer(self, status, {**headers, **closing}, body)
        self._replaced = True
