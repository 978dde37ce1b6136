"""The language layer, attacked: refused at upload, or failing inside the worker; and then another tenant calls."""

import pytest

from services.executor.mode import Artefact, Refusal
from services.executor.modes.python.mode import PythonMode
from tests.python_mode.calling import call_of, value_of
from tests.sandbox.language_attacks import FAILS, REFUSED, TELLING

pytestmark = pytest.mark.asyncio(loop_scope="session")

INNOCENT = "def main(params):\n    return params['n'] + 1"


def source_of(body: str) -> str:
    return f"def main():\n    {body}\n    return 'escaped'"


async def answers(mode: PythonMode) -> bool:
    """Whether another tenant's function still gives the right result."""
    return value_of(await mode.run(await call_of(mode, INNOCENT, {"n": 1}, tenant="other"))) == 2


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_at_upload(mode: PythonMode, name: str) -> None:
    made = await mode.prepare(source_of(REFUSED[name]))
    assert isinstance(made, Refusal)
    assert all(error.message for error in made.errors)
    assert await answers(mode)


@pytest.mark.parametrize("name", FAILS)
async def test_fails_in_the_worker(mode: PythonMode, name: str) -> None:
    source = source_of(FAILS[name])
    assert isinstance(await mode.prepare(source), Artefact), "it is meant to reach the guards"
    outcome = await mode.run(await call_of(mode, source))
    assert (outcome.status, outcome.error_type) == ("FAILURE", "SandboxError"), bytes(outcome.result)
    assert await answers(mode)


@pytest.mark.parametrize("name", TELLING)
async def test_what_it_sees_is_harmless(mode: PythonMode, name: str) -> None:
    body, harmless = TELLING[name]
    assert value_of(await mode.run(await call_of(mode, f"def main():\n    {body}"))) == harmless
    assert await answers(mode)
