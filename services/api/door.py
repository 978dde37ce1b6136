"""What every HTTP request passes first: a bound on how many are in progress, a count, the way past the framework."""

from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import Counter

from services.api.dialects.rest import execute, problems
from shared import telemetry
from shared.domain.problem import Problem

_METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"})

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Door:
    """The outermost application: lets `most` requests in, counts every answer, takes calls past the framework."""

    def __init__(self, execute: execute.Execute, framework: Any, *, most: int) -> None:
        self._execute = execute
        self._framework = framework
        self._most = most
        self._inside = 0
        self._counters: dict[tuple[str, int], Counter] = {}

    async def __call__(self, scope: execute.Scope, receive: execute.Receive, send: Send) -> None:
        """Answer one request."""
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"

        async def counted(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._count(method, message["status"])
            await send(message)

        if self._inside >= self._most:
            full = Problem("unavailable", f"{self._most} requests are in progress already; try again in a moment")
            await execute.answer(counted, *problems.rendered(full))
            return
        if method == "HEAD":  # as GET; the server below leaves the body out by itself
            scope = {**scope, "method": "GET"}
        self._inside += 1
        try:
            called = execute.target(scope["path"])
            if called is not None:
                await self._execute(scope, receive, counted, called)
            else:
                await self._framework(scope, receive, counted)
        finally:
            self._inside -= 1

    def _count(self, method: str, status: int) -> None:
        counter = self._counters.get((method, status))
        if counter is None:  # looked up once: labels cost more than the count
            counter = self._counters[method, status] = telemetry.REQUESTS.labels(method, status)
        counter.inc()
