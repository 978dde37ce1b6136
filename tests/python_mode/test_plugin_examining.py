"""What is found in a plugin's code when it is looked into: what it is, its schemas, and what values it takes."""

from typing import Any

import pytest

from services.executor.modes.python.mode import PythonMode
from tests.python_mode.opening import Open
from tests.python_mode.plugging import ADA, found, look
from tests.python_mode.test_plugin_hooks import ACTION, FILTER, PIPE

pytestmark = pytest.mark.asyncio(loop_scope="session")

TUNER = """
from pydantic import BaseModel, Field

class Filter:
    class Valves(BaseModel):
        priority: int = Field(default=0, ge=0, description="Lower runs first.")
        api_key: str = ""
        model: str = Field(default="", json_schema_extra={"input": {"type": "select", "options": "models"}})

        @classmethod
        def models(cls, __user__):
            return [{"value": "a", "label": __user__["name"] if __user__ else "nobody"}]

    class UserValves(BaseModel):
        tone: str = Field(default="calm", json_schema_extra={"input": {"type": "select", "options": ["calm", "loud"]}})

    def __init__(self):
        self.valves = self.Valves()
        self.toggle = True

    def inlet(self, body):
        return body
"""
HEAD = "from pydantic import BaseModel\nclass Pipe:\n    class Valves(BaseModel):"
NO_MODEL = "must be a class that is derived from pydantic's BaseModel"
NOTHING = {"toggle": False, "has_valves": False, "has_user_valves": False, "secret": False, "fault": ""}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (FILTER, {"kind": "filter"}),
        (PIPE, {"kind": "pipe"}),
        (ACTION, {"kind": "action"}),
        ('def main():\n    print("Updated")', {"kind": "function"}),
        (FILTER + "    toggle = True", {"kind": "filter", "toggle": True}),
        (FILTER + "    toggle = 'no'", {"kind": "filter", "toggle": True}),
        (FILTER + "    toggle = 0", {"kind": "filter"}),
        (PIPE + "    toggle = True", {"kind": "pipe"}),
        (TUNER, {"kind": "filter", "toggle": True, "has_valves": True, "has_user_valves": True}),
    ],
)
async def test_what_code_is(mode: PythonMode, source: str, told: dict[str, Any]) -> None:
    assert await found(mode, source) == {**NOTHING, **told}


async def test_a_secret_field(mode: PythonMode) -> None:
    secret = TUNER.replace('api_key: str = ""', "api_key: SecretStr = SecretStr('')").replace(
        "Field\n", "Field, SecretStr\n"
    )
    assert (await found(mode, secret))["secret"] is True


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("x = 1", "No Function class found in the module"),
        ("main = 3", "No Function class found in the module"),
        ("\nraise ValueError('not here')", "ValueError: not here (line 2)"),
        ("class Filter:\n    def __init__(self):\n        self.none()", "has no attribute 'none' (line 3)"),
        ("class Pipe:\n    class Valves:\n        n = 1", f"Valves {NO_MODEL}"),
        ("class Pipe:\n    UserValves = 3", f"UserValves {NO_MODEL}"),
        (f"{HEAD}\n        n: int = none", "name 'none' is not defined"),
    ],
)
async def test_code_that_cannot_be_a_plugin(mode: PythonMode, source: str, error: str) -> None:
    outcome = await look(mode, source)
    assert (outcome.status, outcome.error_type) == ("FAILURE", "SandboxError")
    assert error in outcome.error
    assert "Execution failed" not in outcome.error


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ({}, True),
        ({"priority": 3}, True),
        ({"priority": None}, True),
        ({"priority": -1}, False),
        ({"priority": "high"}, False),
        ({"other": 1}, True),
    ],
)
async def test_stored_valves_have_to_fit_as_far_as_they_go(mode: PythonMode, values: Any, fits: bool) -> None:
    needy = TUNER.replace('api_key: str = ""', "api_key: str").replace("= self.Valves()", "= None")
    for source in (TUNER, needy):
        told = await found(mode, source, values=values)
        assert (told["fault"] == "") is fits
        assert fits or "priority" in told["fault"]


async def test_stored_valves_of_code_without_any(mode: PythonMode) -> None:
    assert (await found(mode, FILTER, values={"n": 1}))["fault"] == ""


async def test_the_schema_of_valves(mode: PythonMode) -> None:
    spec = await found(mode, TUNER, "spec", person=ADA)
    assert spec["properties"]["priority"] == {
        "default": 0,
        "description": "Lower runs first.",
        "minimum": 0,
        "title": "Priority",
        "type": "integer",
    }
    assert spec["properties"]["model"]["input"] == {"type": "select", "options": [{"value": "a", "label": "Ada L."}]}
    assert (spec["title"], spec["type"], "required" in spec) == ("Valves", "object", False)
    users = await found(mode, TUNER, "spec", of="user_valves")
    assert users["properties"]["tone"]["input"]["options"] == ["calm", "loud"]


async def test_choices_for_nobody(mode: PythonMode) -> None:
    spec = await found(mode, TUNER, "spec")
    assert spec["properties"]["model"]["input"]["options"] == [{"value": "a", "label": "nobody"}]


@pytest.mark.parametrize("source", [FILTER, PIPE, "def main(): return 1"])
async def test_there_is_no_schema_of_what_is_not_there(mode: PythonMode, source: str) -> None:
    assert await found(mode, source, "spec") is None
    assert await found(mode, source, "spec", of="user_valves") is None
    assert await found(mode, source, "values", values={}) == {"missing": True}


