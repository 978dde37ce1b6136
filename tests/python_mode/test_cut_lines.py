"""Lines of a call that is cut before it replies: its record has those that have come, and names what may be missing."""

import asyncio
import os
import signal

import pytest

from services.executor.modes.python.frames import FrameError, KeptFrame, LineFrame
from services.executor.modes.python.kept import Kept
from services.executor.modes.python.mode import PythonMode
from shared.domain.line import Line
from shared.domain.outcome import Outcome, failure
from tests.limits import limits
from tests.python_mode.calling import Run, call_of, value_of
from tests.python_mode.opening import until
from tests.python_mode.test_told_lines import recorded
from tests.taker import Taker, told_to

SPIN = "\n    while True: pass"
LATER = """
import time
def main(params, context):
    began = time.monotonic()
    print('one')
    log('two', 'warning', {'a': 1})
    print('three', end='')
    while time.monotonic() < began + 0.1: pass
"""


def gap(number: int) -> str:
    return f"Lines from number {number} on may be missing: the call was cut before it could tell them.\n"


async def test_what_a_call_has_written_by_its_last_line_stays(run: Run) -> None:
    """The last one comes when it has run for a while."""
    outcome = await run(LATER + "    print(' and more')\n    print('five')" + SPIN, timeout_s=0.5)
    assert outcome.error_type == "TimeoutError"
    assert recorded(outcome) == {1: "one", 2: "two", 3: "three and more"}
    (line,) = outcome.logs
    assert (line.level, bytes(line.data)) == ("warning", b'{"a":1}')
    assert (outcome.stderr, outcome.said, outcome.warnings) == (gap(4), 0, [])


@pytest.mark.parametrize("wait", ["time.sleep(60)", "asyncio.run(asyncio.sleep(60))"])
async def test_what_was_written_before_a_long_wait_stays(run: Run, wait: str) -> None:
    source = f"import asyncio, time\ndef main(p, c):\n    print('one')\n    log('two')\n    {wait}"
    outcome = await run(source, timeout_s=0.5)
    assert (outcome.error_type, recorded(outcome), outcome.stderr) == ("TimeoutError", {1: "one", 2: "two"}, gap(3))


async def test_what_was_written_before_another_function_is_asked_stays(mode: PythonMode) -> None:
    """It is asked, and then nothing comes of it before the worker dies."""
    source = (
        "def handler(request, ctx):\n    log('before')\n    try: ctx.invoke('other')\n    except RuntimeError: pass"
    )
    outcome = await mode.run(await call_of(mode, source + SPIN, timeout_s=0.5))
    assert (outcome.error_type, recorded(outcome), outcome.stderr) == ("TimeoutError", {1: "before"}, gap(2))


async def test_what_has_not_come_is_named(run: Run) -> None:
    """A line, and nothing after it but computing."""
    outcome = await run("def main(p, c):\n    log('one')" + SPIN, timeout_s=0.3)
    assert (outcome.error_type, outcome.logs, outcome.stderr) == ("TimeoutError", [], gap(1))


@pytest.mark.parametrize("how", ["cpu", "crash"])
async def test_however_it_is_cut(mode: PythonMode, how: str) -> None:
    source = LATER + "    print()" + SPIN
    call = await call_of(mode, source, cpu_s=0.4 if how == "cpu" else 20.0)
    running = asyncio.ensure_future(mode.run(call))
    if how == "crash":
        await until(lambda: any(one.link._waiter is not None and one.link._cpu_s() > 0.3 for one in mode._pool.live))
        (worker,) = (one for one in mode._pool.live if one.link._waiter is not None)
        os.kill(worker.link.pid, signal.SIGKILL)
    outcome = await asyncio.wait_for(running, 20)
    assert outcome.error_type == {"cpu": "CpuLimitExceeded", "crash": "WorkerDied"}[how]
    assert recorded(outcome) == {1: "one", 2: "two", 3: "three"}
    assert outcome.stderr == gap(4)


async def test_lines_that_were_told_stay_once(mode: PythonMode) -> None:
    """Those of a call that is followed are known at once; those that are sent to be kept, too, are the same."""
    live = Taker()
    source = LATER + "    print(' and more')\n    log('four')\n    print('five')" + SPIN
    outcome = await mode.run(told_to(await call_of(mode, source, timeout_s=0.5), live))
    assert [line.message for line in live.lines] == ["one", "two", "three and more", "four", "five"]
    assert recorded(outcome) == dict(enumerate((line.message for line in live.lines), 1))
    assert outcome.stdout == "one\nthree and more\n"
    assert outcome.stderr == gap(6)


