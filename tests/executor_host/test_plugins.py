"""Plugins in real workers behind a real bus and store: called, set, and looked into."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from services.executor.modes.python.mode import open_for
from shared import embedded, valves
from shared.bus import subjects
from shared.bus.notices import Examine, Examined
from shared.domain.caller import User
from shared.domain.function import Function
from shared.domain.outcome import Outcome
from shared.domain.plugin import Plugin, user_valves_place, valves_place
from shared.domain.version import code_hash
from shared.store.functions import Functions
from shared.store.user_valves import UserValves
from shared.store.versions import Versions
from shared.submit import new_task_id
from tests.executor_host.platform import KEYRING, TENANT, USER, Shoal, answered, running

SOURCE = """
from pydantic import BaseModel, Field

class Filter:
    class Valves(BaseModel):
        greeting: str = "Hello"
        key: str = Field(default="", json_schema_extra={"input": {"type": "password"}})

    class UserValves(BaseModel):
        tone: str = "calm"

    def __init__(self):
        self.valves = self.Valves()

    async def inlet(self, body, __user__, __ctx__, __event_emitter__):
        await __event_emitter__({"type": "status", "data": {"description": "greeting"}})
        name, tone = __user__["name"], __user__["valves"].tone
        return [f"{self.valves.greeting} {name}", tone, __ctx__.idempotency.claim("once"), body]
"""
PLUGIN = Plugin(key="greeter", kind="filter", user_id=1, has_valves=True, has_user_valves=True)


@pytest.fixture(scope="module")
async def real(host_servers: embedded.Servers) -> AsyncIterator[Shoal]:
    async with running(host_servers, open_mode=open_for, examine_timeout_s=1.0, examine_wait_s=15.0) as shoal:
        yield shoal


async def unused(_: Any) -> Outcome:
    return answered(b"")


async def called(shoal: Shoal, function: Function, body: Any, user: User = USER) -> Any:
    outcome = await (await shoal.begun(function, user=user, method="POST", body=msgspec.json.encode(body))).outcome()
    assert outcome is not None
    assert outcome.response is not None, outcome
    return msgspec.json.decode(outcome.response.body)


async def look(shoal: Shoal, source: str, what: Any = "code", **fields: Any) -> Examined:
    digest = code_hash(source)
    tenant = fields.pop("tenant", TENANT)
    await Versions(shoal.store, tenant).keep_source(digest, source)
    asked = Examine(id=new_task_id(), tenant=tenant, function_id=0, code_hash=digest, what=what, **fields)
    return await shoal.bus.ask(subjects.examine("python"), asked, answer=Examined, timeout_s=30)


async def test_valves_that_change_between_calls(real: Shoal):
    function = await real.function("greeter", unused, source=SOURCE, plugin=PLUGIN)
    assert await called(real, function, {"n": 1}) == ["Hello ann", "calm", True, {"n": 1}]
    sealed = valves.kept(b'{"greeting":"Hi"}', KEYRING, place=valves_place(TENANT, function.id), secret=True)
    plugin = msgspec.structs.replace(PLUGIN, valves=sealed)
    function = await Functions(real.store, TENANT).change(function.slug, {"plugin": msgspec.to_builtins(plugin)})
    place = user_valves_place(TENANT, function.id, USER.id)
    for tone in ("loud", "soft"):
        text = valves.kept(b'{"tone":"%s"}' % tone.encode(), KEYRING, place=place, secret=True)
        await UserValves(real.store, TENANT).keep(function.id, USER.id, text)
        assert await called(real, function, {"n": 2}) == ["Hi ann", tone, False, {"n": 2}]
    assert (await called(real, function, {}, User(8, "bob", "")))[:2] == ["Hi bob", "calm"]


async def test_events_are_on_record(real: Shoal):
    function = await real.function(
        "emitter", unused, source=SOURCE, plugin=msgspec.structs.replace(PLUGIN, key="emitter")
    )
    wait = await real.begun(function, method="POST", body=b'{"hook": "inlet", "body": {}}')
    outcome = await wait.outcome()
    assert outcome is not None
    assert [(line.level, line.message) for line in outcome.logs] == [("info", "status")]
    data = {"type": "status", "data": {"description": "greeting"}}
    assert msgspec.json.decode(outcome.logs[0].data) == data


async def test_code_schema_and_values(real: Shoal):
    told = await look(real, SOURCE)
    assert told == Examined(kind="filter", has_valves=True, has_user_valves=True, secret=True)
    spec = msgspec.json.decode((await look(real, SOURCE, "spec")).spec)
    assert list(spec["properties"]) == ["greeting", "key"]
    assert (await look(real, SOURCE, "spec", of="user_valves")).error == ""
    missing = await look(real, "def main(): return 1", "values")
    assert missing == Examined(missing=True)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("x = 1", "No Function class found in the module"),
        ("x = 1 / 0", "ZeroDivisionError: division by zero (line 1)"),
        ("while True: pass", "TimeoutError: execution exceeded the limit of 1 s"),
        ("x = 'x' * 10 ** 9", "MemoryError: memory limit of 128 MB exceeded"),
        ("raise SystemExit(0)", "SystemExit: 0 (line 1)"),
        ("import os", "Module os is not available"),
        ("def f(:", "SyntaxError"),
    ],
)
async def test_code_with_a_fault(real: Shoal, source: str, error: str):
    told = await look(real, source)
    assert error in told.error
    assert not told.unavailable


async def test_tenants_side_by_side(real: Shoal):
    """The same source, hanging for the one who has asked for it to: nobody else waits, or sees what is another's."""
    hanging = "while True: pass  # {}"
    busy = [asyncio.create_task(look(real, hanging.format(number))) for number in range(6)]
    for _ in range(3):
        assert (await look(real, SOURCE, tenant="small")).kind == "filter"
    assert not all(one.done() for one in busy)
    assert {(await one).error for one in busy} == {"TimeoutError: execution exceeded the limit of 1 s"}
