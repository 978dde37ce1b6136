"""What the platform does with a function's models: schemas, values that are kept, and why others do not fit."""

import json
import marshal
from typing import Any

import pytest

from services.executor.modes.python.compiling import compile_source
from services.executor.modes.python.models import api
from services.executor.modes.python.models.errors import ValidationError
from services.executor.modes.python.names import fresh_globals
from services.executor.modes.python.output import Output
from tests.python_mode.valves import VALVES

HEAD = """
from typing import Dict, List, Optional, Set, Union
from datetime import timedelta
from decimal import Decimal
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, PrivateAttr, SecretBytes, SecretStr, field_validator
"""


def defined(source: str) -> dict[str, Any]:
    """The globals of a function after its first run."""
    code, errors = compile_source(source.encode())
    assert not errors, errors
    names = fresh_globals(Output(1000, 10), {})
    exec(marshal.loads(code), names)
    return names


def model(body: str) -> Any:
    return defined(f"{HEAD}\nclass Valves(BaseModel):\n{body}")["Valves"]


@pytest.mark.filterwarnings("ignore:Field name:UserWarning")
@pytest.mark.parametrize("name", VALVES)
def test_what_is_kept_makes_the_same_again(name: str) -> None:
    source, values = VALVES[name]
    kind = defined(source)["Valves"]
    assert api.is_model(kind)
    fits = 0
    for one in values:
        try:
            made = api.made(kind, one)
        except ValidationError:
            continue
        fits += 1
        kept = json.loads(json.dumps(api.kept(made), allow_nan=False))
        again = api.made(kind, kept)
        assert repr(again) == repr(made)
        assert again.model_fields_set == made.model_fields_set
        assert again.model_dump() == made.model_dump() or "nan" in repr(made).lower()
        assert api.misfit(kind, kept) == ""
    assert fits


def test_secrets_are_kept_in_the_clear_and_what_is_left_out_of_dumps_as_well() -> None:
    kind = model("""
    a: SecretStr
    b: Dict[str, List[SecretBytes]] = {}
    c: int = Field(1, exclude=True)
    d: Optional[Union[SecretStr, int]] = None
    e: Set[int] = set()
    f: HttpUrl = "http://a"
    g: timedelta = timedelta(1)
    h: Decimal = Decimal(1)
""")
    values = {"a": "s", "b": {"x": ["y"]}, "c": 2, "d": "z", "e": [1], "f": "http://b/", "g": "P2D", "h": "1.50"}
    assert api.kept(api.made(kind, values)) == values


def test_a_change_is_kept() -> None:
    made = api.made(model("    a: int = 1\n    b: int = 2"), {})
    made.a = 5
    assert api.kept(made) == {"a": 5}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, ""),
        ({"a": 1}, ""),
        ({"inner": {}}, ""),
        ({"inners": [{}, {"n": 2}]}, ""),
        ({"a": "x"}, "a\n  Input should be a valid integer"),
        ({"inner": {"m": "x"}}, "inner.m\n  Input should be a valid integer"),
        ({"gone": 1}, "gone\n  Extra inputs are not permitted"),
        ({"text": "{x} %s"}, "text\n  Value error, no {x} %s"),
        ({"a": 1, "inner": {"n": 1}, "odd": 1}, "KeyError: 'odd'"),
    ],
)
def test_what_does_not_fit_is_told_but_for_what_is_missing(values: dict[str, Any], text: str) -> None:
    names = defined(f"""{HEAD}
class Inner(BaseModel):
    n: int
    m: int = 1

class Valves(BaseModel):
    model_config = ConfigDict(extra="forbid")
    a: int
    inner: Inner
    inners: List[Inner] = []
    text: str = ""
    odd: int = 0

    @field_validator("text", "odd")
    @classmethod
    def check(cls, value):
        if value == 1:
            raise KeyError("odd")
        raise ValueError(f"no {{value}}")
""")
    told = api.misfit(names["Valves"], values)
    assert text in told
    assert bool(text) == bool(told)
    assert "required" not in told


@pytest.mark.parametrize(
    ("body", "secret"),
    [
        ("    a: str = ''", False),
        ("    a: SecretStr = SecretStr('')", True),
        ("    a: Optional[List[SecretBytes]] = None", True),
        ("    a: str = Field('', json_schema_extra={'format': 'password'})", True),
        ("    a: str = Field('', json_schema_extra={'writeOnly': True})", True),
        ("    a: str = Field('', json_schema_extra={'input': {'type': 'password'}})", True),
        ("    a: str = Field('', json_schema_extra={'input': {'type': 'select'}})", False),
        ("    class Inner(BaseModel):\n        b: SecretStr = SecretStr('')\n    a: Dict[str, Inner] = {}", True),
    ],
)
def test_which_models_have_secrets(body: str, secret: bool) -> None:
    assert api.has_secrets(model(body)) is secret


def test_what_is_no_model() -> None:
    names = defined(f"{HEAD}\nclass A:\n    a = 1\nclass B(BaseModel):\n    a: int = 1\n")
    assert [api.is_model(one) for one in (names["A"], names["BaseModel"], names["B"](), int, None, "B")] == [False] * 6
    assert api.is_model(names["B"])


def test_a_definition_that_pydantic_refuses_is_a_type_error_without_a_link() -> None:
    with pytest.raises(TypeError) as refused:
        api.schema(model("    a: str = Field('', pattern='(')"))
    assert "regex parse error" in str(refused.value)
    assert "errors.pydantic.dev" not in str(refused.value)


def test_the_same_definition_is_built_once_and_another_anew() -> None:
    first, second, third = model("    a: int = 1"), model("    a: int = 1"), model("    a: bool = 1")
    assert api.schema(first) == api.schema(second)
    assert api.fitted(first).real is api.fitted(second).real
    assert api.fitted(first).validator is not api.fitted(second).validator
    assert api.fitted(third).real is not api.fitted(first).real
    assert type(api.made(second, {})) is second


def test_assignment_attributes_and_copies() -> None:
    kind = model("""
    model_config = ConfigDict(validate_assignment=True, extra="allow")
    a: int = 1
    b: list = Field([], frozen=True)
    _c: int = PrivateAttr(3)
""")
    made = kind(z=5)
    made.a = "7"
    assert (made.a, made.z, made.model_extra, made.model_dump()) == (7, 5, {"z": 5}, {"a": 7, "b": [], "z": 5})
    with pytest.raises(ValidationError, match="valid integer"):
        made.a = "x"
    with pytest.raises(ValidationError, match="Field is frozen"):
        made.b = []
    shallow, deep = made.model_copy(update={"a": 1}), made.model_copy(deep=True)
    assert shallow.b is made.b
    assert deep.b is not made.b
    assert deep == made != shallow
    assert dict(shallow) == {"a": 1, "b": [], "z": 5}
    del made.z
    assert made.model_extra == {}


def test_what_is_empty_is_no_less_an_instance_s_own() -> None:
    kind = model("""
    model_config = ConfigDict(extra="allow")
    _c: int
""")
    made = kind()
    copied, other = made.model_copy(), made.model_copy(update={"y": 1})
    made.x, made._c = 5, 6
    assert (made.x, made.model_extra, made.model_dump(), made.model_fields_set) == (5, {"x": 5}, {"x": 5}, {"x"})
    assert (copied.model_extra, other.model_extra) == ({}, {"y": 1})
    assert not hasattr(copied, "_c")
