"""What an attack on the language may come to; and then another tenant calls."""

from services.executor.mode import Artefact, Refusal
from services.executor.modes.python.mode import PythonMode
from tests.python_mode.calling import call_of, value_of

INNOCENT = "def main(params):\n    return params['n'] + 1"


def source_of(body: str) -> str:
    return f"def main():\n    {body}\n    return 'escaped'"


async def answers(mode: PythonMode) -> bool:
    """Whether another tenant's function still gives the right result."""
    return value_of(await mode.run(await call_of(mode, INNOCENT, {"n": 1}, tenant="other"))) == 2


async def is_refused(mode: PythonMode, source: str) -> bool:
    """Whether it is refused at upload, with reasons."""
    made = await mode.prepare(source)
    return isinstance(made, Refusal) and all(error.message for error in made.errors)


async def fails(mode: PythonMode, source: str, *, ways: str = "SandboxError", memory_mb: int | None = None) -> None:
    """It has to come past the upload, and to fail in the worker in one of these `ways`."""
    assert isinstance(await mode.prepare(source), Artefact), "it is meant to reach the worker"
    limits = {} if memory_mb is None else {"memory_mb": memory_mb}
    outcome = await mode.run(await call_of(mode, source, **limits))
    assert outcome.status == "FAILURE", bytes(outcome.result)
    assert outcome.error_type in ways.split(), outcome
    assert await answers(mode)