@pytest.mark.parametrize(
    ("method", "options", "error"),
    [
        ("def models(cls): return ['a']", ["a"], ""),
        ("async def models(cls): return ['a']", ["a"], ""),
        ("def models(cls): return 1 / 0", [], "ZeroDivisionError: division by zero"),
        ("def models(cls): return 'abc'", [], "TypeError: models() returned str, and not a list"),
        ("def models(cls): return [{1}]", [], "what models() returned is not JSON serializable"),
        ("def models(cls, x): return []", [], "missing 1 required positional argument: 'x'"),
        ("def others(cls): return []", [], "AttributeError: Valves has no method 'models'"),
    ],
)
async def test_choices_that_are_made(mode: PythonMode, method: str, options: list[Any], error: str) -> None:
    old = TUNER[TUNER.index("        def models") : TUNER.index("    class UserValves")]
    asked = (await found(mode, TUNER.replace(old, f"        {method}\n"), "spec"))["properties"]["model"]["input"]
    assert (asked["type"], asked["options"]) == ("select", options)
    assert error in asked.get("error", "")
    assert ("error" in asked) is bool(error)


async def test_choices_of_nested_models_stay_as_they_are(mode: PythonMode) -> None:
    extra = '{"input": {"type": "select", "options": "models"}}'
    source = "from pydantic import BaseModel, Field\nclass Part(BaseModel):\n"
    source += f"    one: str = Field(default='', json_schema_extra={extra})\n"
    source += "class Pipe:\n    class Valves(BaseModel):\n        part: Part = Part()\n"
    spec = await found(mode, source, "spec")
    assert spec["$defs"]["Part"]["properties"]["one"]["input"]["options"] == "models"


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({}, {}),
        ({"priority": "5", "api_key": "k"}, {"priority": 5, "api_key": "k"}),
        ({"priority": None, "api_key": "k"}, {"api_key": "k"}),
        ({"model": "not among them"}, {"model": "not among them"}),
    ],
)
async def test_values_to_keep(mode: PythonMode, values: Any, kept: Any) -> None:
    assert await found(mode, TUNER, "values", values=values) == {"values": kept}


async def test_values_that_do_not_fit(mode: PythonMode) -> None:
    told = await found(mode, TUNER, "values", values={"priority": "high"})
    assert list(told) == ["misfit"]
    assert "priority" in told["misfit"]
    told = await found(mode, TUNER, "values", of="user_valves", values={"tone": 3})
    assert "tone" in told["misfit"]


async def test_a_secret_is_kept_in_the_clear(mode: PythonMode) -> None:
    """It is the executor that seals it."""
    source = (
        "from pydantic import BaseModel, SecretStr\nclass Pipe:\n    class Valves(BaseModel):\n        key: SecretStr"
    )
    assert await found(mode, source, "values", values={"key": "k1"}) == {"values": {"key": "k1"}}


async def test_what_is_printed_is_nobodys(mode: PythonMode) -> None:
    outcome = await look(mode, "print('x' * 1000)\nlog('y')\n" + FILTER)
    assert (outcome.stdout, outcome.logs) == ("", [])


async def test_the_worker_of_what_has_no_id_yet_is_not_kept(opened: Open) -> None:
    mode = await opened()
    await found(mode, FILTER)
    assert mode.facts()["workers"] == 0
    assert (await look(mode, "x = 1")).status == "FAILURE"
    assert mode.facts()["workers"] == 0


@pytest.mark.parametrize(
    ("source", "changes", "ends"),
    [
        ("while True: pass", {"timeout_s": 0.5}, {"TimeoutError"}),
        ("while True: pass", {"cpu_s": 0.2}, {"CpuLimitExceeded"}),
        ("while True: print('x' * 1000)", {"timeout_s": 0.5}, {"TimeoutError"}),
        ("x = [0]\nwhile True: x = x + x", {}, {"MemoryError"}),
        ("x = 'x' * 10 ** 9", {}, {"MemoryError"}),
        ("raise SystemExit(3)", {}, {"SandboxError"}),
        ("raise BaseException()", {}, {"SandboxError"}),
        ("def f(): f()\nf()", {}, {"SandboxError"}),
        ("class Filter:\n    def __init__(self):\n        while True: pass", {"timeout_s": 0.5}, {"TimeoutError"}),
    ],
)
async def test_hostile_modules(mode: PythonMode, source: str, changes: dict[str, Any], ends: set[str]) -> None:
    outcome = await look(mode, source, **changes)
    assert (outcome.status, outcome.error_type in ends) == ("FAILURE", True), outcome


HUGE = """
from pydantic import BaseModel, Field
class Pipe:
    class Valves(BaseModel):
        n: str = Field(default="", description="x" * {count})
        choice: str = Field(default="", json_schema_extra={"input": {"type": "select", "options": "many"}})

        @classmethod
        def many(cls):
            return {many}
"""


@pytest.mark.parametrize(
    ("count", "many", "ends"),
    [
        (200_000, "[]", "ResultTooLarge"),
        (100_000_000, "[]", "MemoryError"),
        (1, "['x'] * 50_000", "ResultTooLarge"),
        (1, "['x' * 100_000_000]", "MemoryError"),
    ],
)
async def test_a_schema_without_measure(mode: PythonMode, count: int, many: str, ends: str) -> None:
    source = HUGE.replace("{count}", str(count)).replace("{many}", many)
    assert (await look(mode, source, "spec", memory_mb=128)).error_type == ends
