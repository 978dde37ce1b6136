"""The language layer, attacked: refused at upload, or failing inside the worker; and then another tenant calls."""

import pytest

from services.executor.modes.python.mode import PythonMode
from tests.python_mode.calling import call_of, value_of
from tests.sandbox.attacked import answers, fails, is_refused, source_of
from tests.sandbox.language_attacks import FAILS, REFUSED, TELLING

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_at_upload(mode: PythonMode, name: str) -> None:
    assert await is_refused(mode, source_of(REFUSED[name]))
    assert await answers(mode)


@pytest.mark.parametrize("name", FAILS)
async def test_fails_in_the_worker(mode: PythonMode, name: str) -> None:
    await fails(mode, source_of(FAILS[name]))


@pytest.mark.parametrize("name", TELLING)
async def test_what_it_sees_is_harmless(mode: PythonMode, name: str) -> None:
    body, harmless = TELLING[name]
    assert value_of(await mode.run(await call_of(mode, f"def main():\n    {body}"))) == harmless
    assert await answers(mode)
