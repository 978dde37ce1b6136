"""What every HTTP request passes first: a bound on how many are in progress, counts, the way past the framework."""

import time
from collections.abc import Callable
from typing import Any

from prometheus_client import Counter, Histogram

from services.api import families
from services.api.dialects.apps.call import CallFunction
from services.api.dialects.apps.live import HEAD, LASTS
from services.api.dialects.apps.targets import target
from services.api.dialects.rest import execute, problems
from services.api.forwarding import Forwarding, is_triggers
from services.api.rates import METER, Meter, RateLimits, class_of
from shared import telemetry
from shared.domain.problem import Problem
from shared.exchange import Receive, Scope, Send
from shared.tracing.http import ROUTE

_CALL, _EXECUTE = "/v1/{app_id}/fn/{name}", "/api/functions/{slug}/execute/"
_METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"})


class Door:
    """The outermost application: lets `most` requests in, counts every answer, takes calls past the framework.

    With `limits`, each request has a meter in its scope, which is asked again when the answer is there.
    """

    def __init__(
        self,
        execute: execute.Execute,
        framework: Any,
        *,
        call: CallFunction | None = None,
        forwarding: Forwarding | None = None,
        most: int,
        limits: RateLimits | None = None,
    ) -> None:
        self._execute = execute
        self._call = call
        self._forwarding = forwarding
        self._framework = framework
        self._most = most
        self._limits = limits
        self._inside = 0
        self._passed = 0  # of those inside, on to the triggers service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = scope["method"]
        if self._forwarding is not None and is_triggers(scope["raw_path"]):
            await self._forward(scope, receive, send, self._forwarding)
            return
        asked = None if self._call is None else target(scope["raw_path"])
        if method == "HEAD" and asked is None:  # as GET; the server below leaves the body out by itself
            scope = {**scope, "method": "GET", HEAD: True}
        words = families.words(scope["path"])
        called = execute.target(scope["path"]) if words is problems else None
        if (asked or called) is not None:  # what goes to the framework has its own
            scope[ROUTE] = _CALL if called is None else _EXECUTE
        meter = None
        if self._limits is not None:
            meter = scope[METER] = self._limits.meter(scope, executes=(called or asked) is not None)
        time_of = _histogram(families.named(words), class_of(scope["path"], executes=(called or asked) is not None))
        answer = _Answer(send, meter, method=method, words=words, time_of=time_of)
        if self._inside >= self._most:
            full = Problem("unavailable", f"{self._most} requests are in progress already; try again in a moment")
            await execute.answer(answer, *words.rendered(full))
            return
        scope[LASTS] = leave = self._enter()
        try:
            if asked is not None and self._call is not None:
                await self._call(scope, receive, answer, asked)
            elif called is not None:
                await self._execute(scope, receive, answer, called)
            elif meter is None or not meter.before_all or await _let_in(meter, answer, words):
                await self._framework(scope, receive, answer)
        finally:
            leave()

    async def _forward(self, scope: Scope, receive: Receive, send: Send, forwarding: Forwarding) -> None:
        """It is counted here, and judged where it goes. Its senders are anybody: half of the room is not for them."""
        words = families.words(scope["path"])
        answer = _Answer(send, None, method=scope["method"], words=words, time_of=_histogram("triggers", "execution"))
        if self._inside >= self._most or self._passed >= self._most // 2:
            full = Problem("unavailable", "Too many requests are in progress already; try again in a moment")
            await execute.answer(answer, *words.rendered(full))
            return
        scope[LASTS] = leave = self._enter(passed=1)
        try:
            await forwarding(scope, receive, answer)
        except Problem as problem:
            await execute.answer(answer, *words.rendered(problem))
        finally:
            leave()

    def _enter(self, *, passed: int = 0) -> Callable[[], None]:
        """One more is in progress, until it leaves: with its answer, or before it, if that lasts and is counted else.

        Those whose answers last have bounds of their own, and are not to keep the others out.
        """
        inside = True
        self._inside += 1
        self._passed += passed

        def leave() -> None:
            nonlocal inside
            self._inside -= inside
            self._passed -= passed if inside else 0
            inside = False

        return leave


async def _let_in(meter: Meter, answer: Send, words: families.Words) -> bool:
    """Count the address; answer at once where there were too many."""
    try:
        await meter.spend_address()
    except Problem as refused:
        await execute.answer(answer, *words.rendered(refused))
        return False
    return True


class _Answer:
    """Sends an answer, counts it, adds what its meter says; or says instead that there were too many of its kind."""

    def __init__(
        self, send: Send, meter: Meter | None, *, method: str, words: families.Words, time_of: Histogram
    ) -> None:
        self._send = send
        self._words = words
        self._meter = meter
        self._method = method
        self._replaced = False
        self._time_of = time_of
        self._began = time.perf_counter()

    async def __call__(self, message: dict[str, Any]) -> None:
        """Pass one message of the answer on."""
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            meter = self._meter
            if meter is not None:
                if not meter.asked and (refused := await meter.answered(message["status"])):
                    await self._instead(refused, message)
                    return
                message["headers"] = [*message.get("headers", ()), *meter.headers()]
            _count(self._method, message["status"])
            self._time_of.observe(time.perf_counter() - self._began)
        await self._send(message)

    async def _instead(self, refused: Problem, message: dict[str, Any]) -> None:
        status, headers, body = self._words.rendered(refused)
        if (b"connection", b"close") in message.get("headers", ()):
            headers = {**headers, "connection": "close"}
        await execute.answer(self, status, headers, body)
        self._replaced = True


_counters: dict[tuple[str, int], Counter] = {}
_histograms: dict[tuple[str, str], Histogram] = {}


def _histogram(dialect: str, of_class: str) -> Histogram:
    histogram = _histograms.get((dialect, of_class))
    if histogram is None:
        histogram = _histograms[dialect, of_class] = telemetry.REQUEST.labels(dialect, of_class)
    return histogram


def _count(method: str, status: int) -> None:
    counter = _counters.get((method, status))
    if counter is None:  # looked up once: labels cost more than the count
        known = method if method in _METHODS else "OTHER"
        counter = telemetry.REQUESTS.labels(known, status)
        if known == method:
            _counters[method, status] = counter
    counter.inc()
