"""Private names, given names and annotations, attacked; and what of the platform's must hold for them to be safe."""

import contextlib

import pytest

from services.executor.modes.python.facades import FACADES
from services.executor.modes.python.mode import PythonMode
from services.executor.modes.python.models.model import BaseModel
from services.executor.modes.python.names import fresh_globals
from services.executor.modes.python.output import Output
from services.executor.modes.python.private import _OPEN_BASES, MARK, is_private
from tests.python_mode.calling import call_of, value_of
from tests.sandbox.attacked import fails, is_refused, source_of
from tests.sandbox.naming_attacks import FAILS, REFUSED, TELLING

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_at_upload(mode: PythonMode, name: str) -> None:
    assert await is_refused(mode, source_of(REFUSED[name]))


@pytest.mark.parametrize("name", FAILS)
async def test_fails_in_the_worker(mode: PythonMode, name: str) -> None:
    await fails(mode, source_of(FAILS[name]))


@pytest.mark.parametrize("name", TELLING)
async def test_what_it_sees_is_harmless(mode: PythonMode, name: str) -> None:
    body, harmless = TELLING[name]
    assert value_of(await mode.run(await call_of(mode, f"def main():\n    {body}"))) == harmless


async def test_no_hook_and_no_global_can_be_spelled_as_a_private_name() -> None:
    names = fresh_globals(Output(1000, 10), {})
    assert not [name for name in {**names, **names["__builtins__"]} if is_private(name)]


async def test_open_bases_have_no_private_names_and_are_not_written_in_python() -> None:
    """What is written in Python may store under a private name; what is not, has nowhere to do it from."""
    for base in _OPEN_BASES:
        assert not [name for kind in base.__mro__ for name in vars(kind) if is_private(name)], base
        assert not [value for kind in base.__mro__ for value in vars(kind).values() if hasattr(value, "__code__")], base
        assert MARK not in vars(base)


async def test_marked_classes_have_no_private_names() -> None:
    marked = [
        one
        for facade in FACADES.values()
        for one in vars(facade).values()
        if isinstance(one, type) and MARK in vars(one)
    ]
    assert marked == [BaseModel]
    assert not [name for name in (*vars(BaseModel), *BaseModel.__slots__) if is_private(name)]


async def test_models_keep_nothing_under_a_private_name(mode: PythonMode) -> None:
    """Neither in their classes, nor in their instances, nor in what a method is called with as `self`."""

    class Mine:
        pass

    class Made(BaseModel):
        x: int = 1

    for method in (value for value in vars(BaseModel).values() if hasattr(value, "__code__")):
        mine = Mine()
        with contextlib.suppress(Exception):
            method(mine)
        assert not [name for name in vars(mine) if is_private(name)]
    Made(x=2).model_dump_json()
    Made.model_json_schema()
    assert not [name for one in (Made, Made(x=2).model_copy()) for name in vars(one) if is_private(name)]
