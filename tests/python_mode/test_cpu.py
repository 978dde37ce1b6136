"""The bound on CPU time: by the kernel's clock, however the time is spent, and beside the deadline."""

import asyncio
import time

import pytest

from services.executor.modes.python.mode import PythonMode
from tests.python_mode.calling import Run, call_of, value_of
from tests.python_mode.opening import Open

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPINS = {
    "Python": "while True: pass",
    "C": "import itertools\n    sum(itertools.repeat(0))",
    "C that lets nothing in": "import hashlib\n    hashlib.pbkdf2_hmac('sha256', b'a', b'b', 2 * 10 ** 9)",
    "catches everything": "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "bursts between naps": "import time\n    while True:\n        time.sleep(0.001)\n        sum(range(10 ** 5))",
}
SLEEP = "import time\ndef main(params):\n    time.sleep(params['s'])\n    return 'slept'"


@pytest.mark.parametrize("name", SPINS)
async def test_a_call_that_computes_for_too_long(run: Run, name: str) -> None:
    outcome = await run(f"def main():\n    {SPINS[name]}", cpu_s=0.2)
    assert (outcome.error_type, outcome.error) == ("CpuLimitExceeded", "used more than the limit of 0.2 s of CPU time")
    assert 0.2 <= outcome.usage.cpu_s < 0.3
    assert outcome.usage.peak_bytes > 0


async def test_a_call_that_sleeps_uses_none(run: Run) -> None:
    began = time.monotonic()
    assert value_of(await run(SLEEP, {"s": 0.3}, cpu_s=0.1)) == "slept"
    assert time.monotonic() - began >= 0.3


async def test_the_deadline_comes_first_where_it_is_nearer(run: Run) -> None:
    assert (await run(SLEEP, {"s": 60}, cpu_s=0.1, timeout_s=0.2)).error_type == "TimeoutError"
    assert (await run("def main():\n    while True: pass", cpu_s=0.2, timeout_s=0.2)).error_type == "TimeoutError"


async def test_every_call_of_a_worker_has_the_whole_limit(opened: Open) -> None:
    mode = await opened()
    source = "import time\ndef main():\n    end = time.process_time() + 0.06\n    while time.process_time() < end: pass"
    call = await call_of(mode, source, cpu_s=0.1)
    assert [(await mode.run(call)).status for _ in range(4)] == ["SUCCESS"] * 4
    assert mode.facts()["counts"] == {"cold": 1, "warm": 3}


async def test_what_a_late_executor_sees_in_time_is_over_all_the_same(mode: PythonMode) -> None:
    """The executor stood still while the call used more than it may, and answered."""
    source = "import time\ndef main():\n    end = time.process_time() + 0.3\n    while time.process_time() < end: pass"
    running = asyncio.create_task(mode.run(await call_of(mode, source, cpu_s=0.1)))
    for _ in range(5):
        await asyncio.sleep(0)  # until the request is sent
    time.sleep(1.0)  # noqa: ASYNC251 - the loop is to stand still
    outcome = await running
    assert outcome.error_type == "CpuLimitExceeded"


async def test_the_worker_is_gone_and_counted_and_the_next_call_gets_another(opened: Open) -> None:
    mode = await opened()
    source = "def main(params):\n    while params: pass\n    return 'ok'"
    assert (await mode.run(await call_of(mode, source, {"n": 1}, cpu_s=0.05))).error_type == "CpuLimitExceeded"
    assert mode.facts()["workers"] == 0
    assert value_of(await mode.run(await call_of(mode, source))) == "ok"
    assert mode.facts()["counts"] == {"cold": 2, "cpu": 1}
