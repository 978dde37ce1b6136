"""Abuse that is honest Python, beside tests/python_mode/test_limits.py: each ends in its named error, and in time."""

import asyncio
import time

import pytest

from services.executor.modes.python.mode import PythonMode, open_mode
from services.executor.modes.python.settings import PythonSettings
from services.executor.pool.bounds import Bounds
from services.executor.pool.places import Places
from tests.python_mode.calling import call_of, value_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

INNOCENT = "def main(params):\n    return params['n'] + 1"
KILL_S = 0.5  # after the deadline, on a machine that does other things too

DEADLINES = {
    "factorial": "import math\n    math.factorial(2 * 10 ** 7)",
    "largest of all": "import itertools\n    max(itertools.count())",
    "last of all": "import collections, itertools\n    collections.deque(itertools.repeat(0), maxlen=1)",
    "exit that is caught": "while True:\n        try: raise SystemExit\n        except BaseException: pass",
    "memory error that is caught": "while True:\n        try: [0] * 10 ** 9\n        except MemoryError: pass",
    "generator that will not close": "def g():\n        while True:\n            try:\n                yield\n"
    "            finally:\n                while True: pass\n    next(g())",
    "sort by a loop": "import itertools\n    sorted([1, 2], key=lambda x: sum(itertools.repeat(0)))",
    "expensive key": "import hashlib\n    while True: hashlib.scrypt(b'a', salt=b'b', n=1024, r=8, p=1)",
    "long division": "return 7 ** 10 ** 6 // 3 ** 10 ** 6 % 10 ** 10 ** 8",
    "wrap for ever": "import textwrap\n    while True: textwrap.fill('a b ' * 10 ** 5, 10)",
    "product without end": "import itertools\n    sum(1 for _ in itertools.product(range(1000), repeat=9))",
    "date by date": "import datetime\n    while True: datetime.datetime.strptime('2024', '%Y')",
}
ERRORS = {
    "deep result": ("x = []\n    for _ in range(10 ** 5): x = [x]\n    return x", "maximum recursion depth"),
    "number with too many digits": ("return str(10 ** 100000)", "ValueError"),
    "error with a million letters": ("raise ValueError('x' * 10 ** 6)", "ValueError"),
    "error with errors inside": ("raise ValueError([ValueError([ValueError()])] * 1000)", "ValueError"),
    "chain of causes": (
        "e = None\n    for n in range(50000):\n        try:\n            raise ValueError(n) from e\n"
        "        except ValueError as caught: e = caught\n    raise e",
        "ValueError",
    ),
    "recursion through a sort": ("def f(x): return sorted([x], key=f)\n    f(1)", "RecursionError"),
    "recursion through str": ("x = []\n    x.append(x)\n    return str(x) + 1", "TypeError"),
    "pattern of a million groups": ("import re\n    re.compile('(' * 10 ** 5 + ')' * 10 ** 5)", "RecursionError"),
    "json of a million brackets": ("import json\n    json.loads('[' * 10 ** 6)", "RecursionError"),
}


async def answers(mode: PythonMode) -> bool:
    return value_of(await mode.run(await call_of(mode, INNOCENT, {"n": 1}, tenant="other"))) == 2


@pytest.mark.parametrize("name", DEADLINES)
async def test_killed_at_its_deadline(mode: PythonMode, name: str) -> None:
    call = await call_of(mode, f"def main():\n    {DEADLINES[name]}", timeout_s=0.2)
    started = time.monotonic()
    outcome = await mode.run(call)
    assert outcome.error_type == "TimeoutError", outcome
    assert time.monotonic() - started < 0.2 + KILL_S
    assert await answers(mode)


@pytest.mark.parametrize("name", ERRORS)
async def test_fails_and_leaves_the_worker_usable(mode: PythonMode, name: str) -> None:
    body, error = ERRORS[name]
    outcome = await mode.run(await call_of(mode, f"def main():\n    {body}"))
    assert (outcome.status, outcome.error_type) == ("FAILURE", "SandboxError"), outcome
    assert error in outcome.error
    assert len(outcome.error) + len(outcome.traceback) < 10_000
    assert await answers(mode)


async def test_what_one_call_keeps_is_gone_in_the_next(mode: PythonMode) -> None:
    source = "kept = []\ndef main():\n    kept.append('x' * 20_000_000)\n    return len(kept)"
    call = await call_of(mode, source)
    assert [value_of(await mode.run(call)) for _ in range(6)] == [1] * 6


async def test_loops_of_one_tenant_leave_another_its_answers() -> None:
    mode = await open_mode(PythonSettings(), places=Places(Bounds(processes=8)))
    try:
        innocent = await call_of(mode, INNOCENT, {"n": 1}, tenant="other")
        await mode.run(innocent)
        loop = await call_of(mode, "def main():\n    while True: pass", timeout_s=1.0)
        loops = [asyncio.create_task(mode.run(loop)) for _ in range(4)]
        slowest_s, answered = 0.0, 0
        while not all(one.done() for one in loops):
            started = time.monotonic()
            assert value_of(await mode.run(innocent)) == 2
            slowest_s = max(slowest_s, time.monotonic() - started)
            answered += 1
        assert [(await one).error_type for one in loops] == ["TimeoutError"] * 4
        assert answered > 20
        assert slowest_s < 0.5
    finally:
        await mode.close()