async def test_a_line_that_was_begun_is_not_there_twice(mode: PythonMode) -> None:
    live = Taker()
    source = LATER + "    print(' and', end='')\n    print(' more')" + SPIN
    outcome = await mode.run(told_to(await call_of(mode, source, timeout_s=0.5), live))
    assert recorded(outcome) == {1: "one", 2: "two", 3: "three and more"}
    assert outcome.stdout == "one\n"


async def test_many_lines_within_the_limits_are_kept(run: Run) -> None:
    source = "def main(p, c):\n    n = 0\n    while True:\n        n += 1\n        print('p', n)\n        log(f'l {n}')"
    outcome = await run(source, timeout_s=0.6, log_lines=50, output_bytes=20_000)
    assert outcome.error_type == "TimeoutError"
    assert [line.message for line in outcome.logs] == [f"l {n}" for n in range(1, 51)]
    assert all(message == f"{'lp'[number % 2]} {(number + 1) // 2}" for number, message in recorded(outcome).items())
    assert 0 < len(outcome.stdout) <= 20_000
    assert {warning.partition(":")[0] for warning in outcome.warnings} <= {"OutputTruncated", "LogTruncated"}


async def test_a_long_call_that_ends_has_its_lines_once(run: Run) -> None:
    body = "for n in range(8):\n        log(n)\n        print(n)\n        time.sleep(0.06)\n    return 1"
    outcome = await run(f"import time\ndef main(p, c):\n    {body}")
    assert value_of(outcome) == 1
    assert recorded(outcome) == {n + 1: str(n // 2) for n in range(16)}
    assert (outcome.stderr, outcome.said) == ("", 16)


ROOMY = limits(timeout_s=1, output_bytes=200, log_lines=2)
LINE = LineFrame(1.7e9, "info", "m", b"{}", 1)


def kept(stdout: bytes = b"", lines: list[LineFrame] | None = None, **fields: object) -> KeptFrame:
    state = {"printed": [], "said": 1, "truncated": False, "lines_too_large": 0, "lines_too_many": 0}
    return KeptFrame(1, stdout, lines or [], **{**state, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "frames",
    [
        [kept()],
        [kept(b"x" * 201)],
        [kept(b"x" * 101), kept(b"x" * 100)],
        [kept(lines=[LINE] * 3)],
        [kept(lines=[LINE, LINE]), kept(lines=[LINE])],
        [kept(lines=[LineFrame(1.0, "info", "é" * 90)])],
        [kept(b"x", printed=[(n, 1) for n in range(1, 1002)])],
    ],
)
def test_more_than_an_honest_worker_keeps(frames: list[KeptFrame]) -> None:
    *honest, last = frames
    book = Kept(ROOMY)
    for frame in honest:
        book.take(frame)
    with pytest.raises(FrameError):
        book.take(last)


def test_more_often_than_an_honest_worker_keeps() -> None:
    book = Kept(limits(timeout_s=1, output_bytes=10_000))
    for _ in range(2100):
        book.take(kept(b"x"))
    with pytest.raises(FrameError):
        book.take(kept(b"x"))


TIMEOUT = failure("TimeoutError", "too long")


@pytest.mark.parametrize(
    "frame",
    [
        kept(lines=[LineFrame(1.0, "info", "", b"{")]),
        kept(lines=[LineFrame(float("nan"), "info", "")]),
        kept(b"x", said=-1),
        kept(b"x", said=1 << 60),
        kept(b"x", printed=[(3, 1), (2, 1)]),
        kept(b"x", lines_too_many=1),
    ],
)
def test_what_cannot_be_is_not_recorded(frame: KeptFrame) -> None:
    book = Kept(ROOMY)
    book.take(frame)
    outcome = book.completed(TIMEOUT)
    assert (outcome.error_type, outcome.logs, outcome.stdout, outcome.stderr) == ("TimeoutError", [], "", gap(1))


def test_bytes_that_are_no_text_take_no_more_room() -> None:
    book = Kept(ROOMY)
    book.take(kept(b"a\xff" * 100))
    assert book.completed(TIMEOUT).stdout == "a" * 100


def test_what_was_told_is_kept_within_the_limits_and_a_hole_is_named() -> None:
    book = Kept(ROOMY)
    book.take(kept(lines=[LINE]))
    book.hear([Line(2, "info", 1000, "two"), Line(5, "info", 1000, "five")])
    outcome: Outcome = book.completed(TIMEOUT)
    assert recorded(outcome) == {1: "m", 2: "two"}
    assert outcome.stderr == gap(3)
    book = Kept(ROOMY)
    book.hear([Line(1, "info", 1000, "x" * 169)])
    assert book.completed(TIMEOUT).logs == []
