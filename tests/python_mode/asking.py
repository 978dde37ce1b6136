"""Calls that are requests, and a host that plays the platform for them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.executor.mode import Call, Person, Unavailable
from services.executor.modes.python.mode import PythonMode
from shared.domain.function import Function
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.domain.request import Actor, Request, Response
from tests.python_mode.calling import call_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FUNCTION = Function(
    id=1,
    tenant="acme",
    app=2,
    app_slug="shop",
    app_name="Shop",
    name="Greet",
    slug="greet",
    execution_mode="app",
    created_at=NOW,
    updated_at=NOW,
)


class PlayedHost:
    """Answers like the platform would, and remembers what it was asked."""

    def __init__(self, env: dict[str, str] | None = None, *, away: bool = False) -> None:
        self.env = env or {}
        self.away = away
        self.asked: list[tuple[str, Any]] = []
        self.claimed: set[tuple[str, str]] = set()
        self.answers: dict[str, Outcome] = {}
        self.waits = asyncio.Event()
        self.cancelled = False
        self.plugins_valves = b"{}"
        self.for_whom: Person | None = None

    async def environment(self) -> dict[str, str]:
        self.asked.append(("env", None))
        return self.env

    async def invoke(self, name: str, request: Request) -> Outcome:
        self.asked.append((name, request))
        if name == "slow":
            self.waits.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        return self.answers[name]

    async def claim(self, key: str, *, scope: str, ttl_s: float) -> bool:
        self.asked.append((key, (scope, ttl_s)))
        if self.away:
            raise Problem("unavailable", "the store is away")
        first = (scope, key) not in self.claimed
        self.claimed.add((scope, key))
        return first

    async def publish(self, channel: str, payload: bytes, *, event: str = "") -> None:
        self.asked.append((channel, (event, payload)))
        if self.away:
            raise Problem("unavailable", "the bus is away")

    async def valves(self) -> bytes:
        return self.plugins_valves

    async def person(self) -> Person | None:
        self.asked.append(("person", None))
        if self.away:
            raise Unavailable("the store is away")
        return self.for_whom

    async def stream(self, data: bytes, *, head: Response | None = None) -> bool:
        raise NotImplementedError


async def request_call(
    mode: PythonMode,
    source: str,
    request: Request | None = None,
    *,
    host: PlayedHost | None = None,
    actor: Actor | None = None,
    **changes: Any,
) -> Call:
    """A call by a request; `changes` are limits."""
    call = await call_of(mode, source, **changes)
    asked = request or Request(method="GET", url="https://shoal.test/v1/app_1/fn/greet", path="/v1/app_1/fn/greet")
    return msgspec.structs.replace(
        call, params=b"{}", request=asked, actor=actor or Actor(), host=host or PlayedHost(), function=FUNCTION
    )


def response_of(outcome: Outcome) -> Response:
    """The response of a call that must have succeeded."""
    assert outcome.status == "SUCCESS", outcome
    assert outcome.response is not None
    return outcome.response


def handling(body: str) -> str:
    """A handler with this body."""
    return "def handler(request, ctx):\n    " + body.replace("\n", "\n    ")
