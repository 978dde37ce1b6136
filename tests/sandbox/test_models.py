"""Models, attacked: refused at upload, or failing inside the worker; and then another tenant calls."""

import textwrap

import pytest

from services.executor.mode import Artefact
from services.executor.modes.python.mode import PythonMode
from tests.python_mode.calling import call_of, value_of
from tests.sandbox.attacked import answers, fails, is_refused
from tests.sandbox.model_attacks import ENDS, FAILS, FIELDS, HEAD, REFUSED, TELLING

pytestmark = pytest.mark.asyncio(loop_scope="session")


def source_of(body: str) -> str:
    return f"{HEAD}\ndef main():\n    {body}\n    return 'escaped'"


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_at_upload(mode: PythonMode, name: str) -> None:
    assert await is_refused(mode, source_of(textwrap.indent(REFUSED[name], "    ").strip()))


@pytest.mark.parametrize("name", FIELDS)
async def test_what_a_model_may_not_be_made_of(mode: PythonMode, name: str) -> None:
    before, _, inside = f"---\n{FIELDS[name]}".rpartition("---\n")
    before = before.removeprefix("---\n")
    source = (
        f"{HEAD}\n{before}\nclass M(BaseModel):\n{textwrap.indent(inside, '    ')}\ndef main():\n    return 'escaped'"
    )
    assert isinstance(await mode.prepare(source), Artefact), "it is meant to reach the worker"
    outcome = await mode.run(await call_of(mode, source))
    assert outcome.error_type == "SandboxError", outcome
    assert outcome.error.startswith(("Execution failed: TypeError: ", "Execution failed: ImportError: ")), outcome.error


@pytest.mark.parametrize("name", FAILS)
async def test_fails_in_the_worker(mode: PythonMode, name: str) -> None:
    await fails(mode, source_of(FAILS[name]), ways="SandboxError MemoryError", memory_mb=128)


@pytest.mark.parametrize("name", ENDS)
async def test_ends_this_call_and_no_other(mode: PythonMode, name: str) -> None:
    outcome = await mode.run(await call_of(mode, source_of(ENDS[name]), memory_mb=128, timeout_s=2.0))
    assert outcome.error_type in ("SandboxError", "MemoryError", "TimeoutError", "WorkerDied"), outcome
    if outcome.error_type == "WorkerDied":
        assert "more than the limit of 128 MB" in outcome.error
    assert await answers(mode)


@pytest.mark.parametrize("name", TELLING)
async def test_what_it_sees_is_harmless(mode: PythonMode, name: str) -> None:
    body, harmless = TELLING[name]
    assert value_of(await mode.run(await call_of(mode, f"{HEAD}\ndef main():\n    {body}"))) == harmless
    assert await answers(mode)
