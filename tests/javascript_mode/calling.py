"""Calls of the JavaScript mode, made from a source."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.executor.mode import Artefact, Call
from services.executor.modes.javascript.mode import JavascriptMode
from shared.domain.function import Function
from shared.domain.outcome import Outcome, failure
from shared.domain.problem import Problem
from shared.domain.request import Actor, Request, Response
from shared.domain.version import code_hash
from tests.limits import limits

_THEN = datetime(2026, 1, 1, tzinfo=UTC)

FUNCTION = Function(
    id=1,
    tenant="acme",
    app=3,
    app_slug="shop",
    app_name="Shop",
    name="hello",
    slug="hello",
    execution_mode="app",
    environment="javascript",
    deployed_as="hello-world",
    created_at=_THEN,
    updated_at=_THEN,
)


class Platform:
    """What a call's host says, and what it was asked. Implements services.executor.mode.Host."""

    def __init__(self, *, env: dict[str, str] | None = None, takes: int = 1 << 30) -> None:
        self.env = env or {}
        self.takes = takes
        self.invoked: list[tuple[str, Request]] = []
        self.claimed: set[tuple[str, str]] = set()
        self.published: list[tuple[str, str, bytes]] = []
        self.parts: list[bytes] = []
        self.head: Response | None = None
        self.answer: Outcome = failure("NotFound", "there is no such function")

    async def environment(self) -> dict[str, str]:
        return self.env

    async def invoke(self, name: str, request: Request) -> Outcome:
        self.invoked.append((name, request))
        return self.answer

    async def claim(self, key: str, *, scope: str, ttl_s: float) -> bool:
        assert ttl_s > 0
        first = (scope, key) not in self.claimed
        self.claimed.add((scope, key))
        return first

    async def publish(self, channel: str, payload: bytes, *, event: str = "") -> None:
        if not channel:
            raise Problem("invalid", "a channel has a name")
        self.published.append((channel, event, payload))

    async def stream(self, data: bytes, *, head: Response | None = None) -> bool:
        self.head = head or self.head
        self.parts.append(data)
        return len(self.parts) < self.takes


async def call_of(mode: JavascriptMode, source: str, request: Request | None = None, **changes: Any) -> Call:
    """A call of a source. `changes` are fields of the call, or its limits."""
    made = await mode.prepare(source)
    assert isinstance(made, Artefact), made
    fields = {name: changes.pop(name) for name in list(changes) if name in Call.__struct_fields__}
    call = Call(
        task_id="0190a0b0-0000-7000-8000-000000000001",
        tenant="acme",
        function_id=1,
        code_hash=code_hash(source),
        artefact=made,
        function=FUNCTION,
        params=b"{}",
        context={},
        limits=limits(**changes),
        request=request or Request(method="GET", url="https://api.example.org/v1/app/fn/hello", ip="192.0.2.7"),
        actor=Actor(),
        host=Platform(),
    )
    return msgspec.structs.replace(call, **fields)


def said(outcome: Outcome) -> Any:
    """The JSON that a handler answered."""
    assert outcome.status == "SUCCESS", outcome
    assert outcome.response is not None
    return json.loads(outcome.response.body)


def answer_of(outcome: Outcome) -> Response:
    """What a handler answered."""
    assert outcome.response is not None, outcome
    return outcome.response


Run = Callable[..., Awaitable[Outcome]]
