"""What is refused at upload, and how it is said."""

import pytest

from services.executor.mode import Artefact, Refusal
from services.executor.modes.python.mode import PythonMode
from services.executor.modes.python.settings import COMPILER

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFUSED = [
    ("x = 1\nimport os", 2, "Module os is not available"),
    ("import os", 1, "ctx.env"),
    ("from enum import Enum", 1, "annotate with Literal"),
    ("import dataclasses", 1, "BaseModel"),
    ("import httpx", 1, "there is no network"),
    ("import urllib.request", 1, "there is no network"),
    ("from typing import TypedDict", 1, "annotate with dict"),
    ("from logging import StreamHandler", 1, "leave handlers out"),
    ("from os import path", 1, "Module os is not available"),
    ("import os.path", 1, "Module os.path is not available"),
    ("import json.decoder", 1, "Module json.decoder is not available"),
    ("from json import codecs", 1, "json.codecs is not available"),
    ("from _strptime import time", 1, "Module _strptime is not available"),
    ("from math import *", 1, '"*" imports are not allowed'),
    ("from . import x", 1, "Relative imports are not available"),
    ("\n\nawait f()", 3, "SyntaxError: 'await' outside function"),
    ("def f():\n    await f()", 2, "'await' outside async function"),
    ("def f():\n    return [x async for x in y]", 2, "outside of an asynchronous function"),
    ("async def f():\n    yield from x", 2, "'yield from' inside async function"),
    ("def f():\n    async with x: pass", 2, "'async with' outside async function"),
    ("async def _getattr_(): pass", 1, "choose another"),
    ("async def f(_getattr_): pass", 1, "choose another"),
    ("async def f():\n    async for _getattr_ in x: pass", 2, "choose another"),
    ("async def f():\n    async with x as _getattr_: pass", 2, "choose another"),
    ("async def f():\n    return [1 async for _getattr_ in x]", 2, "choose another"),
    ("async def f():\n    f().cr_frame", 2, "cr_frame"),
    ("async def f():\n    x = await y.__z", 2, "__z"),
    ("def main(x):\n    match x:\n        case 1: pass", 2, "write if and elif"),
    ("try:\n    pass\nexcept* ValueError:\n    pass", 1, "write an ordinary except"),
    ("x = ().__class__", 1, "__name__"),
    ("class A:\n    def f(self):\n        x = super().__init__", 3, "super().__init__"),
    ("class A:\n    def f(self):\n        super(A, self).__init__()", 3, "super().__init__"),
    ("class A:\n    def f(self):\n        super().__new__(A)", 3, "super().__init__"),
    ("class A:\n    def f(self):\n        super()._x_()", 3, "choose another"),
    ("class A:\n    def f(self):\n        super().__init__.__func__()", 3, "__func__"),
    ("class A:\n    def f(self):\n        super().gi_frame()", 3, "gi_frame"),
    ("class A:\n    def f():\n        super().__init__()", 3, "super().__init__"),
    ("class A:\n    def f(self):\n        def g(): super().__init__()", 3, "super().__init__"),
    ("class A:\n    super().__init__()", 2, "super().__init__"),
    ("def f(self):\n    super().__init__()", 2, "super().__init__"),
    ("class A:\n    def f(self):\n        super().__init__ = 1", 3, "super().__init__"),
    ("class A:\n    def f(self):\n        __class__", 3, "__class__"),
    ("super = 1", 1, "reserved name"),
    ("def super(): pass", 1, "reserved name"),
    ("def f(super): pass", 1, "reserved name"),
    ("import math as super", 1, "reserved name"),
    ("class A:\n    def f(self):\n        global super", 3, "reserved name"),
    ("def main(x):\n    x._y_ = 1", 2, "choose another"),
    ("_x_ = 1", 1, "choose another"),
    ("def main(x):\n    x._A__y = 1", 2, "choose another"),
    ("import math as _write_", 1, "choose another"),
    ("import _strptime", 1, "Module _strptime is not available"),
    ("try:\n    import _strptime\nexcept ImportError:\n    pass", 2, "Module _strptime is not available"),
    ("try:\n    from json import _title\nexcept ImportError:\n    pass", 2, "json._title is not available"),
    ("__name__ = 1", 1, "__name__"),
    ("__name__ += 'x'", 1, "__name__"),
    ("del __name__", 1, "__name__"),
    ("def f(__name__): pass", 1, "__name__"),
    ("def f():\n    global __name__", 2, "__name__"),
    ("import math as __name__", 1, "__name__"),
    ("(__name__ := 1)", 1, "__name__"),
    ("class __name__: pass", 1, "__name__"),
    ("x = main.__name__", 1, "__name__"),
    ("x = __file__", 1, "__file__"),
    ("x = __user__", 1, "given to parameters only"),
    ("__user__ = 1", 1, "given to parameters only"),
    ("def f(__user__):\n    def g():\n        __user__ = 1", 3, "given to parameters only"),
    ("def f(__user__):\n    class A:\n        __user__ = 1", 3, "given to parameters only"),
    ("def f():\n    global __user__", 2, "given to parameters only"),
    ("def f(__user__):\n    def g():\n        nonlocal __user__", 3, "given to parameters only"),
    ("def __user__(__user__): pass", 1, "given to parameters only"),
    ("class __user__: pass", 1, "given to parameters only"),
    ("import math as __user__", 1, "given to parameters only"),
    ("def f(__user__):\n    try: pass\n    except E as __user__: pass", 3, "given to parameters only"),
    ("def f(__user__):\n    return f.__user__", 2, "__user__"),
    ("def f(__class__): pass", 1, "__class__"),
    ("class A(B):\n    __x: int = 1", 2, "__x"),
    ("class A(B):\n    x: y.__z", 2, "__z"),
    ("def f():\n    global _getattr_", 2, "_getattr_"),
    ("def f():\n    __x = 1\n    def g():\n        nonlocal __x", 2, "__x"),
    ("x._y_ += 1", 1, "_y_"),
    ("x[a._b_] += 1", 1, "_b_"),
    ("x: int = y._z_", 1, "_z_"),
    ("print = 1", 1, "reserved name"),
    ("def f(_getattr_, /): pass", 1, "_getattr_"),
    ("eval('1')", 1, "Eval calls are not allowed"),
    ("exec('1')", 1, "Exec calls are not allowed"),
    ("class A(metaclass=type): pass", 1, "metaclass"),
    ("class A:\n    def __str__(self): pass", 2, "__str__"),
    ("(x for x in []).gi_frame", 1, "gi_frame"),
    ("def main(:\n  pass", 1, "SyntaxError: "),
    ("x = 1\n  y = 2", 2, "IndentationError: unexpected indent"),
    ("return 1", 1, "'return' outside function"),
    ("def f(a, a): pass", 1, "duplicate argument"),
    ("def f():\n    nonlocal x", 2, "no binding for nonlocal"),
    ("x = 1\0", 0, "null bytes"),
    ("x = '\ud800'", 0, "UTF-8"),
]

