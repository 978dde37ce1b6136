"""Time, memory, output and result: every one is bounded, and the next call finds a healthy worker."""

import asyncio
import time

import pytest

from services.executor.mode import Refusal
from services.executor.modes.python.mode import PythonMode, open_mode
from services.executor.modes.python.settings import PythonSettings
from tests.python_mode.calling import Run, call_of, value_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEVER_ENDING = {
    "loop": "while True: pass",
    "big number": "return 3 ** 10 ** 9 > 1",
    "regular expression": "import re\n    re.match('(a+)+$', 'a' * 60 + 'b')",
    "sleep": "import time\n    time.sleep(600)",
    "catches everything": """while True:
        try:
            while True: pass
        except BaseException:
            continue""",
    "finally and continue": "while True:\n        try:\n            pass\n        finally:\n            continue",
    "loop in C": "import itertools\n    sum(itertools.repeat(0))",
    "search in C": "import itertools\n    return 1 in itertools.repeat(0)",
    "key derivation": "import hashlib\n    hashlib.pbkdf2_hmac('sha256', b'a', b'b', 2 * 10 ** 9)",
    "endless result": "class D(dict):\n        def items(self):\n            while True: pass\n    return D(a=1)",
}


@pytest.mark.parametrize("name", NEVER_ENDING)
async def test_deadline(run: Run, name: str) -> None:
    started = time.monotonic()
    outcome = await run(f"def main():\n    {NEVER_ENDING[name]}", timeout_s=0.2)
    assert (outcome.error_type, outcome.error) == ("TimeoutError", "execution exceeded the limit of 0.2 s")
    assert time.monotonic() - started < 10


async def test_module_level_code_is_inside_the_deadline(run: Run) -> None:
    assert (await run("while True: pass", timeout_s=0.2)).error_type == "TimeoutError"


async def test_cpu_time_of_a_cut_call_is_known(run: Run) -> None:
    outcome = await run("def main():\n    while True: pass", timeout_s=0.5)
    assert outcome.usage.cpu_s > 0.01


MEMORY_BOMBS = {
    "one step": "x = [0] * 10 ** 9",
    "small steps": "x = []\n    while True: x.append('a' * 10000 + str(len(x)))",
    "doubling": "x = 'a'\n    while True: x += x",
    "result": "return ['a' * 1000] * 10 ** 6",
    "number": "return 1 << (1 << 33)",
}


@pytest.mark.parametrize("name", MEMORY_BOMBS)
async def test_memory(mode: PythonMode, name: str) -> None:
    call = await call_of(
        mode, f"def main(params):\n    if not params: return 'ok'\n    {MEMORY_BOMBS[name]}", {"bomb": 1}
    )
    outcome = await mode.run(call)
    assert (outcome.error_type, outcome.error) == ("MemoryError", "memory limit of 64 MB exceeded")
    # What the call has left behind went with its worker.
    calm = await call_of(mode, f"def main(params):\n    if not params: return 'ok'\n    {MEMORY_BOMBS[name]}")
    assert value_of(await mode.run(calm)) == "ok"


async def test_memory_limit_is_that_of_the_call(run: Run) -> None:
    source = "def main():\n    return len(bytearray(100_000_000))"
    assert (await run(source, memory_mb=64)).error_type == "MemoryError"
    assert value_of(await run(source, memory_mb=128)) == 100_000_000


@pytest.mark.parametrize(("memory_mb", "held_mb"), [(64, 40), (256, 200), (512, 300), (1024, 900)])
async def test_every_size_of_memory_holds_what_it_says(run: Run, memory_mb: int, held_mb: int) -> None:
    source = "def main(params):\n    return len(bytearray(params['mb'] << 20)) >> 20"
    assert value_of(await run(source, {"mb": held_mb}, memory_mb=memory_mb)) == held_mb
    over = await run(source, {"mb": memory_mb + 10}, memory_mb=memory_mb)
    assert (over.error_type, over.error) == ("MemoryError", f"memory limit of {memory_mb} MB exceeded")


async def test_output_flood_is_cut_and_is_no_failure(run: Run) -> None:
    outcome = await run("def main():\n    for i in range(100000): print(i)\n    return 'done'", output_bytes=1000)
    assert value_of(outcome) == "done"
    assert outcome.truncated
    assert len(outcome.stdout) == 1000
    assert outcome.stdout.startswith("0\n1\n2\n")


async def test_one_huge_print_is_cut_at_a_whole_character(run: Run) -> None:
    outcome = await run("def main():\n    print('é' * 5_000_000)", output_bytes=1001)
    assert outcome.truncated
    assert outcome.stdout == "é" * 500


async def test_output_of_exactly_the_limit_is_whole(run: Run) -> None:
    outcome = await run("def main():\n    print('x' * 9)", output_bytes=10)
    assert (outcome.stdout, outcome.truncated) == ("x" * 9 + "\n", False)


async def test_result_flood(run: Run) -> None:
    outcome = await run("def main():\n    return 'x' * 5_000_000", result_bytes=1000)
    assert outcome.error_type == "ResultTooLarge"
    assert outcome.error == "the result has 5000002 bytes, over the limit of 1000 bytes"


async def test_result_of_exactly_the_limit(run: Run) -> None:
    assert value_of(await run("def main():\n    return 'x' * 98", result_bytes=100)) == "x" * 98


async def test_long_names_and_long_errors_fit_into_a_reply(run: Run) -> None:
    name = "n" * 100_000
    source = f"""
class {name}(Exception):
    pass
def {name}f(n):
    if n:
        return {name}f(n - 1)
    raise {name}('é' * 10**6)
def main():
    {name}f(50)
"""
    outcome = await run(source, output_bytes=10, result_bytes=10)
    assert outcome.error.startswith("Execution failed: nnn")


async def test_compilation_is_bounded_in_time() -> None:
    hasty = await open_mode(PythonSettings(compile_timeout_s=0.01, compile_slots=1))
    try:
        refused = await hasty.prepare("x = [" + "(1, 'a', {}),\n" * 30000 + "]")
    finally:
        await hasty.close()
    assert isinstance(refused, Refusal)
    assert refused.errors[0].message == "The code took longer than 0.01 s to compile."


async def test_a_reply_that_came_in_time_counts_though_the_executor_was_late(mode: PythonMode) -> None:
    """The executor stood still (stopped, suspended, starved) while the worker kept its limit."""
    call = await call_of(mode, "def main():\n    return 'done'", timeout_s=0.5)
    assert value_of(await mode.run(call)) == "done"
    running = asyncio.create_task(mode.run(call))
    for _ in range(3):
        await asyncio.sleep(0)  # until the request is sent
    time.sleep(1.0)  # noqa: ASYNC251 - the loop is to stand still
    assert value_of(await running) == "done"


async def test_a_call_whose_time_is_up_before_it_was_read_is_not_made_again(run: Run) -> None:
    outcome = await run("def main(params):\n    return 1", {"x": "y" * 20_000_000}, timeout_s=0.001)
    assert outcome.error_type == "TimeoutError"
