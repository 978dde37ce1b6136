"""The facades that are written by the platform, attacked."""

import json

import pytest

from services.executor.modes.python.mode import PythonMode
from tests.python_mode.calling import call_of, value_of
from tests.sandbox.attacked import fails, is_refused, source_of
from tests.sandbox.facade_attacks import FAILS, REFUSED, TELLING

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_at_upload(mode: PythonMode, name: str) -> None:
    assert await is_refused(mode, source_of(REFUSED[name]))


@pytest.mark.parametrize("name", FAILS)
async def test_fails_in_the_worker(mode: PythonMode, name: str) -> None:
    await fails(mode, source_of(FAILS[name]), ways="SandboxError MemoryError")


@pytest.mark.parametrize("name", TELLING)
async def test_what_it_sees_is_harmless(mode: PythonMode, name: str) -> None:
    body, harmless = TELLING[name]
    assert value_of(await mode.run(await call_of(mode, f"def main():\n    {body}"))) == harmless


async def test_what_runs_behind_the_end_of_a_call_does_not_log_into_the_next(mode: PythonMode) -> None:
    """A generator in a cycle is closed whenever the collector comes by, in the middle of another call."""
    source = """
import logging
def late(own):
    logger, write, debug = logging.getLogger("late"), logging.getLogger, logging.DEBUG
    try:
        yield
    finally:
        logger.info("late %s", own)
        logger.setLevel(debug)
def main(params):
    kept = []
    for one in [late(params["n"]) for _ in range(3)]:
        next(one)
        kept.append((one, kept))
    junk = [[] for _ in range(params["junk"])]
    for one in junk:
        one.append(one)
    return logging.getLogger("late").level
"""
    first = await call_of(mode, source, {"n": 1, "junk": 0})
    then = await call_of(mode, source, {"n": 2, "junk": 200_000})
    assert value_of(await mode.run(first)) == 0
    outcome = await mode.run(then)
    assert value_of(outcome) == 0
    assert not [line.message for line in outcome.logs if line.message == "late 1"]
    assert json.loads(bytes(outcome.result)) == 0
