# ruff: noqa: E501 - a source in one string reads better than in pieces
"""Coroutines and async generators, attacked: they lead nowhere, and what is left of them harms nobody."""

import pytest

from services.executor.modes.python.mode import PythonMode
from tests.python_mode.calling import call_of, value_of
from tests.sandbox.attacked import answers, fails, is_refused
from tests.sandbox.coroutine_attacks import FAILS, REFUSED, TELLING

pytestmark = pytest.mark.asyncio(loop_scope="session")

_SETTING = """
import asyncio
async def f():
    return 1
async def g():
    yield 1
async def h(work):
    return work()
"""


def source_of(body: str) -> str:
    return f"{_SETTING}async def main():\n    {body}\n    return 'escaped'"


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_at_upload(mode: PythonMode, name: str) -> None:
    assert await is_refused(mode, source_of(REFUSED[name]))


@pytest.mark.parametrize("name", FAILS)
async def test_fails_in_the_worker(mode: PythonMode, name: str) -> None:
    await fails(mode, source_of(FAILS[name]))


@pytest.mark.parametrize("name", TELLING)
async def test_what_it_sees_is_harmless(mode: PythonMode, name: str) -> None:
    body, harmless = TELLING[name]
    assert value_of(await mode.run(await call_of(mode, source_of(body)))) == harmless


@pytest.mark.parametrize(
    "body",
    [
        "while True: await asyncio.sleep(0)",
        "async def w():\n        while True: yield 1\n    async for x in w(): pass",
        "async def w():\n        while True:\n            try:\n                await asyncio.sleep(60)\n            except BaseException:\n                pass\n    await asyncio.wait_for(w(), 0.01)",
        "asyncio.create_task(g().athrow(ValueError)) if False else await asyncio.gather(*(f() for x in iter(int, 1)))",
    ],
    ids=["sleeps", "generator", "swallowed timeout", "gather"],
)
async def test_endless_ones_end_at_a_limit(mode: PythonMode, body: str) -> None:
    outcome = await mode.run(await call_of(mode, source_of(body), timeout_s=0.5, memory_mb=64))
    assert outcome.error_type in ("TimeoutError", "MemoryError")
    assert await answers(mode)


async def test_a_long_chain_of_coroutines_ends_its_own_process_at_most(mode: PythonMode) -> None:
    """Each holds the one before: taken apart, they may be more than the stack holds."""
    body = "c = None\n    async def w(c): pass\n    for _ in range(500_000): c = w(c)\n    return 1"
    outcome = await mode.run(await call_of(mode, source_of(body), memory_mb=1024))
    assert outcome.status == "SUCCESS" or outcome.error_type in ("WorkerDied", "MemoryError")
    assert await answers(mode)


async def test_what_a_call_leaves_behind_is_not_seen_by_the_next(mode: PythonMode) -> None:
    """Coroutines nobody awaits and generators nobody ends, in cycles, so that only a collection finds them."""
    body = (
        "async def w():\n        try:\n            yield 1\n        finally:\n            print('late')\n"
        "    a = w()\n    await a.asend(None)\n    ring = [a, f()]\n    ring.append(ring)\n    return len(printed)"
    )
    call = await call_of(mode, source_of(body))
    for _ in range(50):
        outcome = await mode.run(call)
        assert value_of(outcome) == 0
        assert outcome.stdout == ""
