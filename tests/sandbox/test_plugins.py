"""Plugins, attacked: by their hooks, by what they emit and return, and by what a call leaves for the next one."""

import json

import pytest

from services.executor.modes.python.mode import PythonMode
from tests.python_mode.asking import PlayedHost
from tests.python_mode.opening import Open
from tests.python_mode.plugging import found, plugin_call, ran
from tests.sandbox.attacked import answers
from tests.sandbox.plugin_attacks import ENDS, FAULTS, HEAD, OPTIONS

pytestmark = pytest.mark.asyncio(loop_scope="session")


def source_of(body: str) -> str:
    return f"{HEAD}\nclass Filter:\n    {body}\n"


@pytest.mark.parametrize("name", FAULTS)
async def test_the_functions_own_fault(mode: PythonMode, name: str) -> None:
    body, told = FAULTS[name]
    outcome = await ran(mode, source_of(body), {"body": {"a": 1}})
    assert outcome.error_type == "SandboxError", outcome
    assert told in outcome.error
    assert await answers(mode)


@pytest.mark.parametrize("name", ENDS)
async def test_ended_by_a_limit(mode: PythonMode, name: str) -> None:
    body, ends = ENDS[name]
    outcome = await ran(mode, source_of(body), {"body": {}}, timeout_s=1.0)
    assert outcome.error_type in ends.split(), outcome
    assert await answers(mode)


async def test_events_are_bounded(mode: PythonMode) -> None:
    source = source_of(
        "def inlet(self, __event_emitter__):\n        for _ in range(10**4): __event_emitter__({'type': 'x'})"
    )
    outcome = await ran(mode, source, {}, log_lines=5, output_bytes=10_000)
    assert (outcome.status, len(outcome.logs)) == ("SUCCESS", 5)
    assert outcome.warnings == ["LogTruncated: at most 5 log lines are kept, 9995 log lines left out"]


async def test_names_of_choices_open_nothing(mode: PythonMode) -> None:
    fields = "".join(
        f"        n{number}: int = Field(1, json_schema_extra={{'input': {{'type': 'select', 'options': {name!r}}}}})\n"
        for number, name in enumerate(OPTIONS)
    )
    source = source_of(f"class Valves(BaseModel):\n{fields}        numbers: list[int] = []")
    properties = (await found(mode, source, "spec"))["properties"]
    inputs = [properties[f"n{number}"]["input"] for number in range(len(OPTIONS))]
    assert [one["options"] for one in inputs] == [[]] * len(OPTIONS)
    assert all(one["error"].startswith("The options cannot be told: ") for one in inputs)


async def test_what_a_call_leaves_behind_does_not_speak_in_the_next_one(opened: Open) -> None:
    """A generator that nobody has ended is ended when the collector finds it, which is in a later call."""
    mode = await opened()
    source = source_of("""
    def parts(self, ctx):
        try:
            yield
        finally:
            ctx.publish("news", {"from": "before"})

    def inlet(self, body, __ctx__):
        if body["leave"]:
            self.left = self.parts(__ctx__)
            next(self.left)
            self.itself = self
            return "left"
        for _ in range(10):
            more = [[number] for number in range(10**5)]
        __ctx__.publish("news", {"from": "now"})
        return "found"
""")
    host = PlayedHost()
    for leave, result in ((True, "left"), (False, "found"), (False, "found")):
        outcome = await mode.run(await plugin_call(mode, source, {"body": {"leave": leave}}, host=host))
        assert outcome.status == "SUCCESS", outcome
        assert json.loads(bytes(outcome.result)) == result
    assert [payload for channel, (_, payload) in host.asked if channel == "news"] == [b'{"from":"now"}'] * 2
    assert mode.facts()["counts"] == {"cold": 1, "warm": 2}
