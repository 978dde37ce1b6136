"""A span for each request that an ASGI application answers.

Of an address only the route is told: what stands in its place may be secret, or be somebody's name.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from shared import tracing
from shared.tracing import Trace

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

ROUTE = "path_template"
"""Where the scope has the route of a request, as the framework says it."""

TRACE_ID = b"x-trace-id"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
_OUR_FAULT = 500


class Traced:
    """The application, with a span around each request; callers are `believed` in what they say of their trace.

    `passes` says which requests are to have none.
    """

    def __init__(
        self, app: Any, *, believed: bool, passes: Callable[[Mapping[str, Any]], bool] = lambda scope: False
    ) -> None:
        self._app = app
        self._believed = believed
        self._passes = passes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whose answer says in which trace it is."""
        if scope["type"] != "http" or self._passes(scope):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "HTTP"
        with tracing.serving(method, _sent(scope), believed=self._believed) as span:
            status = 0

            async def answer(message: dict[str, Any]) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    if span.trace_id:
                        line = (TRACE_ID, span.trace_id.encode())
                        message = {**message, "headers": [*message.get("headers", ()), line]}
                await send(message)

            try:
                await self._app(scope, receive, answer)
            finally:
                _tell(span, scope, method, status)


def traced(app: Any, *, believed: bool, passes: Callable[[Mapping[str, Any]], bool] = lambda scope: False) -> Any:
    """The application as it is to be served: with spans where there are traces."""
    return Traced(app, believed=believed, passes=passes) if tracing.on else app


def _tell(span: tracing.Span, scope: Mapping[str, Any], method: str, status: int) -> None:
    facts: dict[str, str | int] = {
        "http.request.method": scope["method"] if method != "HTTP" else "_OTHER",
        "url.scheme": scope["scheme"],
    }
    if route := scope.get(ROUTE):
        span.name(f"{method} {route}")
        facts["http.route"] = route
    if status:
        facts["http.response.status_code"] = status
    span.set(facts)
    if status >= _OUR_FAULT:
        span.failed(str(status))


def _sent(scope: Mapping[str, Any]) -> Trace:
    parents = [value for name, value in scope["headers"] if name == b"traceparent"]
    if len(parents) != 1:  # several are none
        return tracing.NONE
    states = [value for name, value in scope["headers"] if name == b"tracestate"]
    return Trace(parents[0].decode("latin-1"), b",".join(states).decode("latin-1"))
