"""What compiled classes are made of, seen from the platform's side."""

import marshal
from typing import Any

from services.executor.modes.python.compiling import compile_source
from services.executor.modes.python.coroutines import finished
from services.executor.modes.python.given import GIVEN
from services.executor.modes.python.names import fresh_globals
from services.executor.modes.python.output import Output


class Model:
    """A base, as the platform hands one out."""


def executed(source: str) -> dict[str, Any]:
    """The globals after the source has run, with `Model` among them."""
    code, errors = compile_source(source.encode())
    assert not errors, errors
    names = fresh_globals(Output(1000, 10), {}) | {"Model": Model}
    exec(marshal.loads(code), names)
    return names


def test_a_class_with_a_base_has_its_annotations_as_values_in_order() -> None:
    made = executed("""
from __future__ import annotations
class Filter:
    class Valves(Model):
        priority: int = 3
        keys: list[str]
        limit: int | None = None
        named: "later" = ""
""")["Filter"].Valves
    assert made.__annotations__ == {"priority": int, "keys": list[str], "limit": int | None, "named": "later"}
    assert list(made.__annotations__) == ["priority", "keys", "limit", "named"]
    assert (made.priority, made.limit) == (3, None)
    assert not hasattr(made, "keys")
    assert made.__bases__ == (Model,)


def test_no_other_annotation_is_evaluated_or_kept() -> None:
    names = executed("""
x: nothing = 1
y: nothing
class Bare:
    z: nothing = 2
def f(a: nothing, *b: nothing, c: nothing = 3, **d: nothing) -> nothing:
    e: nothing = 4
    class Inner:
        def method(self, o: nothing) -> nothing:
            self.o: nothing = o
    return Inner
class Based(Model):
    if True:
        (inside): nothing = 5
    def method(self, n: nothing) -> nothing:
        n: nothing = n
""")
    assert "__annotations__" not in names
    assert "__annotations__" not in vars(names["Bare"])
    assert names["f"].__annotations__ == names["Based"].method.__annotations__ == {}
    assert (names["x"], names["Bare"].z, names["Based"].inside) == (1, 2, 5)
    assert names["f"](1)().method(6) is None


def test_docs_are_kept() -> None:
    names = executed('"""module"""\nclass A:\n    "class"\n    def f(self):\n        "method"\n        print(1)')
    assert (names["A"].__doc__, names["A"].f.__doc__) == ("class", "method")


def test_an_annotation_runs_at_the_line_it_is_on() -> None:
    code, errors = compile_source(b"class A:\n    pass\nclass B(A):\n    x: int\n    y: nothing\n")
    assert not errors
    try:
        exec(marshal.loads(code), fresh_globals(Output(1000, 10), {}))
    except NameError as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next:
            trace = trace.tb_next
        assert trace is not None
        assert trace.tb_lineno == 5
    else:
        raise AssertionError("the annotation was not evaluated")


def test_a_given_name_is_a_parameter_and_nothing_else() -> None:
    names = executed("""
def f(__user__=None, *, __id__=2, **others):
    __user__ = __user__ or {"id": 1}
    def inside():
        return [__user__, (lambda __body__: __body__)(__id__)]
    return inside() + [others]
def main():
    return f(__id__=3, __files__=[])
""")
    assert names["main"]() == [{"id": 1}, 3, {"__files__": []}]


def test_no_given_name_is_one_that_is_looked_up_by_python_or_by_the_platform() -> None:
    """Hooks, and what the language itself reads from globals, classes and instances."""
    platform = set(fresh_globals(Output(1000, 10), {})) | set(fresh_globals(Output(1000, 10), {})["__builtins__"])
    language = {name for kind in (object, type, type(executed), BaseException) for name in dir(kind)}
    assert not GIVEN & (platform | language)
    assert all(name.startswith("__") and name.endswith("__") for name in GIVEN)


PLUGIN = '''
"""
title: Example
"""
from __future__ import annotations
from typing import Optional
from pydantic import BaseModel, Field, field_validator

_LIMIT = 3

class Filter:
    """Counts."""

    class Valves(BaseModel):
        priority: int = Field(default=0, description="order")
        names: list[str] = []
        later: Optional[int] = None

        @field_validator("priority")
        @classmethod
        def _check(cls, value):
            return cls._at_most(value)

        @staticmethod
        def _at_most(value):
            return min(value, _LIMIT)

    def __init__(self):
        self.valves = self.Valves(**{"priority": 9})
        self._seen: dict[str, Unknown] = {}

    def _count(self, user: Unknown) -> Unknown:
        self._seen[user] = self._seen.get(user, 0) + 1
        return self._seen[user]

    async def inlet(self, body: dict, __user__: Optional[dict] = None, __event_emitter__=None) -> dict:
        __user__ = __user__ or {"id": "nobody"}
        if __event_emitter__:
            await __event_emitter__({"type": "status"})
        return {**body, "count": self._count(__user__["id"])}

async def main(params):
    seen = []
    async def emit(event):
        seen.append(event["type"])
    made = Filter()
    await made.inlet({})
    out = await made.inlet(params, __event_emitter__=emit)
    made.valves = made.Valves(names=["a"], later=1)
    return [out, seen, made.valves.model_dump(), Filter().valves.priority]
'''


def test_a_plugin_as_plugins_are_written() -> None:
    main = executed(PLUGIN)["main"]
    assert finished(main({"a": 1})) == [
        {"a": 1, "count": 2},
        ["status"],
        {"priority": 0, "names": ["a"], "later": 1},
        3,
    ]
