"""Lines of a call, told while it runs."""

import asyncio
import os
import signal

import pytest

from services.executor.modes.python.frames import FrameError
from services.executor.modes.python.lines import check_told
from services.executor.modes.python.mode import PythonMode
from shared.domain.line import MOST_CHARS, Line
from shared.domain.outcome import Outcome
from tests.python_mode.calling import call_of, value_of
from tests.taker import Taker, numbers, told_to

MIXED = """
def main(params, context):
    print('one')
    log('two', 'warning')
    print('three', end='')
    log('four', 'error', {'a': 1})
    print(' and more')
    print('five\\nsix')
    print('seven', end='')
"""
TOLD = ["one", "two", "four", "three and more", "five", "six", "seven"]


def recorded(outcome: Outcome) -> dict[int, str]:
    """What the end says of each number."""
    printed = [number for first, count in outcome.printed for number in range(first, first + count)]
    text = outcome.stdout.removesuffix("\n").split("\n") if outcome.stdout else []
    return dict(zip(printed, text, strict=False)) | {line.n: line.message for line in outcome.logs}


async def test_lines_are_numbered_in_the_order_in_which_they_end(mode: PythonMode) -> None:
    live = Taker()
    outcome = await mode.run(told_to(await call_of(mode, MIXED), live))
    assert [line.message for line in live.lines] == TOLD
    assert numbers(live.lines) == [1, 2, 3, 4, 5, 6, 7]
    assert [line.level for line in live.lines] == ["log", "warning", "error", "log", "log", "log", "log"]
    assert outcome.said == 7
    assert recorded(outcome) == dict(enumerate(TOLD, 1))


async def test_the_end_has_the_same_numbers_when_nobody_follows(mode: PythonMode) -> None:
    live = Taker(wanted=False)
    outcome = await mode.run(told_to(await call_of(mode, MIXED), live))
    assert (live.lines, outcome.said) == ([], 7)
    assert recorded(outcome) == dict(enumerate(TOLD, 1))


async def test_a_line_comes_while_the_call_runs_and_whatever_it_does_next(mode: PythonMode) -> None:
    """It computes for as long as nobody has heard of the line; then it is cut, and there is no end with lines."""
    live = Taker()
    call = await call_of(mode, "def main(p, c):\n print('here')\n while True: pass")
    running = asyncio.ensure_future(mode.run(told_to(call, live)))
    await asyncio.wait_for(live.came.wait(), 10)
    assert [line.message for line in live.lines] == ["here"]
    running.cancel()
    await asyncio.wait([running])


async def test_who_comes_while_a_call_runs_has_what_follows(mode: PythonMode) -> None:
    live = Taker(wanted=False)
    source = "import time\ndef main(p, c):\n for i in range(4000):\n  print(i)\n  time.sleep(0.005)"
    running = asyncio.ensure_future(mode.run(told_to(await call_of(mode, source), live)))
    while live.tell is None:
        await asyncio.sleep(0)
    live.tell(True)
    await asyncio.wait_for(live.came.wait(), 10)
    assert all(line.message == str(line.n - 1) for line in live.lines)
    live.tell(False)
    running.cancel()
    await asyncio.wait([running])


async def test_a_worker_that_was_told_too_late_serves_the_next_call(mode: PythonMode) -> None:
    source = "def main(p, c):\n print('hi')\n return p"
    for number in range(20):
        live = Taker(wanted=False)
        call = told_to(await call_of(mode, source, number), live)
        running = asyncio.ensure_future(mode.run(call))
        while live.tell is None:
            await asyncio.sleep(0)
        live.tell(True)
        assert value_of(await running) == number


async def test_a_call_that_dies_with_a_word_it_has_not_read_is_not_run_again(mode: PythonMode) -> None:
    live = Taker()
    call = await call_of(mode, "def main(p, c):\n print('here')\n while True: pass")
    running = asyncio.ensure_future(mode.run(told_to(call, live)))
    await asyncio.wait_for(live.came.wait(), 10)
    assert live.tell is not None
    live.tell(False)
    (worker,) = (one for one in mode._pool.live if one.link._waiter is not None)
    os.kill(worker.link.pid, signal.SIGKILL)
    outcome = await asyncio.wait_for(running, 10)
    assert outcome.error_type == "WorkerDied"
    assert [line.message for line in live.lines] == ["here"]


async def test_what_is_too_much_is_left_out_and_the_end_has_it(mode: PythonMode) -> None:
    """By lines, and by bytes."""
    source = "def main(p, c):\n for i in range(2000): log(i)"
    live = Taker(most_lines=50)
    call = await call_of(mode, source, log_lines=10_000, output_bytes=1 << 20)
    outcome = await mode.run(told_to(call, live))
    assert 50 <= len(live.lines) < 2000
    assert (outcome.said, len(outcome.logs)) == (2000, 2000)
    live = Taker(most_bytes=100)
    outcome = await mode.run(told_to(call, live))
    assert 0 < len(live.lines) < 2000


async def test_more_is_told_than_is_kept(mode: PythonMode) -> None:
    live = Taker(most_lines=10_000)
    call = await call_of(mode, "def main(p, c):\n for i in range(1000):\n  log(i)\n  print('p')", log_lines=10)
    outcome = await mode.run(told_to(call, live))
    assert numbers(live.lines) == list(range(1, 2001))
    assert (outcome.said, len(outcome.logs)) == (2000, 10)
    assert [number for number, message in recorded(outcome).items() if message == "p"][:3] == [2, 4, 6]


async def test_long_lines_and_strange_characters_are_told(mode: PythonMode) -> None:
    live = Taker()
    source = "def main(p, c):\n print('x' * 100_000)\n print('\\ud800')\n print('\\u00e4' * 50_000)"
    outcome = await mode.run(told_to(await call_of(mode, source), live))
    assert outcome.status == "SUCCESS", outcome
    assert [(len(line.message), line.cut) for line in live.lines] == [
        (MOST_CHARS, True),
        (6, False),
        (MOST_CHARS, True),
    ]


@pytest.mark.parametrize("times", [1, 300])
async def test_questions_go_between_lines(mode: PythonMode, times: int) -> None:
    """Nobody answers them here; that is an answer, too."""
    live = Taker()
    source = f"""
def handler(request, ctx):
    for i in range({times}):
        print('x' * 1000)
        if i % 10 == 0:
            try: ctx.idempotency.claim('a')
            except RuntimeError as error: log(str(error))
    return request.path
"""
    outcome = await mode.run(told_to(await call_of(mode, source, output_bytes=1 << 20), live))
    assert outcome.response is not None, outcome
    assert outcome.response.body == b"/"
    asked = sum(line.message == "nothing can be asked in this call" for line in live.lines)
    assert asked == (times + 9) // 10
    assert numbers(live.lines) == list(range(1, times + asked + 1))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [Line(3, "log", 0, "again")],
        [Line(5, "log", 0, "a"), Line(4, "log", 0, "b")],
        [Line(1 << 53, "log", 0, "")],
        [Line(4, "log", -1, "")],
        [Line(4, "log", 1 << 60, "")],
        [Line(4, "log", 0, "x" * (MOST_CHARS + 1))],
    ],
)
def test_lines_that_no_honest_worker_tells(lines: list[Line]) -> None:
    with pytest.raises(FrameError):
        check_told(lines, after=3)
    assert check_told([Line(4, "log", 0, ""), Line(9, "error", 1, "")], after=3) == 9
