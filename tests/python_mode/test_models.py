"""Valves in the sandbox, against pydantic itself: the same source, once here and once in a worker."""

import json
import warnings
from typing import Any

import pytest

from services.executor.modes.python.mode import PythonMode
from tests.python_mode.calling import Run, call_of, value_of
from tests.python_mode.valves import VALVES

pytestmark = pytest.mark.asyncio(loop_scope="session")

TELLING = """
from pydantic import ValidationError

def told_of(kind, values):
    try:
        made = kind(**values)
    except ValidationError as error:
        lines = [[list(one["loc"]), one["type"], one["msg"]] for one in error.errors()]
        return [str(error), lines, error.error_count(), error.title, error.json()]
    dumped = [made.model_dump(mode="json", **options) for options in (
        {}, {"exclude_unset": True}, {"by_alias": True}, {"exclude_defaults": True}, {"exclude_none": True},
    )]
    try:
        again = kind.model_validate(made.model_dump(by_alias=True))
    except ValidationError as error:
        again = str(error)
    texts = [made.model_dump_json(), made.model_dump_json(indent=2), str(made.model_dump()), str(made), repr(made)]
    return [*texts, dumped, sorted(made.model_fields_set), made == kind(**values), repr(again)]

def told_of_json(kind, text):
    try:
        return repr(kind.model_validate_json(text))
    except ValidationError as error:
        return str(error)

def main(params):
    return {
        "schema": Valves.model_json_schema(),
        "of dumps": Valves.model_json_schema(mode="serialization"),
        "by names": Valves.model_json_schema(by_alias=False),
        "values": [told_of(Valves, values) for values in params["values"]],
        "texts": [told_of_json(Valves, text) for text in params["texts"]],
        "fields": list(Valves.model_fields),
    }
"""


def by_pydantic(source: str, params: dict[str, Any]) -> Any:
    names: dict[str, Any] = {"__name__": "function"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(source + TELLING, "<valves>", "exec", dont_inherit=True), names)
        return json.loads(json.dumps(names["main"](params)))


@pytest.mark.parametrize("name", VALVES)
async def test_all_is_as_pydantic_has_it(run: Run, name: str) -> None:
    source, values = VALVES[name]
    params = {"values": values, "texts": [json.dumps(one) for one in values] + ["[]", "{", '"x"']}
    params = json.loads(json.dumps(params).replace("Infinity", "1e999"))
    ours = value_of(await run(source + TELLING, params))
    real = by_pydantic(source, params)
    for part in real:
        assert json.dumps(ours[part]) == json.dumps(real[part]), part


async def test_classes_of_a_call_end_with_it(mode: PythonMode) -> None:
    """Ten thousand of them in all; one takes some thirty kilobytes."""
    source = """
from pydantic import BaseModel, Field, field_validator

def main(params):
    for n in range(100):
        class Valves(BaseModel):
            priority: int = Field(0, description="d" * 100)
            parts: list[str] = ["a"]

            @field_validator("priority")
            @classmethod
            def check(cls, value):
                return value

        assert Valves(priority="1").priority == 1
"""
    call = await call_of(mode, source)
    peaks = [(await mode.run(call)).usage.peak_bytes for _ in range(100)]
    assert max(peaks) < peaks[9] + (4 << 20)
