"""Calls of the Python mode, made from a source."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from services.executor.mode import Artefact, Call
from services.executor.modes.python.mode import PythonMode
from shared.domain.outcome import Outcome
from shared.domain.version import code_hash
from tests.limits import limits

CONTEXT = {
    "function": {"name": "Greet", "slug": "greet", "category": ""},
    "user": {"id": 7, "username": "ada", "email": "ada@example.org"},
    "username": "ada",
}


async def call_of(mode: PythonMode, source: str, params: Any = None, **changes: Any) -> Call:
    """A call of a source. `changes` are limits, or a tenant."""
    made = await mode.prepare(source)
    assert isinstance(made, Artefact), made
    tenant = changes.pop("tenant", "acme")
    return Call(
        task_id="task",
        tenant=tenant,
        function_id=1,
        code_hash=code_hash(source),
        artefact=made,
        params=json.dumps({} if params is None else params).encode(),
        context=CONTEXT,
        limits=limits(**{"timeout_s": 20.0, **changes}),
    )


def value_of(outcome: Outcome) -> Any:
    """The result of a call that must have succeeded."""
    assert outcome.status == "SUCCESS", outcome
    return json.loads(bytes(outcome.result))


Run = Callable[..., Awaitable[Outcome]]
