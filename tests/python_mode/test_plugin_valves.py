"""Valves of a plugin and of its users: real values, defaults, and those that do not fit."""

import json
from typing import Any

import msgspec
import pytest

from services.executor.mode import SecretUnreadableError
from services.executor.modes.python.mode import PythonMode
from tests.python_mode.asking import PlayedHost
from tests.python_mode.opening import Open
from tests.python_mode.plugging import ADA, fault_of, found, plugin_call, ran, result_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILTER = """
from pydantic import BaseModel, Field

class Filter:
    class Valves(BaseModel):
        priority: int = 0
        words: list[str] = Field(default_factory=list)

    class UserValves(BaseModel):
        shout: bool = False

    def __init__(self):
        self.valves = self.Valves()

    def inlet(self, body, __user__):
        text = body["text"]
        for word in self.valves.words:
            text = text.replace(word, "*" * len(word))
        if __user__ and __user__["valves"].shout:
            text = text.upper()
        return {"text": text, "priority": self.valves.priority}
"""
NEEDY = FILTER.replace("priority: int = 0", "priority: int").replace(
    "self.valves = self.Valves()", "self.valves = None"
)


async def test_valves_are_set_before_the_hook(mode: PythonMode) -> None:
    params = {"text": "the secret"}
    assert await result_of(mode, FILTER, params) == {"text": "the secret", "priority": 0}
    valves = {"priority": "7", "words": ["secret"]}
    assert await result_of(mode, FILTER, params, valves=valves) == {"text": "the ******", "priority": 7}


async def test_they_change_from_call_to_call_in_a_warm_worker(opened: Open) -> None:
    mode = await opened()
    call = await plugin_call(mode, FILTER, {"text": ""})
    assert isinstance(call.host, PlayedHost)
    for priority in (1, 2, 3):
        call.host.plugins_valves = json.dumps({"priority": priority}).encode()
        assert json.loads(bytes((await mode.run(call)).result))["priority"] == priority
    assert mode.facts()["counts"] == {"cold": 1, "warm": 2}


async def test_what_is_null_is_not_set(mode: PythonMode) -> None:
    assert (await result_of(mode, FILTER, {"text": ""}, valves={"priority": None}))["priority"] == 0


async def test_valves_that_do_not_fit_fail_the_call(mode: PythonMode) -> None:
    error = await fault_of(mode, FILTER, {"text": ""}, valves={"priority": "high"})
    assert error.startswith("Execution failed: ValidationError: ")
    assert "priority" in error


async def test_a_valve_that_is_required_and_not_set_fails_the_call(mode: PythonMode) -> None:
    assert "priority" in await fault_of(mode, NEEDY, {"text": ""})
    assert (await result_of(mode, NEEDY, {"text": ""}, valves={"priority": 2}))["priority"] == 2


async def test_without_the_attribute_nothing_is_set(mode: PythonMode) -> None:
    source = "from pydantic import BaseModel\nclass Pipe:\n    class Valves(BaseModel):\n        n: int\n"
    source += "    def pipe(self, body): return hasattr(self, 'valves')"
    assert await result_of(mode, source) is False


async def test_valves_of_the_module_are_ignored(mode: PythonMode) -> None:
    source = "from pydantic import BaseModel\nclass Valves(BaseModel):\n    n: int = 1\n"
    source += "class Pipe:\n    valves = 'mine'\n    def pipe(self, body): return self.valves"
    assert await result_of(mode, source, valves={"n": 2}) == "mine"


async def test_valves_that_are_no_model_are_said_so(mode: PythonMode) -> None:
    source = "class Pipe:\n    class Valves:\n        n = 1\n    valves = None\n    def pipe(self, body): return 1"
    told = "Valves must be a class that is derived from pydantic's BaseModel"
    assert await fault_of(mode, source) == told
    source = source.replace("Valves:", "UserValves:").replace("(self, body)", "(self, body, __user__)")
    host = PlayedHost()
    host.for_whom = ADA
    assert await fault_of(mode, source, host=host) == "User" + told


async def test_the_users_own(mode: PythonMode) -> None:
    host = PlayedHost()
    assert (await result_of(mode, FILTER, {"text": "hey"}, host=host))["text"] == "hey"
    host.for_whom = ADA
    assert (await result_of(mode, FILTER, {"text": "hey"}, host=host))["text"] == "hey"
    host.for_whom = msgspec.structs.replace(ADA, valves=b'{"shout": true}')
    assert (await result_of(mode, FILTER, {"text": "hey"}, host=host))["text"] == "HEY"
    host.for_whom = msgspec.structs.replace(ADA, valves=b'{"shout": "loudly"}')
    assert "ValidationError" in await fault_of(mode, FILTER, {"text": "hey"}, host=host)


async def test_models_in_a_result_are_their_values(mode: PythonMode) -> None:
    source = "from pydantic import BaseModel\nclass Item(BaseModel):\n    n: int\n    more: list[int] = [1]\n"
    source += "class Pipe:\n    def pipe(self, body):\n        return {returned}"
    for returned, result in (
        ("Item(n='1')", {"n": 1, "more": [1]}),
        ("{'items': [Item(n=2)]}", {"items": [{"n": 2, "more": [1]}]}),
        ("(Item(n=n) for n in range(2))", [{"n": 0, "more": [1]}, {"n": 1, "more": [1]}]),
    ):
        assert await result_of(mode, source.replace("{returned}", returned)) == result


class Unreadable(PlayedHost):
    async def valves(self) -> bytes:
        raise SecretUnreadableError("The valves cannot be opened")


async def test_valves_that_cannot_be_opened_are_not_the_functions_fault(mode: PythonMode) -> None:
    with pytest.raises(SecretUnreadableError):
        await ran(mode, FILTER, {"text": ""}, host=Unreadable())


async def test_a_plain_function_is_asked_for_no_valves(mode: PythonMode, run: Any) -> None:
    assert (await run("def main(): return 1")).status == "SUCCESS"


SECRETIVE = """
from pydantic import BaseModel, SecretStr, model_validator

class Filter:
    class Valves(BaseModel):
        password: SecretStr = SecretStr("")
        since: int

        @model_validator(mode="after")
        def check(self):
            if self.since < 0:
                raise ValueError("too early")
            return self

    UserValves = Valves
    valves = None

    def inlet(self, body, __user__):
        return "called"
"""
# A value that is missing, one that is no number, and one that a check of the whole model refuses.
UNFIT: list[dict[str, Any]] = [{}, {"since": "hunter2"}, {"since": -1}, {"since": 1, "password": ["hunter2"]}]


@pytest.mark.parametrize("unfit", UNFIT)
async def test_why_valves_do_not_fit_tells_none_of_them(mode: PythonMode, unfit: dict[str, Any]) -> None:
    """Whoever may call is told it, and whoever may read the records."""
    values = {"password": "hunter2", **unfit}
    outcomes = [await ran(mode, SECRETIVE, {}, valves=values)]
    host = PlayedHost()
    host.for_whom = msgspec.structs.replace(ADA, valves=json.dumps(values).encode())
    outcomes.append(await ran(mode, SECRETIVE, {}, host=host, valves={"since": 1}))
    for outcome in outcomes:
        assert "ValidationError: 1 validation error for Valves" in outcome.error
        assert "hunter2" not in f"{outcome}"
    seen = [await found(mode, SECRETIVE, what, values=values) for what in ("code", "values")]
    assert seen[0]["fault"] or not unfit  # a value that is missing is no fault of the code
    assert seen[1]["misfit"]
    assert "hunter2" not in f"{seen}"
