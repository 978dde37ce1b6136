"""Calls of plugins, and looks into their code, made from a source."""

import json
from typing import Any

import msgspec

from services.executor.mode import Call, Examination, Person
from services.executor.modes.python.mode import PythonMode
from shared.domain.outcome import Outcome
from shared.domain.plugin import Plugin
from shared.domain.request import Actor, Request
from tests.python_mode.asking import FUNCTION, PlayedHost
from tests.python_mode.calling import call_of, value_of

ADA = Person(id="7", email="ada@example.org", name="Ada L.", role="admin")


async def plugin_call(
    mode: PythonMode,
    source: str,
    params: Any = None,
    *,
    valves: Any = None,
    host: PlayedHost | None = None,
    request: Request | None = None,
    **changes: Any,
) -> Call:
    """A call of a plugin; `changes` are limits, or a tenant."""
    call = await call_of(mode, source, params, **changes)
    host = host or PlayedHost()
    host.plugins_valves = json.dumps(valves or {}).encode()
    function = msgspec.structs.replace(FUNCTION, plugin=Plugin(key="tuner", kind="filter", user_id=1))
    actor = Actor() if request is not None else None
    return msgspec.structs.replace(call, function=function, host=host, request=request, actor=actor)


async def ran(mode: PythonMode, source: str, params: Any = None, **more: Any) -> Outcome:
    return await mode.run(await plugin_call(mode, source, params, **more))


async def result_of(mode: PythonMode, source: str, params: Any = None, **more: Any) -> Any:
    """The result of a plugin that must have succeeded."""
    return value_of(await ran(mode, source, params, **more))


async def fault_of(mode: PythonMode, source: str, params: Any = None, **more: Any) -> str:
    """The error of a plugin that must have failed, and not because its worker died."""
    outcome = await ran(mode, source, params, **more)
    assert (outcome.status, outcome.error_type) == ("FAILURE", "SandboxError"), outcome
    return outcome.error


async def look(
    mode: PythonMode, source: str, what: Any = "code", *, values: Any = None, of: Any = "valves", **more: Any
) -> Outcome:
    """What is found in a source; `more` are limits, a tenant, or the `person` who asks."""
    person = more.pop("person", None)
    call = await call_of(mode, source, **{"output_bytes": 0, "log_lines": 0, **more})
    text = b"" if values is None else json.dumps(values).encode()
    examination = Examination(what=what, of=of, values=text, person=person)
    return await mode.run(msgspec.structs.replace(call, function_id=0, context={}, examination=examination))


async def found(mode: PythonMode, source: str, what: Any = "code", **more: Any) -> Any:
    """What is found in a source that has no fault."""
    return value_of(await look(mode, source, what, **more))