NESTED = ["(" * 5000 + ")" * 5000, "-" * 50000 + "1", "a" + ".a" * 30000, "[" * 5000 + "]" * 5000]


@pytest.mark.parametrize(("source", "line", "text"), REFUSED)
async def test_refused(mode: PythonMode, source: str, line: int, text: str) -> None:
    refused = await mode.prepare(source)
    assert isinstance(refused, Refusal)
    assert any(error.line == line and text in error.message for error in refused.errors), refused


@pytest.mark.parametrize("source", NESTED, ids=["parentheses", "signs", "attributes", "brackets"])
async def test_deep_nesting_is_refused(mode: PythonMode, source: str) -> None:
    refused = await mode.prepare(source)
    assert isinstance(refused, Refusal)
    assert refused.errors[0].message


async def test_all_reasons_at_once_in_the_order_of_lines(mode: PythonMode) -> None:
    refused = await mode.prepare("import os\nx = 1\n__z = 1\n_y_ = 2")
    assert isinstance(refused, Refusal)
    assert [error.line for error in refused.errors] == [1, 3, 4]


async def test_source_over_the_limit(mode: PythonMode) -> None:
    refused = await mode.prepare("#" + "x" * (4 << 20))
    assert isinstance(refused, Refusal)
    assert "4194304 bytes" in refused.errors[0].message


async def test_refusals_do_not_run_the_source_nor_leave_workers(mode: PythonMode) -> None:
    before = mode.facts()["workers"]
    made = await mode.prepare("while True: pass")
    assert isinstance(made, Artefact)
    assert made.compiler == mode.compiler == COMPILER
    assert mode.facts()["workers"] == before
